"""For all tests, before torch and rclpy are imported; the processes that tests start inherit it."""

import os
import signal
import tempfile
from pathlib import Path

from fastgan_core.running.threads import sleep_while_waiting

sleep_while_waiting()  # a test's other processes want the cores too
for variable in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
    os.environ.setdefault(variable, str(Path(__file__).parent / "discovery.xml"))
# What is kept between two starts is not to be that of whoever runs the tests.
_cache = tempfile.TemporaryDirectory(prefix="fastgan_tests")
os.environ["XDG_CACHE_HOME"] = _cache.name
# A shell starts what is to run in the background deaf to Ctrl-C, and some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

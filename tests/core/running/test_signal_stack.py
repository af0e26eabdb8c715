"""Signals after OpenVINO, in a process that may be killed by them."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, os, signal, threading
from fastgan_core.tracking.opening import open_network
held = [open_network(None, "openvino", "cpu", "fp32")]
signal.signal(signal.SIGINT, lambda *_: print("stopped in order"))
os.kill(os.getpid(), signal.SIGINT)
let_go = threading.Thread(target=held.clear)
let_go.start()
let_go.join()
gc.collect()
os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_is_handled_while_openvino_is_there_and_when_it_is_gone():
    pytest.importorskip("openvino", reason="openvino is optional")
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["stopped in order"] * 2), done.stderr

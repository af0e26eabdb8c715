"""OpenMP's own word on what its threads do while they wait, from the programs that people start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastgan_core.running.threads import spinning

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    "fastgan": "from fastgan_core.commands import bench, main; bench.run = load; sys.argv[1:] = ['bench']; main.main()",
    "tracker": "from fastgan_ros.node import tracker_node as node; node.run = load; node.main()",
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("asked", "spins"), [(None, "0"), ("ACTIVE", "30000000000")])
def test_threads_sleep_while_they_wait_unless_somebody_wants_them_to_spin(program, asked, spins):
    if program == "tracker":
        pytest.importorskip("rclpy", reason="the node needs rclpy")
        pytest.importorskip("fastgan_interfaces", reason="the node needs fastgan_interfaces")
    environment = {**os.environ, "OMP_DISPLAY_ENV": "VERBOSE", "PYTHONPATH": str(ROOT)}
    environment.pop("OMP_WAIT_POLICY", None)
    environment |= {"OMP_WAIT_POLICY": asked} if asked else {}
    command = [sys.executable, "-c", f"import sys; load = lambda *_: __import__('torch'); {PROGRAMS[program]}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    # The policy itself is shown as PASSIVE also where none is set and threads spin 300,000 times.
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr, done.stderr


def test_other_runtimes_follow_the_same_variable(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert not spinning()
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert spinning()

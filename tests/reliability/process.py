"""The node in a process of its own, and what the system says about that process."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fastgan_ros.programs.domain import keep_to_ourselves

ROOT = Path(__file__).parents[2]

# Before rclpy is imported: a run neither hears nor disturbs other ROS systems.
keep_to_ourselves()


@contextlib.contextmanager
def node(**parameters):
    """Run `python -m fastgan_ros.node`; yields its process, with the path of what it writes as `log`."""
    command = [sys.executable, "-m", "fastgan_ros.node", "--ros-args"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with open(log, "w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
        process.log = log
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def usage(pid: int) -> dict[str, float]:
    """Resident memory in MB, threads and open files of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "resident": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(os.listdir(f"/proc/{pid}/fd")),
    }


class Memory:
    """Readings of a process over time, and whether they stay flat."""

    def __init__(self, pid: int):
        self.pid = pid
        self.begin = time.monotonic()
        self.readings: list[tuple[int, float, dict]] = []

    def read(self, count: int) -> None:
        """Take a reading after `count` frames or cycles, and print it."""
        now, found = time.monotonic() - self.begin, usage(self.pid)
        if not self.readings:
            print(f"{'count':>8} {'seconds':>8} {'resident MB':>12} {'threads':>8} {'open files':>11}")
        self.readings.append((count, now, found))
        print(
            f"{count:8d} {now:8.0f} {found['resident']:12.1f} {found['threads']:8d} {found['files']:11d}", flush=True
        )

    def growth(self) -> float:
        """MB by which the last third of the readings lies over the middle third; the first is warm-up."""
        third = len(self.readings) // 3
        if not third:
            return 0.0
        resident = [found["resident"] for *_, found in self.readings]
        middle, last = sorted(resident[third : 2 * third]), sorted(resident[-third:])
        return last[third // 2] - middle[third // 2]

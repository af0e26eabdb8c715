"""Programs of the package started by another one, which ends them with itself."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from fastgan_core.errors import FastganError

START_TIMEOUT = 120.0  # seconds; a first import of torch from a slow disk takes most of a minute


class Child:
    """A program of the package in a process of its own, which ends with the block; its output goes to a log file."""

    def __init__(self, name: str, module: str, log: Path, parameters: dict):
        self.name, self.log = name, log
        given = [part for key, value in parameters.items() for part in ("-p", f"{key}:={json.dumps(value)}")]
        command = [sys.executable, "-m", module, "--ros-args", *given]
        with open(log, "w") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def ended(self) -> bool:
        """Whether it has ended well; `FastganError` with its last lines when it has ended badly."""
        code = self._process.poll()
        if code:
            lines = self.log.read_text(errors="replace").splitlines()[-12:]
            raise FastganError("\n".join([f"The {self.name} ended with code {code}; it last said:", *lines]))
        return code == 0

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far, in its own code and the system's."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """End it with SIGINT, and by force if it has not ended 8 s later."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

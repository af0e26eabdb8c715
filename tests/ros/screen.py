"""A virtual display with a window manager, and a person at it: real mouse and keys, by xdotool."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time

import cv2
import harness
import numpy as np
from harness import wait_for

# A folder with an OpenCV that has windows, where the environment's own has none:
# pip install --no-deps --target FOLDER opencv-python
ELSEWHERE = os.environ.get("FASTGAN_WINDOW_OPENCV", "")


def why_not() -> str:
    """Why no window can be tested here; empty when it can."""
    for program, package in (("Xvfb", "xvfb"), ("xdotool", "xdotool"), ("import", "imagemagick")):
        if not shutil.which(program):
            return f"needs {program} (apt install {package})"
    if not has_windows():
        return "this OpenCV has no windows: 'make window', or name a folder with opencv-python in FASTGAN_WINDOW_OPENCV"
    return ""


@functools.cache
def has_windows() -> bool:
    """Whether the OpenCV of processes with :func:`environment` can open a window at all."""
    code = "import cv2, sys; sys.exit('GUI:                           NONE' in cv2.getBuildInformation())"
    return not subprocess.run([sys.executable, "-c", code], env=environment(), check=False, timeout=120).returncode


def environment(**more: str) -> dict[str, str]:
    """The environment of processes that use the project and an OpenCV with windows."""
    return harness.environment(ELSEWHERE, **more)


class Screen:
    """The display; `mouse()` and `key()` are the person's."""

    def __init__(self):
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1300x760x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=[write], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as number:
            self.display = f":{number.readline().strip()}"
        assert self.display != ":", "Xvfb did not start"
        self.environment = environment(DISPLAY=self.display)
        self.window = ""
        self.at = (0, 0)

    def close(self) -> None:
        """Switch it off."""
        self._server.terminate()
        self._server.wait(20)

    def find(self, title: str) -> None:
        """Wait for the window of this title."""

        def found():
            return self._do("search", "--onlyvisible", "--name", title, check=False).split()

        self.window = wait_for(found, f"the window {title}")[-1]

        def place():
            lines = self._do("getwindowgeometry", "--shell", self.window).split()
            return dict(line.split("=") for line in lines)

        # A picture of the screen taken while Qt draws a window for the first time can leave that window white for good.
        wait_for(lambda: int(place()["WIDTH"]) > 1000, "the window to have its size")
        time.sleep(3.0)
        place = place()
        self.at = int(place["X"]), int(place["Y"])
        self._do("windowfocus", self.window)

    def drag(self, *points: tuple[int, int], button: int = 1, held: str = "") -> None:
        """Press at the first place in the window, move over the others, release."""
        if held:
            self._do("keydown", held)
        self._move(points[0])
        self._do("mousedown", str(button))
        for point in points[1:]:
            time.sleep(0.1)
            self._move(point)
        time.sleep(0.1)
        self._do("mouseup", str(button))
        if held:
            self._do("keyup", held)

    def key(self, *names: str) -> None:
        """Press keys, by the names that X has for them."""
        for name in names:
            self._do("key", name)
            time.sleep(0.15)

    def picture(self) -> np.ndarray:
        """What is on the display, (H, W, 3) uint8 RGB."""
        with tempfile.TemporaryDirectory() as folder:
            command = ["import", "-window", "root", f"{folder}/screen.png"]
            subprocess.run(command, env=self.environment, check=True, timeout=60)
            return cv2.imread(f"{folder}/screen.png")[..., ::-1]

    def _move(self, point: tuple[int, int]) -> None:
        self._do("mousemove", str(self.at[0] + point[0]), str(self.at[1] + point[1]))

    def _do(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self.environment, capture_output=True, text=True, check=check, timeout=60
        )
        return done.stdout

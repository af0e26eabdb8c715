"""A window to mark objects in: the live image, frozen by a click, marked with the mouse, sent with its stamp.

ros2 run fastgan_ros select_reference [--node /NAME] [--image TOPIC]
"""

import argparse
import ctypes
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
from rclpy.signals import SignalHandlerOptions

from fastgan_core.errors import FastganError
from fastgan_ros.operator.selecting import Selecting
from fastgan_ros.operator.tracker_link import TrackerLink
from fastgan_ros.programs.command import names, own_arguments, ros
from fastgan_ros.programs.dds import use_profile

PERIOD = 30  # milliseconds between two pictures of the window
# Characters, and X11's own codes of Return, the number pad's Enter, Escape, Backspace, and 0 to 9 of the number pad.
_KEYS = dict.fromkeys((10, 13, 0xFF0D, 0xFF8D), "enter") | dict.fromkeys((27, 0xFF1B), "escape")
_KEYS |= dict.fromkeys((8, 0xFF08), "z") | {0xFFB0 + digit: str(digit) for digit in range(10)}


def key_name(code: int) -> str:
    """What `Selecting.key` calls the key of a code of `cv2.waitKeyEx`; empty for keys that mean nothing here."""
    code &= 0xFFFF  # GTK has Shift, NumLock and the like above it
    # X11's other codes are arrows and the like: their lower byte alone would be a letter.
    return _KEYS.get(code, chr(code).lower() if code < 0x100 else "")


class Window:
    """The window on the screen; `selecting` gets its mouse and keys."""

    def __init__(self, name: str, selecting: Selecting):
        self.stopped = False
        self._name = name
        self._selecting = selecting

    def run(self, lives) -> None:
        """Show the window until it is closed, Q is pressed, `stopped` is set, or `lives()` is no longer true."""
        cv2.namedWindow(self._name, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        cv2.setMouseCallback(self._name, self._mouse)
        try:
            while not self.stopped and lives():
                self._selecting.tick()
                shown = self._selecting.shown()
                picture = self._selecting.view.draw(shown)
                cv2.imshow(self._name, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
                code = cv2.waitKeyEx(PERIOD)
                if code >= 0:
                    self._key(key_name(code))
                if cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1:
                    return
        finally:
            cv2.destroyAllWindows()

    def _key(self, name: str) -> None:
        if name == "q":
            self.stopped = True
        else:
            self._selecting.key(name)

    def _mouse(self, event: int, x: int, y: int, flags: int, _) -> None:
        self._selecting.move(x, y)
        if event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_RBUTTONDOWN):
            beside = event == cv2.EVENT_RBUTTONDOWN or bool(flags & cv2.EVENT_FLAG_SHIFTKEY)
            self._selecting.press(x, y, beside)
        elif event in (cv2.EVENT_LBUTTONUP, cv2.EVENT_RBUTTONUP):
            self._selecting.release()


def check_window() -> None:
    """FastganError when OpenCV cannot open a window here; OpenCV itself would end the process at once."""
    toolkit = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation(), re.MULTILINE)
    if toolkit and toolkit[1] == "NONE":
        raise FastganError(
            "this OpenCV was built without windows (opencv-python-headless): run 'make window', or with pip "
            "'pip uninstall opencv-python-headless' and 'pip install opencv-python'; ROS's own python3-opencv has them"
        )
    if not sys.platform.startswith("linux") or os.environ.get("WAYLAND_DISPLAY"):
        return
    display = os.environ.get("DISPLAY")
    if not display:
        raise FastganError(
            "there is no screen to open a window on (DISPLAY is not set): run it on the desktop, where the tracker's "
            "topics are heard as well, or with 'ssh -X'; without a screen use set_reference"
        )
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # then OpenCV draws without it
        return
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if failed:
        raise FastganError(f"the screen {display} (DISPLAY) cannot be reached: is it on, and may this user draw on it?")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog="select_reference", description="Mark objects for the tracker with the mouse, in a window."
    )
    made.add_argument("--node", default="/fastgan_tracker", help="name of the tracker's node (%(default)s)")
    made.add_argument(
        "--image", metavar="TOPIC",
        help="the camera's topic, raw or compressed; default: the one that the tracker takes.",
    )  # fmt: skip
    return made


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when the window was closed, 2 with a sentence when none can be opened."""
    argv = sys.argv if arguments is None else ["select_reference", *arguments]
    try:
        options = parser().parse_args(own_arguments(argv))
        check_window()
        use_profile()
        with ros(argv, signal_handler_options=SignalHandlerOptions.NO):
            with names():
                link = TrackerLink(options.node, options.image)
            _work(link)
    except FastganError as error:
        print(f"select_reference: {error}", file=sys.stderr)
        return 2
    return 0


def _work(link: TrackerLink) -> None:
    with ThreadPoolExecutor(1) as pool:
        window = Window(f"select_reference: {link.tracker}", Selecting(link, pool))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(window, "stopped", True))
        try:
            window.run(lambda: link.lives)
        finally:
            link.close()
            link.destroy_node()


if __name__ == "__main__":
    sys.exit(main())

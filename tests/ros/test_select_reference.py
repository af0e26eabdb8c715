"""The operator's window on a virtual display: real mouse and keys, the real node, a camera that shows the scene."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import screen
from harness import TIMEOUT, nanoseconds, wait_for
from sensor_msgs.msg import CompressedImage, Image

from fastgan_core.masks import PALETTE, bounding_box
from fastgan_core.scene import Scene
from fastgan_interfaces.msg import TrackedObject, TrackedObjects

WHY_NOT = screen.why_not()
with_window = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

FRAME, TRUTH = Scene(320, 240)[0]
SCALE = 2.5  # 600 pixels of height for an image of 240
X, Y, WIDTH, HEIGHT = bounding_box(TRUTH > 0)
CENTRE = X + WIDTH // 2, Y + HEIGHT // 2
PANEL = 800  # where it begins


def at(x: float, y: float) -> tuple[int, int]:
    """A place of the image in the window."""
    return round(x * SCALE), round(y * SCALE)


def iou(found, truth=TRUTH > 0) -> float:
    return (found & truth).sum() / (found | truth).sum()


class Operator:
    """The window's process, and what the node was asked for."""

    def __init__(self, rig, shown: screen.Screen, tracker, *arguments: str):
        self.screen, self.tracker = shown, tracker
        self.masks: list = []
        real = tracker.references.by_mask if hasattr(tracker, "references") else None
        assert real is not None
        tracker.references.by_mask = lambda worker, request, response: (
            self.masks.append(request),
            real(worker, request, response),
        )[1]
        command = [sys.executable, "-m", "fastgan_ros.select_reference", "--node", f"{rig.namespace}/fastgan_tracker"]
        self.process = subprocess.Popen(
            [*command, *arguments], env=shown.environment, stderr=subprocess.PIPE, text=True
        )

    def mask(self, count: int = 1) -> np.ndarray:
        """The label image of the latest request, once there are `count`."""
        wait_for(lambda: len(self.masks) >= count, f"request {count}")
        msg = self.masks[-1].mask
        return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width)

    def sees(self, what, condition) -> None:
        """Wait until the picture in the window meets a condition."""

        def meets():
            x, y = self.screen.at
            return condition(self.screen.picture()[y : y + 664, x : x + 1100].astype(int))

        wait_for(meets, what)

    def end(self) -> tuple[int, str]:
        """End it as Ctrl-C does; returns its exit code and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, said


@pytest.fixture(scope="module")
def shown():
    made = screen.Screen()
    yield made
    made.close()


@pytest.fixture
def operator(rig, shown):
    """A window that shows the scene's first frame; the node keeps its frames for as long as a slow test takes."""
    tracker, camera = rig.tracker(history_seconds=300.0, catch_up_budget=0.5), rig.camera()
    camera.rgb = FRAME
    camera.stream(5.0)
    made = Operator(rig, shown, tracker)
    made.camera, made.rig = camera, rig
    shown.find("select_reference")
    centre = np.array(at(*CENTRE))
    made.sees("the live image", lambda p: abs(p[centre[1], centre[0]] - FRAME[CENTRE[1], CENTRE[0]]).max() < 30)
    yield made
    code, said = made.end()
    camera.stop()
    assert code == 0, said
    assert "Traceback" not in said, said


def freeze(operator) -> None:
    operator.screen.key("space")
    operator.sees("the frame of a frozen picture", lambda p: (p[1, 20:700] == (96, 200, 255)).all())


def box(operator, button: int = 1) -> None:
    operator.screen.drag(at(X - 3, Y - 3), at(X + 20, Y + 20), at(X + WIDTH + 3, Y + HEIGHT + 3), button=button)
    operator.sees("the outline", lambda p: outline_drawn(p))


def outline_drawn(picture) -> bool:
    """Whether the object's contour is drawn white, as that of a proposal is."""
    x, y = at(CENTRE[0], Y)
    part = picture[max(y - 20, 0) : y + 30, x - 30 : x + 30]
    return (part > 225).all(2).sum() > 20


def tinted(operator, number: int, place) -> None:
    """Wait until the live image shows an object in its colour."""

    def seen(picture):
        x, y = at(*place)
        patch = picture[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3).mean(0)
        bare = FRAME[place[1] - 2 : place[1] + 3, place[0] - 2 : place[0] + 3].reshape(-1, 3).mean(0)
        return abs(patch - (bare + PALETTE[number]) / 2).max() < 15

    operator.sees(f"object {number} in its colour", seen)


@with_window
def test_freeze_box_strokes_undo_and_enter(operator):
    freeze(operator)
    box(operator)
    # A stroke on the background, taken back; one on the object.
    operator.screen.drag(at(X + 10, CENTRE[1]), at(CENTRE[0], CENTRE[1]), button=3)
    operator.screen.key("z")
    operator.screen.drag(at(CENTRE[0] - 8, CENTRE[1]), at(CENTRE[0] + 8, CENTRE[1]))
    operator.screen.key("Return")
    labels = operator.mask()
    assert set(np.unique(labels)) == {0, 1}
    assert iou(labels == 1) > 0.95
    request = operator.masks[0]
    assert request.mode == request.MODE_ADD and not request.image.data
    stamp = nanoseconds(request.mask.header.stamp)
    assert stamp in operator.camera.sent and request.mask.header.frame_id == "camera_optical"
    assert stamp < operator.camera.sent[-1], "the frame is that of a while ago"
    wait_for(lambda: operator.tracker.tracker.ids == (1,), "the object to be set")
    # Back to live, by itself.
    operator.sees("the live picture", lambda p: not (p[1, 20:700] == (96, 200, 255)).all())


@with_window
def test_strokes_beside_the_object_are_left_out(operator):
    freeze(operator)
    box(operator)
    operator.screen.drag(at(X + 10, CENTRE[1]), at(CENTRE[0], CENTRE[1]), button=3)
    operator.screen.drag(at(X + 10, CENTRE[1] + 12), at(CENTRE[0], CENTRE[1] + 12), held="shift")
    operator.screen.key("Return")
    labels = operator.mask()
    for row in (CENTRE[1], CENTRE[1] + 12):
        assert not labels[row, X + 12 : CENTRE[0] - 2].any()
    assert labels[CENTRE[1] - 20, CENTRE[0]] == 1


@with_window
def test_two_objects_in_one_picture_and_one_more_later(operator):
    freeze(operator)
    box(operator)
    operator.screen.key("n")
    ball = 265, 170  # another thing of the scene
    operator.screen.drag(at(ball[0] - 28, ball[1] - 28), at(ball[0] + 28, ball[1] + 28))
    operator.screen.key("Return")
    labels = operator.mask()
    assert labels[CENTRE[1], CENTRE[0]] == 1 and labels[ball[1], ball[0]] == 2
    wait_for(lambda: operator.tracker.tracker.ids == (1, 2), "both objects")
    # A drag in the live picture freezes it and is the box of the next id.
    fruit = 278, 55
    operator.sees("the live picture", lambda p: not (p[1, 20:700] == (96, 200, 255)).all())
    operator.screen.drag(at(fruit[0] - 28, fruit[1] - 28), at(fruit[0] + 28, fruit[1] + 28))
    operator.screen.key("Return")
    assert operator.mask(2)[fruit[1], fruit[0]] == 3
    wait_for(lambda: operator.tracker.tracker.ids == (1, 2, 3), "the third object")


class Puppet:
    """Speaks for the node: what it publishes can be said, so that an object is lost when the test wants it."""

    def __init__(self, operator):
        self.operator, self.lost, self.labels = operator, False, np.zeros((240, 320), np.uint8)
        operator.tracker.worker.paused = True

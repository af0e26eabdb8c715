"""The operator's window on a virtual display: real mouse and keys, the real node, a camera that shows the scene."""

import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import screen
from harness import TIMEOUT, nanoseconds, wait_for
from rclpy.parameter import Parameter

from fastgan_core.labels import bounding_box
from fastgan_core.media.painting import PALETTE
from fastgan_core.scenes.scene import Scene
from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_ros.node.references import References
from fastgan_ros.operator.select_reference import key_name

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
        self.masks: list = []  # requests that the node got
        node = f"{rig.namespace}/fastgan_tracker"
        command = [sys.executable, "-m", "fastgan_ros.operator.select_reference", "--node", node]
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
def operator(rig, shown, monkeypatch):
    """A window that shows the scene's first frame; the node keeps its frames for as long as a slow test takes."""
    settings = {"weights": "", "input_size": 192, "history_seconds": 300.0, "catch_up_budget": 0.5}
    tracker, camera = rig.tracker(**settings), rig.camera()
    camera.rgb = FRAME
    camera.stream(5.0)
    made = Operator(rig, shown, tracker)
    real = References.by_mask

    def by_mask(references, worker, request, response):
        made.masks.append(request)
        return real(references, worker, request, response)

    monkeypatch.setattr(References, "by_mask", by_mask)
    made.camera, made.rig = camera, rig
    try:  # a window that stayed would hide those of the tests after
        shown.find("select_reference")
        column, row = at(*CENTRE)
        made.sees("the live image", lambda p: abs(p[row, column] - FRAME[CENTRE[1], CENTRE[0]]).max() < 30)
        yield made
    finally:
        code, said = made.end()
        camera.stop()
    assert code == 0, said
    assert "Traceback" not in said, said


def freeze(operator) -> None:
    operator.screen.key("space")
    operator.sees("the frame of a frozen picture", lambda p: (p[1, 20:700] == (96, 200, 255)).all())


def box(operator, button: int = 1) -> None:
    operator.screen.drag(at(X - 3, Y - 3), at(X + 20, Y + 20), at(X + WIDTH + 3, Y + HEIGHT + 3), button=button)
    operator.sees("the outline", outline_drawn)


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
    picture_moves_on(operator)
    tinted(operator, 1, CENTRE)
    # What is marked once more, because its mask drifted or another side is seen, keeps its first reference.
    operator.screen.key("1")
    freeze(operator)
    box(operator)
    operator.screen.key("Return")
    operator.mask(2)
    assert operator.masks[1].mode == request.MODE_MORE
    wait_for(lambda: operator.tracker.tracker._objects.state.added.tolist() == [1], "its second view")


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
    picture_moves_on(operator)
    operator.screen.drag(at(fruit[0] - 28, fruit[1] - 28), at(fruit[0] + 28, fruit[1] + 28))
    operator.screen.key("Return")
    assert operator.mask(2)[fruit[1], fruit[0]] == 3
    wait_for(lambda: operator.tracker.tracker.ids == (1, 2, 3), "the third object")


def picture_moves_on(operator) -> None:
    operator.sees("the live picture", lambda p: not (p[1, 20:700] == (96, 200, 255)).all())


def row_is(operator, index: int, colour) -> None:
    """Wait until the panel has text of this colour in the row of an object, counted from 0."""
    top = 46 + 30 * index
    operator.sees(
        "the object's row", lambda p: (abs(p[top : top + 26, PANEL + 14 :] - np.array(colour)).max(2) < 40).sum() > 40
    )


@with_window
def test_an_object_that_is_lost_is_marked_again_with_two_clicks(operator):
    objects = operator.rig.collect(TrackedObjects, "fastgan_tracker/objects")
    freeze(operator)
    box(operator)
    operator.screen.key("Return")
    wait_for(lambda: operator.tracker.tracker.ids == (1,), "the object to be set")
    tinted(operator, 1, CENTRE)
    operator.tracker.set_parameters([Parameter("lost_threshold", value=1.0)])  # nothing is good enough any more
    wait_for(lambda: objects[-1].objects[0].state == TrackedObject.STATE_LOST, "the object to be lost")
    row_is(operator, 0, (255, 176, 64))
    operator.tracker.set_parameters([Parameter("lost_threshold", value=0.5)])
    operator.screen.drag((PANEL + 60, 58))
    operator.screen.drag(at(CENTRE[0] + 6, CENTRE[1] - 5))
    labels = operator.mask(2)
    assert set(np.unique(labels)) == {0, 1} and iou(labels == 1) > 0.9
    wait_for(lambda: objects[-1].objects[0].state == TrackedObject.STATE_TRACKED, "the object to be found")
    tinted(operator, 1, CENTRE)


@with_window
def test_remove_and_reset_and_a_refusal_are_said(operator):
    assert operator.rig.set_reference(np.pad(TRUTH[:, :160] * 3, ((0, 0), (0, 160))), FRAME).success
    wait_for(lambda: operator.tracker.tracker.ids == (3,), "the object")
    row_is(operator, 0, (160, 165, 172))
    operator.screen.key("d")
    wait_for(lambda: operator.tracker.tracker.ids == (), "the object to be removed")
    assert operator.rig.set_reference(TRUTH, FRAME).success
    operator.screen.key("r")
    assert operator.tracker.tracker.ids == (1,), "once is not enough"
    operator.screen.key("r")
    wait_for(lambda: operator.tracker.tracker.ids == (), "the objects to be forgotten")
    # Nothing marked: a warning, and no request.
    freeze(operator)
    operator.screen.key("Return")
    operator.sees("a warning", lambda p: (abs(p[604:630, :800] - (255, 176, 64)).max(2) < 30).sum() > 100)
    assert len(operator.masks) == 2, "those of the test alone"
    operator.screen.key("Escape")
    picture_moves_on(operator)


@with_window
def test_a_frame_that_the_node_no_longer_keeps_is_sent_along(operator):
    freeze(operator)
    box(operator)
    operator.tracker.worker.history.seconds = 0.1
    later = operator.camera.sent[-1]
    wait_for(lambda: operator.camera.sent[-1] > later + 3 * 10**8, "newer images")
    operator.screen.key("Return")
    labels = operator.mask(2)
    first, second = operator.masks
    assert not first.image.data and second.image.width == 320
    assert second.image.header.stamp == first.mask.header.stamp == second.mask.header.stamp
    assert iou(labels == 1) > 0.95
    wait_for(lambda: operator.tracker.tracker.ids == (1,), "the object to be set")


@with_window
def test_a_paused_node_is_said_and_the_window_closes_by_q(operator):
    assert operator.rig.pause(True).success
    operator.sees("a warning", lambda p: (abs(p[604:630, :800] - (255, 176, 64)).max(2) < 30).sum() > 100)
    operator.screen.key("q")
    assert operator.process.wait(TIMEOUT) == 0


@with_window
def test_arrow_keys_are_no_letters(operator):
    """The last byte of X11's code for Left is that of Q, for Up that of R."""
    assert operator.rig.set_reference(TRUTH, FRAME).success
    operator.screen.key("Up", "Up", "Left", "Down", "Right", "F5", "KP_Left")
    freeze(operator)  # so it is still there, and took the keys before
    assert operator.tracker.tracker.ids == (1,)
    box(operator)
    operator.screen.key("KP_Enter")
    assert operator.mask(2).any()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *((ord(c), c.lower()) for c in "qQzZ19 []"),
        *((code, "enter") for code in (10, 13, 0xFF0D, 0xFF8D, 0x10FF8D)),
        *((code, "escape") for code in (27, 0xFF1B)),
        *((code, "z") for code in (8, 0xFF08)),
        *((0xFFB0 + digit, str(digit)) for digit in range(10)),
        (0x100000 | ord("q"), "q"),  # NumLock is on, with GTK
        *((code, "") for code in (0xFF51, 0xFF52, 0xFF53, 0xFF54, 0xFFE1, 0xFFC2, 0x10FF51, 0x3B1)),
    ],
)
def test_codes_of_keys(code, name):
    assert key_name(code) == name


@with_window
def test_a_compressed_camera_without_tracker(rig, shown):
    """The topic is given; there is nobody to send to, and the image is seen all the same."""
    camera = rig.camera("image/compressed", compressed=True, reliable=False)
    camera.rgb = FRAME
    camera.stream(5.0)
    arguments = ["--node", "/nobody", "--image", f"{rig.namespace}/image/compressed"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgan_ros.operator.select_reference", *arguments], env=shown.environment
    )
    try:
        shown.find("select_reference")
        column, row = at(*CENTRE)

        def seen():
            pixel = shown.picture()[shown.at[1] + row, shown.at[0] + column].astype(int)
            return abs(pixel - FRAME[CENTRE[1], CENTRE[0]]).max() < 30

        wait_for(seen, "the image")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0


@pytest.mark.parametrize(
    ("display", "words"), [("", "DISPLAY is not set"), (":7654", "the screen :7654 (DISPLAY) cannot be reached")]
)
def test_without_a_screen_it_says_so(display, words):
    if not screen.has_windows():
        words = "built without windows"
    environment = screen.environment(DISPLAY=display)
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-m", "fastgan_ros.operator.select_reference"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--node", "/no such name"], ["--image", "a//b"], ["--ros-args", "-r", "a b"]])
@with_window
def test_names_and_arguments_that_ros_cannot_use_are_said(shown, arguments):
    command = [sys.executable, "-m", "fastgan_ros.operator.select_reference", *arguments]
    done = subprocess.run(command, env=shown.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "select_reference: " in done.stderr and "Traceback" not in done.stderr

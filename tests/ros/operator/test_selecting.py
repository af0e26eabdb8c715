"""The operator's mouse and keys without a window, with the real link and the real node."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import rclpy
from harness import nanoseconds, wait_for
from lifecycle_msgs.srv import GetState
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_core.labels import bounding_box
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracking.lite_network import LiteNetwork
from fastgan_core.tracking.network import Network
from fastgan_ros.messages.images import to_msg
from fastgan_ros.node.references import References
from fastgan_ros.operator import tracker_link
from fastgan_ros.operator.selecting import Selecting
from fastgan_ros.operator.tracker_link import Question, TrackerLink

FRAME, TRUTH = Scene(320, 240)[0]
X, Y, WIDTH, HEIGHT = bounding_box(TRUTH > 0)
BALL = 265, 170  # another thing of the scene


class Operator:
    """Marks and presses keys; `masks` are the requests that the node got."""

    def __init__(self, rig, monkeypatch, **settings):
        self.tracker, self.camera = rig.tracker(**settings), rig.camera()
        self.camera.rgb = FRAME
        self.camera.stream(10.0)
        self.masks: list = []
        self.hold = lambda: None  # runs before the node looks at a mask
        real = References.by_mask

        def by_mask(references, worker, request, response):
            self.masks.append(request)
            self.hold()
            return real(references, worker, request, response)

        monkeypatch.setattr(References, "by_mask", by_mask)
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.link = TrackerLink(f"{rig.namespace}/fastgan_tracker", context=self.context)
        self.pool = ThreadPoolExecutor(1)
        self.at_work = Selecting(self.link, self.pool)
        self.until(lambda shown: shown.labels is not None, "the live image with its mask")

    def end(self) -> None:
        self.camera.stop()
        self.pool.shutdown()
        self.link.close()
        self.link.destroy_node()
        rclpy.shutdown(context=self.context)

    def until(self, condition, what: str):
        """Let time go by until what is shown meets a condition; returns it."""

        def met():
            self.at_work.tick()
            shown = self.at_work.shown()
            self.at_work.view.draw(shown)
            return condition(shown) and shown

        return wait_for(met, what)

    def drag(self, left, top, right, bottom) -> None:
        """A drag of the left button, from one place of the image to another."""
        scale = self.at_work.view.scale
        self.at_work.press(round(left * scale), round(top * scale), beside=False)
        self.at_work.move(round(right * scale), round(bottom * scale))
        self.at_work.release()

    def pick(self, number: int) -> None:
        """Click on the name of an object."""
        height, width = self.at_work.view.draw(self.at_work.shown()).shape[:2]
        row = next(row for row in range(height) if self.at_work.view.object_at(width - 100, row) == number)
        self.at_work.press(width - 100, row, beside=False)
        self.at_work.release()

    def box(self) -> None:
        """Mark the object and wait for its outline."""
        self.drag(X - 3, Y - 3, X + WIDTH + 3, Y + HEIGHT + 3)
        self.outlined()

    def follow(self) -> None:
        """Mark the object, send it, and wait until the node tracks it as 1."""
        self.box()
        self.at_work.key("enter")
        self.tracks(1)

    def mark_again(self) -> None:
        """Mark object 1 once more and send it."""
        self.at_work.key("1")
        self.box()
        self.at_work.key("enter")

    def anew(self) -> None:
        """Wait until the object that was marked again as another view has been set as a new one."""
        assert self.ids(3) == {1}
        assert [m.mode for m in self.masks] == [1, 2, 1]
        self.until(lambda shown: "Set object 1" in shown.status and not shown.warning, "the answer")

    def ball(self) -> None:
        """Mark the other object and wait for its outline."""
        self.drag(BALL[0] - 28, BALL[1] - 28, BALL[0] + 28, BALL[1] + 28)
        self.outlined()

    def outlined(self) -> None:
        self.until(lambda shown: "is outlined" in shown.status, "the outline")

    def ids(self, count: int = 1) -> set[int]:
        """The ids in the latest mask that the node got, once there are `count` masks."""
        self.until(lambda _: len(self.masks) >= count, f"mask {count}")
        mask = self.masks[-1].mask
        kind = np.uint16 if mask.encoding == "mono16" else np.uint8
        return set(np.frombuffer(mask.data, kind).tolist()) - {0}

    def tracks(self, *ids: int) -> None:
        """Wait until the window knows that the node tracks these."""
        self.until(lambda _: tuple(seen.number for seen in self.link.objects()) == ids, f"objects {ids}")


@pytest.fixture
def operator(rig, monkeypatch):
    """Starts one with the settings of its tracker."""
    made = []

    def start(**settings):
        made.append(Operator(rig, monkeypatch, **settings))
        return made[-1]

    yield start
    for one in made:
        one.end()


def test_an_object_whose_id_has_two_bytes_is_marked_again(rig, operator):
    works = operator(mask_encoding="mono16")
    assert rig.set_reference((TRUTH > 0).astype(np.uint16) * 300, FRAME).success
    works.tracks(300)
    works.pick(300)
    works.box()
    works.at_work.key("enter")
    assert works.ids(2) == {300} and works.masks[-1].mask.encoding == "mono16"
    works.until(lambda shown: "Another view of object 300" in shown.status, "the answer")
    assert works.tracker.tracker.ids == (300,)


def test_one_that_is_tracked_and_a_new_one_are_sent_one_after_the_other(operator):
    works = operator()
    works.follow()
    works.at_work.key("1")
    works.box()
    works.at_work.key("n")
    works.ball()
    works.at_work.key("enter")
    assert works.ids(3) == {1}
    assert [(m.mode, max(m.mask.data)) for m in works.masks] == [(1, 1), (1, 2), (2, 1)]
    works.until(lambda shown: "Another view of object 1" in shown.status, "the answer")
    assert "Set object 2" in works.at_work.shown().status


def test_a_network_of_one_view_gets_a_new_reference(operator, monkeypatch):
    works = operator()
    works.follow()
    monkeypatch.setattr(LiteNetwork, "add_view", Network.add_view)
    works.mark_again()
    works.anew()


def test_what_the_tracker_has_forgotten_meanwhile_is_marked_anew(rig, operator):
    works = operator()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    works.follow()
    works.camera.stop()  # nobody says that the object is gone: with the mask of a later image the node would
    last = works.camera.sent[-1]
    wait_for(lambda: any(nanoseconds(mask.header.stamp) == last for mask in masks), "the last image's mask")
    assert rig.reset().success
    works.mark_again()
    works.anew()


def test_object_255_is_not_marked_but_removed(rig, operator):
    works = operator()
    both = (TRUTH > 0).astype(np.uint8) * 255
    both[:4, :4] = 9
    assert rig.set_reference(both, FRAME).success
    works.tracks(9, 255)
    works.at_work.key("9")
    works.at_work.key(" ")
    works.pick(255)
    shown = works.at_work.shown()
    assert "Object 255 cannot be marked here" in shown.status and shown.warning
    assert shown.current == 9, "the picture stays frozen for the object before"
    works.at_work.key("escape")
    works.pick(255)
    works.at_work.key(" ")
    shown = works.at_work.shown()
    assert "Object 255 cannot be marked here" in shown.status and shown.warning and shown.selection is None
    works.at_work.key("d")
    works.tracks(9)


def test_a_refusal_that_is_not_about_the_stamp_is_shown_as_it_is(operator):
    works = operator(max_objects=1)
    works.box()
    works.at_work.key("n")
    works.ball()
    works.at_work.key("enter")
    shown = works.until(lambda shown: shown.warning, "the refusal")
    assert "max_objects" in shown.status and "sent along" not in shown.status
    assert shown.selection is not None, "what is marked stays"
    works.until(lambda shown: not shown.busy, "the end of the request")
    assert len(works.masks) == 1 and not works.masks[0].image.data


def test_a_stamp_that_is_refused_is_sent_again_with_the_frame(operator):
    works = operator(history_seconds=60.0)
    works.box()
    works.tracker.worker.history.seconds = 0.1  # the window still believes in a minute
    later = works.camera.sent[-1]
    wait_for(lambda: works.camera.sent[-1] > later + 3 * 10**8, "newer images")
    works.at_work.key("enter")
    assert works.ids(2) == {1}
    assert not works.masks[0].image.data and works.masks[1].image.width == 320
    works.until(lambda shown: "sent along" in shown.status, "the answer")


def sent_along_at_once(works) -> None:
    works.box()
    count = len(works.camera.sent)
    wait_for(lambda: len(works.camera.sent) > count + 9, "newer images")
    works.until(lambda shown: True, "the newest of them to be seen")
    works.at_work.key("enter")
    works.until(lambda shown: "sent along" in shown.status, "the answer")
    (request,) = works.masks
    assert request.image.width == 320 and request.image.header.stamp == request.mask.header.stamp
    assert works.tracker.tracker.ids == (1,)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_the_frame_is_sent_along_where_it_is_not_kept(operator, seconds):
    works = operator(history_seconds=seconds)
    works.until(lambda shown: shown.kept is not None, "the tracker's history_seconds")
    sent_along_at_once(works)


def test_the_frame_is_sent_along_where_images_have_no_stamps(operator):
    works = operator()
    works.camera.message = lambda: to_msg(FRAME, "rgb8", Header())
    works.until(lambda _: works.link.pictures.live().header.stamp == Header().stamp, "images without stamps")
    works.until(lambda shown: True, "one of them to be shown")
    sent_along_at_once(works)


def test_an_object_that_is_on_its_way_has_its_id(operator):
    works, go_on = operator(), threading.Event()
    works.hold = lambda: go_on.wait(60)
    works.box()
    works.at_work.key("enter")
    assert works.ids() == {1}
    works.at_work.key("escape")
    works.at_work.key(" ")
    works.ball()
    assert works.at_work.shown().current == 2, "the tracker has not answered for 1 yet"
    go_on.set()
    works.tracks(1)
    works.until(lambda shown: not shown.busy, "the answer")
    works.at_work.key("enter")
    works.tracks(1, 2)


def test_an_id_that_was_refused_is_free_again(operator):
    works = operator(max_objects=1)
    works.box()
    works.at_work.key("n")
    works.ball()
    works.at_work.key("enter")
    works.until(lambda shown: shown.warning, "the refusal")
    works.at_work.key("escape")
    works.at_work.key(" ")
    assert works.at_work.shown().current == 1


def test_a_click_that_finds_nothing_says_so_each_time(operator):
    works = operator()
    works.camera.rgb = np.full_like(FRAME, 90)
    works.until(lambda shown: (shown.frame == 90).all(), "an image with nothing in it")
    for _ in range(2):
        works.drag(100, 100, 100, 100)
        shown = works.until(lambda shown: "stands out" in shown.status, "what is wrong")
        assert shown.warning and not shown.selection.numbers
        works.at_work.key("z")
        assert "nothing to undo" in works.at_work.shown().status


def test_what_an_inactive_tracker_had_is_no_longer_shown(rig, operator):
    works = operator(history_seconds=7.0)
    works.until(lambda shown: shown.kept == 7.0, "the tracker's history_seconds")
    works.link.history = None  # as if that answer had been lost
    works.until(lambda shown: shown.kept == 7.0, "the tracker's history_seconds once more")
    assert rig.set_reference(TRUTH, FRAME).success
    works.tracks(1)
    assert rig.transition("deactivate")
    works.tracks()
    assert works.at_work.shown().kept is None, "it may be configured anew before it is active"
    assert rig.transition("activate")
    works.until(lambda shown: shown.kept == 7.0, "history_seconds after the activation")
    assert rig.set_reference(TRUTH, FRAME).success
    works.tracks(1)
    rig.end(works.__dict__.pop("tracker"))
    gc.collect()  # its services leave the network with the node itself
    works.tracks()


def test_a_question_whose_answer_is_lost_is_asked_again(rig, monkeypatch):
    monkeypatch.setattr(tracker_link, "ANSWER", 0.5)
    asked: list = []

    def answer(request, response):
        asked.append(request)
        return response

    rig.node.create_service(GetState, "state", answer)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("asks", context=context, namespace=rig.namespace)  # does not spin: no answer arrives
    question = Question(node.create_client(GetState, "state"))
    wait_for(lambda: question.possible, "the service")
    question.ask(GetState.Request())
    wait_for(lambda: asked, "the question")
    question.ask(GetState.Request())
    assert question.answer() is None
    time.sleep(0.6)
    assert len(asked) == 1, "one at a time"
    question.ask(GetState.Request())
    wait_for(lambda: len(asked) == 2, "the question once more")
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def answered():
        executor.spin_once(timeout_sec=0.1)
        return question.answer()

    assert isinstance(wait_for(answered, "the answer"), GetState.Response)
    assert question.answer() is None, "once"
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_keys_act_where_they_are_listed(rig, operator):
    works = operator()
    assert rig.set_reference(TRUTH, FRAME).success
    works.tracks(1)
    works.at_work.key(" ")
    works.ball()
    for key in "rru":
        works.at_work.key(key)
    shown = works.at_work.shown()
    assert not shown.busy and shown.selection.numbers == [2], "no reset, no undo"
    works.at_work.key("z")
    assert not works.at_work.shown().selection.numbers
    works.at_work.key("escape")
    works.at_work.key("r")
    assert "once more" in works.at_work.shown().status
    works.at_work.key("r")
    works.tracks()

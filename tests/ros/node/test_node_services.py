"""Every service, good and bad: each request gets an answer, a refused one leaves the tracks as they were."""

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import harness
from builtin_interfaces.msg import Time
from harness import labels, mask_msg, nanoseconds, picture, wait_for
from std_msgs.msg import Header

from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.messages.images import to_msg


@pytest.fixture(scope="module")
def stand(weights):
    """One node for all tests here, with max_objects 4."""
    with harness.Rig(weights) as rig:
        yield rig, rig.tracker(max_objects=4)


@pytest.fixture
def tracking(stand):
    """The node with objects 1 and 2 set."""
    rig, tracker = stand
    assert rig.set_reference(labels(ids=(1, 2)), picture()).success
    yield rig, tracker
    assert rig.pause(False).success


def ids(tracker) -> tuple:
    return tuple(tracker.tracker.ids)


def float_mask():
    message = mask_msg(labels())
    message.encoding, message.step = "32FC1", 64 * 4
    message.data = array.array("B", bytes(48 * 64 * 4))
    return message


def short_mask():
    message = mask_msg(labels())
    message.data = message.data[:100]
    return message


BAD_MASKS = {
    "other size": (mask_msg(labels(40, 60)), "40"),
    "empty": (mask_msg(np.zeros((48, 64), np.uint8)), ""),
    "too many ids": (mask_msg(labels(ids=(1, 2, 3, 4, 5))), "4"),
    "three channels": (to_msg(picture(), "rgb8", Header()), "rgb8"),
    "float": (float_mask(), "32FC1"),
    "wrong length": (short_mask(), "100"),
    "id too large for mono8": (mask_msg(labels(ids=(300,), dtype=np.uint16)), "mono16"),
    "no mask at all": (SetReferenceMask.Request().mask, ""),
}


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("kind", BAD_MASKS)
def test_a_bad_mask_is_refused_in_words(tracking, kind, mode):
    rig, tracker = tracking
    mask, word = BAD_MASKS[kind]
    epoch = tracker.tracker.epoch
    answer = rig.set_reference(mask, picture(), mode)
    assert not answer.success
    assert word in answer.message and len(answer.message) > 20 and "Internal" not in answer.message
    assert not answer.ids and nanoseconds(answer.stamp) == 0
    assert ids(tracker) == (1, 2) and tracker.tracker.epoch == epoch


def test_a_bad_attached_image_is_refused_in_words(tracking):
    rig, tracker = tracking
    image = to_msg(picture(), "rgb8", Header())
    image.encoding = "no_such_encoding"
    assert "no_such_encoding" in rig.set_reference(labels(), image).message
    image = to_msg(picture(), "rgb8", Header())
    image.data = array.array("B")
    answer = rig.set_reference(labels(), image)
    assert not answer.success and "0 bytes" in answer.message
    assert ids(tracker) == (1, 2)


def test_an_unknown_mode_is_refused(tracking):
    rig, tracker = tracking
    answer = rig.set_reference(labels(ids=(3,)), picture(), mode=7)
    assert not answer.success and "7" in answer.message and "0 (replace" in answer.message
    assert ids(tracker) == (1, 2)


def test_replace_and_add(tracking):
    rig, tracker = tracking
    image = to_msg(picture(), "rgb8", Header(stamp=Time(sec=12, nanosec=34)))
    answer = rig.set_reference(labels(ids=(5,)), image, mode=1)
    assert answer.success and list(answer.ids) == [5]
    assert (answer.stamp.sec, answer.stamp.nanosec) == (12, 34)
    assert ids(tracker) == (1, 2, 5)
    answer = rig.set_reference(labels(ids=(8, 9)), image, mode=0)
    assert answer.success and list(answer.ids) == [8, 9]
    assert ids(tracker) == (8, 9)


def test_a_black_and_white_mask_is_one_object_with_the_lowest_free_id(tracking):
    rig, tracker = tracking
    answer = rig.set_reference(labels(ids=(255,)), picture(), mode=1)
    assert answer.success and list(answer.ids) == [3]
    assert ids(tracker) == (1, 2, 3)
    answer = rig.set_reference(labels(ids=(255,)), picture(), mode=0)
    assert answer.success and list(answer.ids) == [1]
    assert ids(tracker) == (1,)


def test_more_adds_a_view_of_what_is_tracked(tracking):
    rig, tracker = tracking
    epoch = tracker.tracker.epoch
    answer = rig.set_reference(labels(ids=(2,)), picture(), mode=2)
    assert answer.success and list(answer.ids) == [2], answer.message
    assert "Another view of object 2" in answer.message
    assert set(ids(tracker)) == {1, 2} and tracker.tracker.epoch == epoch + 1
    views = (tracker.tracker._objects.state.absent == 0).sum(dim=1).tolist()
    assert dict(zip(ids(tracker), views, strict=True))[2] == 2


def test_more_of_what_is_not_tracked_or_not_named_is_refused(tracking):
    rig, tracker = tracking
    epoch = tracker.tracker.epoch
    for mask, words in ((labels(ids=(3,)), "[3] are not tracked"), (labels(ids=(255,)), "Which object is it?")):
        answer = rig.set_reference(mask, picture(), mode=2)
        assert not answer.success and words in answer.message
    assert tracker.tracker.epoch == epoch
    assert rig.remove(1).success
    answer = rig.set_reference(labels(ids=(255,)), picture(), mode=2)
    assert answer.success and list(answer.ids) == [2], "black and white is the only object that there is"


def test_remove(tracking):
    rig, tracker = tracking
    answer = rig.remove(2)
    assert answer.success and list(answer.remaining) == [1]
    answer = rig.remove(1, 9)
    assert not answer.success and "9" in answer.message
    assert list(answer.remaining) == [1] and ids(tracker) == (1,)
    answer = rig.remove()
    assert not answer.success and "1" in answer.message
    answer = rig.remove(1)
    assert answer.success and list(answer.remaining) == [] and ids(tracker) == ()
    assert not rig.remove(1).success


def test_reset(tracking):
    rig, tracker = tracking
    answer = rig.reset()
    assert answer.success and ids(tracker) == ()
    assert rig.reset().success


def test_before_any_image_a_mask_alone_is_refused(rig):
    tracker = rig.tracker()
    answer = rig.set_reference(labels())
    assert not answer.success and f"{rig.namespace}/image" in answer.message
    camera = rig.camera()
    rig.ready(tracker, camera)
    # An image has come, but not one that can be used.
    message = camera.message()
    message.encoding = "no_such_encoding"
    camera.send(message)
    wait_for(lambda: tracker.tally["unusable"] == 1, "the bad image")
    answer = rig.set_reference(labels())
    assert not answer.success and "no_such_encoding" in answer.message
    # A good one, then a bad one: the good one is still there to use.
    stamp = camera.send()
    wait_for(lambda: tracker.tally["published"] == 1, "the good image")
    camera.send(message)
    wait_for(lambda: tracker.tally["unusable"] == 2, "the bad image")
    answer = rig.set_reference(labels())
    assert answer.success and nanoseconds(answer.stamp) == stamp


def test_a_mask_alone_is_set_on_the_newest_frame(rig):
    tracker = rig.tracker()
    camera = rig.camera()
    rig.ready(tracker, camera)
    first, second = camera.message(), camera.message()
    camera.send(first)
    wait_for(lambda: tracker.tally["published"] == 1, "the first image")
    camera.send(second)
    wait_for(lambda: tracker.tally["published"] == 2, "the second image")
    answer = rig.set_reference(mask_msg(labels(), second.header.stamp))
    assert answer.success and answer.stamp == second.header.stamp
    assert answer.frames_run == 0
    answer = rig.set_reference(labels())
    assert answer.success and answer.stamp == second.header.stamp and "newest" in answer.message
    # The camera's picture is 48 x 64: a mask that does not fit is refused here too.
    answer = rig.set_reference(labels(40, 60))
    assert not answer.success and tuple(tracker.tracker.ids) == (1,)


def test_while_paused_a_mask_is_set_and_tracked_after_resuming(rig):
    tracker = rig.tracker()
    camera = rig.camera()
    rig.ready(tracker, camera)
    assert rig.pause(True).success
    stamp = camera.send()
    wait_for(lambda: tracker.tally["paused"] == 1, "the image")
    answer = rig.set_reference(labels())
    assert answer.success and nanoseconds(answer.stamp) == stamp
    assert "paused" in answer.message and "set_paused" in answer.message
    assert rig.remove(1).success and rig.reset().success


def test_an_internal_error_is_an_answer_too(rig, monkeypatch):
    tracker = rig.tracker()

    def fail(*_):
        raise RuntimeError("device fell over")

    monkeypatch.setattr(tracker.tracker, "set_reference", fail)
    answer = rig.set_reference(labels(), picture())
    assert not answer.success and "device fell over" in answer.message
    monkeypatch.undo()
    assert rig.set_reference(labels(), picture()).success


def test_while_not_active_every_service_says_what_to_do(rig):
    rig.tracker(autostart=False)
    for state in ("unconfigured", "inactive", "finalized"):
        if state == "inactive":
            assert rig.transition("configure")
        if state == "finalized":
            assert rig.transition("shutdown")
        answers = [rig.set_reference(labels(), picture()), rig.remove(1), rig.reset(), rig.pause(True)]
        for answer in answers:
            assert not answer.success and state in answer.message
            assert ("start it again" if state == "finalized" else "ros2 lifecycle set") in answer.message

"""~/set_reference_box: a box in, an outline found and set; refused in words, and never in the way of the masks."""

import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from builtin_interfaces.msg import Time
from harness import labels, nanoseconds, picture, wait_for
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from fastgan_core.scenes.scene import Scene
from fastgan_interfaces.srv import SetReferenceBox
from fastgan_ros.messages.images import to_labels, to_msg
from fastgan_ros.node import references

BOX = (12, 8, 24, 20)  # around the bright box of picture()


def request(box=BOX, image=None, stamp=None, **fields) -> SetReferenceBox.Request:
    x, y, width, height = box
    made = SetReferenceBox.Request(**fields)
    made.box = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
    if stamp is not None:
        made.header.stamp = stamp
    if image is not None:
        made.image = image if isinstance(image, Image) else to_msg(image, "rgb8", Header(stamp=Time(sec=7)))
    return made


def by_box(rig, *arguments, **fields):
    return rig.call(SetReferenceBox, "set_reference_box", request(*arguments, **fields))


def truth() -> np.ndarray:
    return (picture()[..., 0] > 100).astype(np.uint8)


def test_the_outline_in_the_box_is_set_and_answered(rig):
    tracker = rig.tracker()
    answer = by_box(rig, BOX, picture(), id=9)
    assert answer.success, answer.message
    assert answer.id == 9 and tracker.tracker.ids == (9,)
    assert answer.mask.encoding == "mono8"
    assert (to_labels(answer.mask) == 9 * truth()).all()
    assert answer.stamp == answer.mask.header.stamp == Time(sec=7)


def test_the_outline_on_the_drawn_scene(rig):
    rig.tracker()
    frame, mask = Scene(320, 240)[0]
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()) - 6, int(rows.min()) - 6
    answer = by_box(rig, (x, y, int(columns.max()) - x + 6, int(rows.max()) - y + 6), frame)
    found = to_labels(answer.mask) > 0
    assert (found & (mask > 0)).sum() / (found | (mask > 0)).sum() > 0.95


def test_ids_replace_and_add(rig):
    tracker = rig.tracker(mask_encoding="mono16")
    assert rig.set_reference(labels(ids=(2, 3)), picture()).success
    assert by_box(rig, BOX, picture(), mode=1).id == 1
    assert by_box(rig, BOX, picture(), mode=1).id == 4
    assert tracker.tracker.ids == (2, 3, 1, 4)
    # 255 is an id like any other here, and so is what only mono16 can show.
    assert by_box(rig, BOX, picture(), mode=1, id=255).id == 255
    answer = by_box(rig, BOX, picture(), mode=1, id=300)
    assert answer.id == 300 and answer.mask.encoding == "mono16" and to_labels(answer.mask).max() == 300
    assert by_box(rig, BOX, picture(), mode=0).id == 1
    assert tracker.tracker.ids == (1,)


def test_without_an_image_the_box_is_on_a_frame_of_the_camera(rig):
    tracker = rig.tracker()
    answer = by_box(rig, BOX)
    assert not answer.success and f"{rig.namespace}/image" in answer.message
    camera = rig.camera()
    rig.ready(tracker, camera)
    stamp = camera.send()
    wait_for(lambda: tracker.tally["published"] == 1, "the image")
    answer = by_box(rig, BOX, stamp=Time(sec=stamp // 10**9, nanosec=stamp % 10**9))
    assert answer.success and nanoseconds(answer.stamp) == stamp, answer.message
    assert nanoseconds(answer.mask.header.stamp) == stamp and answer.mask.header.frame_id == "camera_optical"


BAD = {
    "outside": (dict(box=(500, 8, 24, 20)), "outside of the image of 64x48"),
    "too small": (dict(box=(12, 8, 3, 20)), "too small"),
    "none": (dict(box=(0, 0, 0, 0)), "too small"),
    "whole image": (dict(box=(0, 0, 64, 48)), "whole image"),
    "mode": (dict(mode=7), "0 (replace"),
    "id for mono16": (dict(id=300), "mono16"),
    "too many": (dict(mode=1, id=9), "max_objects"),
}


@pytest.fixture(scope="module")
def full(weights):
    """A node that has all the objects it may have, for all refusals here."""
    from harness import Rig

    with Rig(weights) as rig:
        tracker = rig.tracker(max_objects=2)
        assert rig.set_reference(labels(ids=(1, 2)), picture()).success
        yield rig, tracker


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_is_refused_in_words(full, kind):
    rig, tracker = full
    fields, words = BAD[kind]
    epoch = tracker.tracker.epoch
    answer = by_box(rig, **{"image": picture(), **fields})
    assert not answer.success and words in answer.message and "Internal" not in answer.message
    assert answer.id == 0 and nanoseconds(answer.stamp) == 0 and not answer.mask.data
    assert tracker.tracker.ids == (1, 2) and tracker.tracker.epoch == epoch


def test_masks_go_on_while_the_outline_is_looked_for(rig, monkeypatch):
    tracker, camera = rig.tracker(), rig.camera()
    rig.ready(tracker, camera)
    looking, go_on = threading.Event(), threading.Event()
    real = references.outline

    def held(*arguments):
        looking.set()
        assert go_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(references, "outline", held)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(by_box(rig, BOX, picture())))
    asking.start()
    assert looking.wait(60)
    for n in range(1, 4):
        camera.send()
        wait_for(lambda n=n: tracker.tally["published"] == n, "a mask while GrabCut runs")
    go_on.set()
    asking.join()
    assert answers[0].success and tracker.tracker.ids == (1,)


def test_a_node_that_is_not_active_says_what_to_do(rig):
    rig.tracker(autostart=False)
    answer = by_box(rig, BOX, picture())
    assert not answer.success and "unconfigured" in answer.message and "ros2 lifecycle set" in answer.message

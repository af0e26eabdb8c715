"""Masks that name a frame of the past: they are set there and brought to the present."""

import statistics
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from builtin_interfaces.msg import Time
from harness import labels, mask_msg, nanoseconds, picture, wait_for
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.scenes.scene import Scene
from fastgan_interfaces.srv import SetReferenceBox
from fastgan_ros.messages.images import to_labels, to_msg
from fastgan_ros.node import references


def to_time(stamp: int) -> Time:
    return Time(sec=stamp // 10**9, nanosec=stamp % 10**9)


def play(tracker, camera, count: int) -> list[int]:
    """Send `count` images whose stamps are a tenth of a second apart, without the wait; returns the stamps."""
    for _ in range(count):
        message = camera.message()
        if camera.sent:
            message.header.stamp = to_time(camera.sent[-1] + 10**8)
        stamp = camera.send(message)
        wait_for(lambda stamp=stamp: tracker.worker.history.after(stamp - 1), "the image to be kept")
    return camera.sent[-count:]


@pytest.fixture
def playing(rig):
    """A tracker that has seen 20 images and takes its time; yields rig, tracker, camera and their stamps."""
    tracker, camera = rig.tracker(catch_up_budget=60.0), rig.camera()
    rig.ready(tracker, camera)
    return rig, tracker, camera, play(tracker, camera, 20)


def test_a_mask_of_the_past_runs_through_the_frames_since(playing):
    rig, tracker, _, stamps = playing
    answer = rig.set_reference(mask_msg(labels(), to_time(stamps[4])))
    assert answer.success, answer.message
    assert (answer.frames_run, answer.frames_skipped) == (15, 0)
    assert nanoseconds(answer.stamp) == stamps[4]
    assert answer.delay.sec * 10**9 + answer.delay.nanosec == stamps[-1] - stamps[4]
    assert "15 frames since then were run through" in answer.message
    assert tracker.tracker.ids == (1,)


def test_an_attached_image_of_the_past_does_so_too(playing):
    rig, _, camera, stamps = playing
    image = camera.message()
    image.header.stamp = to_time(stamps[10])
    assert rig.set_reference(labels(), image).frames_run == 9


def test_a_box_of_the_past_does_so_too(playing):
    rig, _, _, stamps = playing
    request = SetReferenceBox.Request(box=RegionOfInterest(x_offset=12, y_offset=8, width=24, height=20))
    request.header.stamp = to_time(stamps[10])
    answer = rig.call(SetReferenceBox, "set_reference_box", request)
    assert answer.success and answer.frames_run == 9, answer.message
    assert nanoseconds(answer.mask.header.stamp) == stamps[10]


def test_a_slow_device_leaves_frames_out_and_says_so(rig):
    tracker, camera = rig.tracker(catch_up_budget=0.1), rig.camera()
    rig.ready(tracker, camera)
    stamps = play(tracker, camera, 60)
    step = type(tracker.tracker).step

    def slow(frame):
        time.sleep(0.02)
        return step(branched, frame)

    branched = tracker.tracker.branch()
    branched.step = slow
    tracker.tracker.branch = lambda _: branched
    answer = rig.set_reference(mask_msg(labels(), to_time(stamps[0])))
    assert answer.success and answer.frames_run + answer.frames_skipped == 59
    assert answer.frames_skipped > 30 and "left out" in answer.message


def test_more_objects_than_allowed_are_refused_before_the_way_to_the_present(rig, monkeypatch):
    tracker, camera = rig.tracker(max_objects=1), rig.camera()
    rig.ready(tracker, camera)
    stamps = play(tracker, camera, 5)
    assert rig.set_reference(labels()).success
    monkeypatch.setattr(references, "catch_up", None)
    answer = rig.set_reference(mask_msg(labels(ids=(2,)), to_time(stamps[1])), mode=1)
    assert not answer.success and "2 objects are more than the 1 allowed" in answer.message
    assert tracker.tracker.ids == (1,)


def test_a_box_beyond_a_kept_frame_is_named_in_the_cameras_pixels(playing):
    rig, _, _, stamps = playing
    request = SetReferenceBox.Request(box=RegionOfInterest(x_offset=5000, y_offset=8, width=24, height=20))
    request.header.stamp = to_time(stamps[10])
    answer = rig.call(SetReferenceBox, "set_reference_box", request)
    height, width = picture().shape[:2]
    assert not answer.success and "5000" in answer.message and f"{width}x{height}" in answer.message, answer.message


def test_a_stamp_before_the_history_is_told_its_range(rig):
    tracker, camera = rig.tracker(history_seconds=0.2), rig.camera()
    rig.ready(tracker, camera)
    first, *_, last = play(tracker, camera, 5)
    answer = rig.set_reference(mask_msg(labels(), to_time(first)))
    assert not answer.success and not answer.ids
    assert "is older than all" in answer.message and f"{last // 10**9}.{last % 10**9:09d}" in answer.message
    assert tracker.tracker.ids == ()


def test_objects_that_are_added_late_leave_the_others_alone(playing):
    rig, tracker, camera, stamps = playing
    assert rig.set_reference(labels(ids=(1, 2)), picture()).success
    stamps += play(tracker, camera, 5)
    masks = rig.collect(Image, "fastgan_tracker/mask")
    answer = rig.set_reference(mask_msg(labels(ids=(2, 3)), to_time(stamps[8])), mode=1)
    assert answer.success and list(answer.ids) == [2, 3], answer.message
    assert tracker.tracker.ids == (1, 2, 3)
    (after,) = play(tracker, camera, 1)
    wait_for(lambda: after in [nanoseconds(m.header.stamp) for m in masks], "a mask of the frame after")


def test_a_view_that_comes_late_is_added_to_what_is_known_of_its_object(playing):
    rig, tracker, camera, stamps = playing
    assert rig.set_reference(labels(ids=(1, 2)), picture()).success
    first = tracker.tracker._objects.state.values[1, 0].clone()
    stamps += play(tracker, camera, 5)
    answer = rig.set_reference(mask_msg(labels(ids=(3,)), to_time(stamps[8])), mode=2)
    assert not answer.success and "[3] are not tracked" in answer.message and "[1, 2]" in answer.message
    answer = rig.set_reference(mask_msg(labels(ids=(2,)), to_time(stamps[8])), mode=2)
    assert answer.success and list(answer.ids) == [2] and answer.frames_run == 16, answer.message
    assert tracker.tracker.ids == (1, 2)
    objects = tracker.tracker._objects
    assert objects.state.added.tolist() == [0, 1]
    assert bool((objects.state.values[1, 0] == first).all())


def test_masks_of_the_former_objects_go_on_and_frames_are_kept_meanwhile(playing, monkeypatch):
    rig, tracker, camera, stamps = playing
    assert rig.set_reference(labels(ids=(1, 2)), picture()).success
    looking, go_on = threading.Event(), threading.Event()
    real = references.catch_up

    def held(*arguments):
        looking.set()
        assert go_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(references, "catch_up", held)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(rig.set_reference(mask_msg(labels(), to_time(stamps[5])))))
    asking.start()
    assert looking.wait(60)
    before = tracker.tally["published"]
    play(tracker, camera, 6)
    wait_for(lambda: tracker.tally["published"] > before, "masks while the late one is caught up")
    assert tracker.tracker.ids == (1, 2)
    go_on.set()
    asking.join()
    assert answers[0].success and answers[0].frames_run + answers[0].frames_skipped == 14 + 6, answers[0].message
    assert tracker.tracker.ids == (1,)


def test_a_reset_meanwhile_stands(playing, monkeypatch):
    rig, tracker, _, stamps = playing
    real = references.catch_up

    def reset_first(*arguments):
        tracker.tracker.reset()
        return real(*arguments)

    monkeypatch.setattr(references, "catch_up", reset_first)
    answer = rig.set_reference(mask_msg(labels(), to_time(stamps[5])))
    assert not answer.success and "another request" in answer.message
    assert tracker.tracker.ids == ()


def test_after_a_bag_began_again_the_old_frames_are_gone(playing):
    rig, tracker, camera, stamps = playing
    message = camera.message()
    message.header = Header(stamp=to_time(stamps[0] - 10**9), frame_id="camera")
    before = tracker.tally["received"]
    camera.send(message)
    wait_for(lambda: tracker.tally["received"] > before, "the image")
    wait_for(lambda: not rig.set_reference(mask_msg(labels(), to_time(stamps[10]))).success, "a refusal")


SCENE = Scene(320, 240, length=120)  # as a camera of 6 Hz sees it
START, JUDGED = 8, range(27, 34)  # frames in which the object is in full view


def rehearse(rig, camera, masks, late: int, image: bool = False):
    """Mark the object of frame START when `late` more have come; the answer, and the mean IoU of the frames judged."""
    assert rig.reset().success
    begin = camera.sent[-1] if camera.sent else time.time_ns()
    stamps, ious = {}, []
    for index in range(START - 3, JUDGED.stop):
        frame, truth = SCENE[index]
        stamps[index] = begin + index * 10**9 // 6
        camera.send(to_msg(frame, "rgb8", Header(stamp=to_time(stamps[index]), frame_id="camera")))
        mask = wait_for(lambda stamp=stamps[index]: masks.pop(stamp, None), "the mask of the frame")
        if index == START + late:
            marked, mask_of_it = SCENE[START]
            answer = rig.set_reference(mask_msg(mask_of_it, to_time(stamps[START])), marked if image else None)
            assert answer.success, answer.message
        if index in JUDGED:
            ious.append(region_similarity(truth > 0, to_labels(mask) > 0))
    return answer, statistics.mean(ious)


def test_on_a_moving_scene_a_late_mask_is_as_good_as_one_on_time(rig):
    """Real weights, and the frames of three seconds that are run through: none is left out."""
    tracker, camera = rig.tracker(weights="", input_size=192, catch_up_budget=60.0), rig.camera()
    masks = {}
    rig.node.create_subscription(
        Image, "fastgan_tracker/mask", lambda m: masks.update({nanoseconds(m.header.stamp): m}), 10
    )
    rig.ready(tracker, camera, tracker.outputs.mask)
    _, on_time = rehearse(rig, camera, masks, 0, image=True)
    assert on_time > 0.7, "the scene is too hard for this test"
    for late in (0, 18):
        answer, iou = rehearse(rig, camera, masks, late)
        assert (answer.frames_run, answer.frames_skipped) == (late, 0)
        assert iou == pytest.approx(on_time, abs=0.02)

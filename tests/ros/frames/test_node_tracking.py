"""Images in, masks out: headers, encodings, sizes, pauses, and frames that cannot be used."""

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import harness
from harness import labels, nanoseconds, picture, wait_for
from sensor_msgs.msg import Image

from fastgan_core.media.painting import PALETTE
from fastgan_interfaces.msg import TrackedObjects
from fastgan_ros.frames import tally as events
from fastgan_ros.messages.images import to_labels, to_rgb

ENDS = (events.PUBLISHED, events.DROPPED, events.PAUSED, events.UNUSABLE, events.OUTDATED, events.FAILED)


def settled(tracker, camera):
    """Wait until every frame sent since has been received and accounted for."""
    wait_for(lambda: sum(tracker.tally[e] for e in ENDS) == tracker.tally[events.RECEIVED], "the count to add up")


def test_every_output_carries_the_header_of_its_image(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    overlays = rig.collect(Image, "fastgan_tracker/overlay")
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask, tracker.outputs.overlay, tracker.outputs.objects)
    assert rig.set_reference(labels(ids=(3, 7)), harness.picture()).success
    for n in range(1, 4):
        stamp = camera.send()
        for received in (masks, overlays, objects):
            wait_for(lambda received=received, n=n: len(received) == n, "one message for each image")
            assert nanoseconds(received[-1].header.stamp) == stamp
            assert received[-1].header.frame_id == "camera_optical"
    assert (masks[-1].encoding, masks[-1].height, masks[-1].width) == ("mono8", 48, 64)
    assert (overlays[-1].encoding, overlays[-1].height, overlays[-1].width) == ("rgb8", 48, 64)
    assert [o.id for o in objects[-1].objects] == [3, 7]
    for tracked in objects[-1].objects:
        found = np.frombuffer(masks[-1].data, np.uint8) == tracked.id
        assert tracked.area == found.sum()
        assert 0.0 <= tracked.score <= 1.0
        assert tracked.state in (tracked.STATE_TRACKED, tracked.STATE_LOST)


def test_without_objects_the_mask_is_empty_and_still_stamped(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    stamp = camera.send()
    wait_for(lambda: masks, "a mask")
    assert nanoseconds(masks[0].header.stamp) == stamp
    assert not any(masks[0].data)


def test_a_mask_that_people_can_see(rig):
    tracker, camera = rig.tracker(), rig.camera()
    masks, coloured = rig.collect(Image, "fastgan_tracker/mask"), rig.collect(Image, "fastgan_tracker/mask_color")
    rig.ready(tracker, camera, tracker.outputs.mask, tracker.outputs.mask_color)
    assert rig.set_reference(labels(), picture()).success
    camera.send()
    wait_for(lambda: masks and coloured, "both masks")
    assert coloured[-1].header == masks[-1].header
    expected = PALETTE[to_labels(masks[-1])]
    assert (to_rgb(coloured[-1]) == expected).all()


def test_the_overlay_is_made_only_while_somebody_looks(rig, monkeypatch):
    painted = []

    def paint(frame, *_):
        painted.append(1)
        return frame

    monkeypatch.setattr("fastgan_ros.frames.outputs.overlay", paint)
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    camera.send()
    wait_for(lambda: masks, "a mask")
    assert not painted
    overlays = rig.collect(Image, "fastgan_tracker/overlay")
    wait_for(tracker.outputs.overlay.get_subscription_count, "the overlay's subscriber")
    camera.send()
    wait_for(lambda: overlays, "an overlay")
    assert len(painted) == 1


def test_the_camera_may_change_its_resolution(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    assert rig.set_reference(labels(), harness.picture()).success
    for n, (height, width) in enumerate([(48, 64), (60, 80), (31, 97), (48, 64)], start=1):
        camera.rgb = harness.picture(height, width)
        camera.send()
        wait_for(lambda n=n: len(masks) == n, "a mask")
        assert (masks[-1].height, masks[-1].width) == (height, width)
    assert tracker.worker.tracker.ids == (1,)


def broken(message: Image, kind: str) -> Image:
    if kind == "truncated":
        message.data = array.array("B", message.data[: len(message.data) // 2])
    elif kind == "encoding":
        message.encoding = "no_such_encoding"
    elif kind == "step":
        message.step = 7
    elif kind == "empty":
        message.height = message.width = message.step = 0
        message.data = array.array("B")
    return message


def test_garbage_in_the_middle_is_counted_and_passed_over(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    assert rig.set_reference(labels(), harness.picture()).success
    kinds = ("truncated", "encoding", "step", "empty")
    for n, kind in enumerate(kinds, start=1):
        camera.send(broken(camera.message(), kind))
        wait_for(lambda n=n: tracker.tally[events.UNUSABLE] == n, f"the {kind} image to be counted")
        stamp = camera.send()
        wait_for(lambda n=n: len(masks) == n, "the mask after it")
        assert nanoseconds(masks[-1].header.stamp) == stamp
    assert tracker.worker.tracker.ids == (1,)
    status = rig.diagnostics(tracker, lambda s: True)
    assert {v.key: v.value for v in status.values}["frames unusable"] == str(len(kinds))


def test_an_exception_in_the_model_costs_one_frame(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    step = tracker.tracker.step

    def fail(frame):
        tracker.tracker.step = step
        raise RuntimeError("device fell over")

    tracker.tracker.step = fail
    camera.send()
    wait_for(lambda: tracker.tally[events.FAILED] == 1, "the failure to be counted")
    stamp = camera.send()
    wait_for(lambda: masks, "the next mask")
    assert [nanoseconds(m.header.stamp) for m in masks] == [stamp]


def test_the_newest_frame_wins_and_every_frame_is_accounted_for(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    hold = Hold(tracker)
    first = camera.send()
    wait_for(hold.entered.is_set, "the model to be busy")
    for n in range(2, 6):
        last = camera.send()
        wait_for(lambda n=n: tracker.tally[events.RECEIVED] == n, "the frame to arrive")
    hold.release.set()
    wait_for(lambda: len(masks) == 2, "two masks")
    settled(tracker, camera)
    assert [nanoseconds(m.header.stamp) for m in masks] == [first, last]
    assert tracker.tally[events.DROPPED] == 3


class Hold:
    """Keeps the model in its next step until released; later steps pass."""

    def __init__(self, tracker):
        import threading

        self.entered, self.release = threading.Event(), threading.Event()
        step = tracker.tracker.step

        def held(frame):
            result = step(frame)
            self.entered.set()
            assert self.release.wait(harness.TIMEOUT)
            return result

        tracker.tracker.step = held


def test_no_mask_from_before_a_reset_is_published_after_it(rig):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(), harness.picture()).success
    hold = Hold(tracker)
    camera.send()
    wait_for(hold.entered.is_set, "the model to be busy")
    assert rig.reset().success
    hold.release.set()
    wait_for(lambda: tracker.tally[events.OUTDATED] == 1, "the old result to be thrown away")
    stamp = camera.send()
    wait_for(lambda: objects, "the next result")
    assert [nanoseconds(m.header.stamp) for m in objects] == [stamp]
    assert not objects[0].objects


def test_paused_frames_pass_by_and_resuming_goes_on(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask)
    assert rig.set_reference(labels(), harness.picture()).success
    hold = Hold(tracker)
    camera.send()
    wait_for(hold.entered.is_set, "the model to be busy")
    assert rig.pause(True).success
    hold.release.set()
    wait_for(lambda: tracker.tally[events.PAUSED] == 1, "the frame under way to be let go")
    for n in range(2, 5):
        camera.send()
        wait_for(lambda n=n: tracker.tally[events.PAUSED] == n, "the frame to pass by")
    assert rig.diagnostics(tracker, lambda s: "Paused" in s.message)
    assert rig.pause(False).success
    stamp = camera.send()
    wait_for(lambda: masks, "a mask")
    assert [nanoseconds(m.header.stamp) for m in masks] == [stamp]
    assert tracker.tally[events.DROPPED] == 0
    assert tracker.worker.tracker.ids == (1,)


@pytest.mark.parametrize("remap", ["image:={ns}/cam", "image/compressed:={ns}/cam/compressed"])
def test_compressed_images_are_taken(rig, remap):
    tracker = rig.tracker(image_transport="compressed", remap=[remap.format(ns=rig.namespace)])
    assert tracker.camera.topic == f"{rig.namespace}/cam/compressed"
    masks = rig.collect(Image, "fastgan_tracker/mask")
    overlays = rig.collect(Image, "fastgan_tracker/overlay")
    camera = rig.camera("cam/compressed", compressed=True)
    rig.ready(tracker, camera, tracker.outputs.mask, tracker.outputs.overlay)
    stamp = camera.send()
    wait_for(lambda: masks and overlays, "a mask")
    assert nanoseconds(masks[0].header.stamp) == stamp
    assert np.array_equal(to_rgb(overlays[0]), camera.rgb)  # PNG loses nothing; no object to paint
    half = camera.message()
    half.data = half.data[: len(half.data) // 2]
    camera.send(half)
    wait_for(lambda: tracker.tally[events.UNUSABLE] == 1, "the cut-off image to be counted")
    camera.send()
    wait_for(lambda: len(masks) == 2, "the mask after it")


def test_mono16_masks_hold_large_ids(rig):
    tracker = rig.tracker(mask_encoding="mono16")
    masks = rig.collect(Image, "fastgan_tracker/mask")
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.mask, tracker.outputs.objects)
    answer = rig.set_reference(labels(ids=(300,), dtype=np.uint16), harness.picture())
    assert answer.success, answer.message
    camera.send()
    wait_for(lambda: masks and objects, "a mask")
    assert (masks[0].encoding, masks[0].step) == ("mono16", 128)
    assert set(np.frombuffer(masks[0].data, np.uint16)) <= {0, 300}
    assert [o.id for o in objects[0].objects] == [300]
    # Without a large id the tracker's labels are 8 bits, and the message is mono16 all the same.
    assert rig.set_reference(labels(ids=(4,)), harness.picture()).success
    camera.send()
    wait_for(lambda: len(masks) == 2, "the next mask")
    assert (masks[1].encoding, len(masks[1].data)) == ("mono16", 48 * 64 * 2)

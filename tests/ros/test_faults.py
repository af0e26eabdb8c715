"""What goes wrong on a robot, done to the real node: it says so, and goes on."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import torch
from harness import labels, nanoseconds, picture, wait_for

from fastgan_core.model import FaSTGAN
from fastgan_interfaces.msg import TrackedObjects
from fastgan_ros import tally as events


@pytest.fixture
def memory(monkeypatch):
    """A device whose memory suffices for `memory["objects"]` objects in a frame and as many in a mask."""
    limits = {"objects": 99, "marked": 99}
    forward, encode = FaSTGAN.forward, FaSTGAN.encode_reference

    def guard(count, limit):
        if count > limits[limit]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def limited_forward(self, image, previous, *rest, **named):
        guard(len(previous), "objects")
        return forward(self, image, previous, *rest, **named)

    def limited_encode(self, image, masks, *rest, **named):
        guard(len(masks), "marked")
        return encode(self, image, masks, *rest, **named)

    monkeypatch.setattr(FaSTGAN, "forward", limited_forward)
    monkeypatch.setattr(FaSTGAN, "encode_reference", limited_encode)
    return limits


def test_a_reference_that_the_memory_does_not_suffice_for_is_refused(rig, memory):
    tracker = rig.tracker()
    assert rig.set_reference(labels(ids=(1, 2)), picture()).success
    epoch = tracker.tracker.epoch
    memory["marked"] = 2
    answer = rig.set_reference(labels(ids=(3, 4, 5)), picture(), mode=1)
    assert not answer.success and not answer.ids and nanoseconds(answer.stamp) == 0
    assert "memory" in answer.message and "fewer objects" in answer.message and "Internal" not in answer.message
    assert tracker.tracker.ids == (1, 2) and tracker.tracker.epoch == epoch
    assert rig.set_reference(labels(ids=(3,)), picture(), mode=1).success


def test_when_the_memory_does_not_suffice_for_a_frame_the_newest_object_is_dropped(rig, memory, capfd):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(ids=(7, 8)), picture()).success
    assert rig.set_reference(labels(ids=(3,)), picture(), mode=1).success
    memory["objects"] = 2
    for failed in (1, 2):  # the first frame may have met a moment's want
        assert tracker.tracker.ids == (7, 8, 3)
        camera.send()
        wait_for(lambda n=failed: tracker.tally[events.FAILED] == n, "the frame to fail")
    wait_for(lambda: tracker.tracker.ids == (7, 8), "the newest object to be dropped")
    stamp = camera.send()
    wait_for(lambda: objects, "the others to be tracked on")
    assert [o.id for o in objects[0].objects] == [7, 8] and nanoseconds(objects[0].header.stamp) == stamp
    status = rig.diagnostics(tracker, lambda s: "object 3" in s.message)
    assert status.level == status.WARN and "memory" in status.message and "input_size" in status.message
    printed = capfd.readouterr().err
    assert "object 3, the newest, was dropped" in printed and "Traceback" not in printed
    memory["objects"] = 99
    assert rig.set_reference(labels(ids=(3,)), picture(), mode=1).success
    assert rig.diagnostics(tracker, lambda s: "object 3" not in s.message)


def test_the_last_object_is_kept_for_when_there_is_memory_again(rig, memory, capfd):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(ids=(7,)), picture()).success
    memory["objects"] = 0
    for failed in (1, 2, 3):
        camera.send()
        wait_for(lambda n=failed: tracker.tally[events.FAILED] == n, "the frame to fail")
    wait_for(lambda: "did not suffice for a frame" in capfd.readouterr().err, "the console to say so")
    memory["objects"] = 99
    camera.send()
    wait_for(lambda: objects, "the object to be tracked again")
    assert [o.id for o in objects[0].objects] == [7]

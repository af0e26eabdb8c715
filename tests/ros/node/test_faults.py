"""What goes wrong on a robot, done to the real node: it says so, and goes on."""

import itertools
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import rclpy
import torch
from builtin_interfaces.msg import Time
from harness import Rig, labels, nanoseconds, picture, wait_for
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_core.tracking.lite_network import LiteNetwork
from fastgan_interfaces.msg import TrackedObjects
from fastgan_ros.frames import tally as events
from fastgan_ros.messages.images import to_msg
from fastgan_ros.node.tracker_node import TrackerNode
from fastgan_ros.programs.process import PatientExecutor, spin


@pytest.fixture
def memory(monkeypatch):
    """A device whose memory suffices for `memory["objects"]` objects in a frame and as many in a mask."""
    limits = {"objects": 99, "marked": 99}
    step, start = LiteNetwork.step, LiteNetwork.start

    def guard(count, limit):
        if count > limits[limit]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def limited_step(self, image, state, lost):
        guard(len(lost), "objects")
        return step(self, image, state, lost)

    def limited_start(self, image, masks):
        guard(len(masks), "marked")
        return start(self, image, masks)

    monkeypatch.setattr(LiteNetwork, "step", limited_step)
    monkeypatch.setattr(LiteNetwork, "start", limited_start)
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


def test_a_device_that_fails_to_free_memory_too_does_not_end_the_worker(rig, memory, monkeypatch, capfd):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(ids=(7,)), picture()).success

    def fail():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    memory["objects"] = 0
    with monkeypatch.context() as patch:
        patch.setattr("fastgan_ros.frames.worker.release_memory", fail)
        camera.send()
        wait_for(lambda: "illegal memory access" in capfd.readouterr().err, "the console to say so")
    memory["objects"] = 99
    camera.send()
    wait_for(lambda: objects, "the object to be tracked again")
    assert [o.id for o in objects[0].objects] == [7]


def test_a_model_that_fails_with_every_frame_is_reported_and_recovers(rig, monkeypatch, capfd):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(ids=(7,)), picture()).success

    def fail(*_, **__):
        raise RuntimeError("the device fell over")

    with monkeypatch.context() as patch:
        patch.setattr(LiteNetwork, "step", fail)
        camera.stream(50.0)
        wait_for(lambda: tracker.tally[events.FAILED] >= 50, "many frames to fail")
        status = rig.diagnostics(tracker, lambda s: "failed with an exception" in s.message)
        assert status.level == status.ERROR
        answer = rig.set_reference(labels(ids=(8,)), picture(), mode=1)  # requests are answered meanwhile
        assert answer.success or "fell over" in answer.message
        assert rig.remove(8).success == answer.success
    count = len(objects)
    wait_for(lambda: len(objects) > count + 5, "results again")
    assert [o.id for o in objects[-1].objects] == [7]
    printed = capfd.readouterr().err
    assert "the device fell over" in printed
    assert printed.count("Traceback") < tracker.tally[events.FAILED] / 10  # said now and then, not at camera rate
    rig.diagnostics(tracker, lambda s: "failed" not in s.message)
    camera.stop()


def test_two_cameras_on_one_topic_get_each_their_own_masks(rig):
    tracker = rig.tracker()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    sizes = {}
    cameras = [rig.camera() for _ in range(2)]
    for camera, shape in zip(cameras, ((48, 64), (60, 80)), strict=True):
        camera.rgb = picture(*shape)
        camera.shape = shape
    wait_for(lambda: len(tracker.camera.publishers()) == 2, "both cameras")
    wait_for(lambda: all(c.publisher.get_subscription_count() == 1 for c in cameras), "the cameras to find the node")
    wait_for(tracker.outputs.mask.get_subscription_count, "the node to find the subscriber")
    assert rig.set_reference(labels(), picture()).success
    for n in range(60):
        camera = cameras[n % 2]
        sizes[camera.send()] = camera.shape
        time.sleep(0.01)
    wait_for(lambda: {(m.height, m.width) for m in masks} == set(sizes.values()), "masks of both")
    assert all((m.height, m.width) == sizes[nanoseconds(m.header.stamp)] for m in masks)
    assert tracker.tracker.ids == (1,) and tracker.tally[events.FAILED] == 0


def test_the_resolution_may_change_with_every_frame_while_requests_come(rig):
    tracker = rig.tracker()
    sizes = {}
    camera = rig.camera()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    rig.ready(tracker, camera, tracker.outputs.mask)
    shapes = itertools.cycle([(48, 64), (64, 48), (96, 40), (31, 97), (60, 80)])

    def send():
        camera.rgb = picture(*next(shapes))
        message = camera.message()
        sizes[nanoseconds(message.header.stamp)] = (message.height, message.width)
        camera.send(message)

    timer = rig.node.create_timer(0.005, send)
    for n in range(1, 9):
        height, width = 40 + 7 * n, 90 - 5 * n
        assert rig.set_reference(labels(height, width, ids=(n,)), picture(height, width), mode=n % 2).success
        assert not rig.set_reference(labels(10, 10), picture(height, width)).success
        count = len(masks)
        wait_for(lambda count=count: len(masks) > count, "a mask in between")
    rig.node.destroy_timer(timer)
    assert all((m.height, m.width) == sizes[nanoseconds(m.header.stamp)] for m in masks)
    assert len({(m.height, m.width) for m in masks}) > 1
    assert tracker.tally[events.FAILED] == tracker.tally[events.UNUSABLE] == 0
    assert tracker.tracker.ids == (8,)


def test_simulated_time_and_a_bag_that_starts_again(rig):
    tracker = rig.tracker(use_sim_time=True, no_image_timeout=0.3)
    clock = rig.node.create_publisher(Clock, "/clock", 10)
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)

    def play(seconds):
        stamp = Time(sec=seconds, nanosec=500)
        wait_for(lambda: clock.get_subscription_count() >= 1, "the node to listen to the clock")
        clock.publish(Clock(clock=stamp))
        wait_for(lambda: tracker.get_clock().now().nanoseconds == nanoseconds(stamp), "the time to arrive")
        count = len(objects)
        camera.send(to_msg(camera.rgb, "rgb8", Header(stamp=stamp)))
        wait_for(lambda: len(objects) > count, "a result")
        assert nanoseconds(objects[-1].header.stamp) == nanoseconds(stamp)

    camera.send(to_msg(camera.rgb, "rgb8", Header(stamp=Time(sec=100))))
    wait_for(lambda: objects, "a result before the first time")
    camera.stream()
    status = rig.diagnostics(tracker, lambda s: "/clock" in s.message)
    assert status.level == status.WARN and "--clock" in status.message
    camera.stop()
    play(100)
    assert rig.set_reference(labels(ids=(4,)), picture()).success
    for seconds in (101, 102, 103, 100, 101, 5000, 102):  # the bag starts again, then somebody seeks in it
        play(seconds)
        assert [o.id for o in objects[-1].objects] == [4]
    assert rig.diagnostics(tracker, lambda s: "No image" in s.message)  # by steady time: the bag's stands still
    assert rig.set_reference(labels(ids=(5,)), mode=1).success  # on the newest frame, of a time gone by


def test_stamps_of_another_clock_are_pointed_out_and_do_no_harm(rig):
    tracker = rig.tracker()
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    camera = rig.camera()
    rig.ready(tracker, camera, tracker.outputs.objects)
    assert rig.set_reference(labels(), picture()).success
    now = rig.node.get_clock().now().nanoseconds // 10**9
    for n, stamp in enumerate((Time(sec=now + 3600), Time(sec=now - 3600), Time(), Time(sec=-5), Time(sec=now + 3600))):
        camera.send(to_msg(camera.rgb, "rgb8", Header(stamp=stamp)))
        wait_for(lambda n=n: len(objects) == n + 1, "a result")
        assert objects[-1].header.stamp == stamp and len(objects[-1].objects) == 1
    status = rig.diagnostics(tracker, lambda s: "clock" in s.message)
    assert status.level == status.WARN and "synchronise" in status.message


def test_two_nodes_in_one_process(rig):
    """Under one context and one executor, as a container of components has them."""
    context = rclpy.Context()
    rclpy.init(context=context)
    settings = {"weights": rig.weights, "device": "cpu", "input_size": 64, "diagnostics_period": 0.1}
    overrides = [Parameter(name, value=value) for name, value in settings.items()]
    spaces = [f"{rig.namespace}/{side}" for side in ("left", "right")]
    nodes = [TrackerNode(context=context, namespace=space, parameter_overrides=overrides) for space in spaces]
    executor, stop = PatientExecutor(rig.node.get_logger(), context=context), threading.Event()
    for node in nodes:
        executor.add_node(node)
    thread = threading.Thread(target=spin, args=(executor, stop))
    thread.start()
    try:
        with Rig(rig.weights, spaces[0]) as left, Rig(rig.weights, spaces[1]) as right:
            seen = []
            for side, node, number in ((left, nodes[0], 1), (right, nodes[1], 2)):
                wait_for(lambda node=node: node.state == "active", "the node to start")
                side.camera().stream()
                seen.append(side.collect(TrackedObjects, "fastgan_tracker/objects"))
                assert side.set_reference(labels(ids=(number,)), picture()).success
            for found, number in zip(seen, (1, 2), strict=True):
                wait_for(lambda f=found, n=number: f and [o.id for o in f[-1].objects] == [n], "its own object")
            assert left.transition("deactivate") and left.transition("cleanup")
            count = len(seen[1])
            wait_for(lambda: len(seen[1]) > count + 3, "the other node to go on")
            assert [o.id for o in seen[1][-1].objects] == [2]
            assert left.transition("configure") and left.transition("activate")
            count = len(seen[0])
            wait_for(lambda: len(seen[0]) > count, "the node to run again")
    finally:
        stop.set()
        executor.interrupt()
        thread.join()
        executor.finish()
        for node in nodes:
            node.close()
            node.destroy_node()
        rclpy.shutdown(context=context)

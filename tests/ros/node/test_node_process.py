"""The node in a process of its own, as it is started on a robot: it works, and it ends cleanly."""

import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from harness import Rig, environment, labels, mask_msg, nanoseconds, picture, wait_for
from sensor_msgs.msg import Image

from fastgan_interfaces.msg import TrackedObjects
from fastgan_interfaces.srv import SetReferenceMask

PROMPT = 20  # seconds from a signal to the end, on a machine that has other things to do
ENDING = 200  # seconds; torch is imported meanwhile, perhaps by a machine that has other things to do


@pytest.fixture
def start(rig, tmp_path):
    """Start `python -m fastgan_ros.node` with ROS arguments; its output is appended to tmp_path / "log"."""
    processes = []

    def started(*arguments, module="fastgan_ros.node", namespace=rig.namespace):
        command = [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:={namespace}"]
        with open(tmp_path / "log", "a") as out:
            process = subprocess.Popen([*command, *arguments], stdout=out, stderr=out, env=environment(), cwd=tmp_path)
        processes.append(process)
        return process

    yield started
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def log(tmp_path) -> str:
    return (tmp_path / "log").read_text()


def test_it_tracks_and_an_interrupt_ends_it_cleanly(rig, start, tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text(f"/**:\n  ros__parameters:\n    weights: {rig.weights}\n    device: cpu\n    input_size: 64\n")
    process = start("--params-file", str(file), "-r", "image:=camera/image_raw")
    camera = rig.camera("camera/image_raw").stream()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    wait_for(lambda: rig.lifecycle_state() == "active", "the node to be active")
    answer = rig.set_reference(labels(), picture())
    assert answer.success, answer.message
    wait_for(lambda: len(masks) >= 3, "masks")
    assert {nanoseconds(m.header.stamp) for m in masks} <= set(camera.sent)
    process.send_signal(signal.SIGINT)  # in the middle of frames: the camera goes on
    assert process.wait(ENDING) == 0
    assert "Traceback" not in log(tmp_path) and "Error" not in log(tmp_path), log(tmp_path)
    camera.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_frame_ends_it_cleanly(rig, start, tmp_path, number):
    # At this size the model computes for most of the time, and the next frame waits already.
    process = start("-p", f"weights:={rig.weights}", "-p", "device:=cpu", "-p", "input_size:=384")
    camera = rig.camera().stream(50.0)
    masks = rig.collect(Image, "fastgan_tracker/mask")
    wait_for(lambda: rig.lifecycle_state() == "active", "the node to be active")
    assert rig.set_reference(labels(), picture()).success
    wait_for(lambda: len(masks) >= 2, "masks")
    asked = time.monotonic()
    process.send_signal(number)
    process.send_signal(number)  # as somebody who is in a hurry does
    assert process.wait(ENDING) == 0
    print(f"It ended {time.monotonic() - asked:.2f} s after {signal.Signals(number).name}.")
    assert time.monotonic() - asked < PROMPT
    assert "Traceback" not in log(tmp_path) and "Error" not in log(tmp_path), log(tmp_path)
    assert all(len(m.data) == m.height * m.step for m in masks)
    camera.stop()


def test_a_signal_while_a_late_mask_catches_up_does_not_wait_for_it(rig, start, tmp_path):
    slow = ("-p", "input_size:=384", "-p", "catch_up_budget:=60.0", "-p", "history_megabytes:=1000")
    process = start("-p", f"weights:={rig.weights}", "-p", "device:=cpu", *slow)
    camera = rig.camera().stream(50.0)
    masks = rig.collect(Image, "fastgan_tracker/mask")
    wait_for(lambda: rig.lifecycle_state() == "active", "the node to be active")
    wait_for(lambda: masks, "a mask")
    first = masks[0].header.stamp
    wait_for(lambda: camera.sent[-1] - nanoseconds(first) > 3e9, "seconds of frames")
    request = SetReferenceMask.Request(mask=mask_msg(labels(), first))
    future = rig.node.create_client(SetReferenceMask, "fastgan_tracker/set_reference_mask").call_async(request)
    time.sleep(0.5)
    assert not future.done(), future.result().message  # it catches up
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENDING) == 0
    print(f"It ended {time.monotonic() - asked:.2f} s after SIGTERM.")
    assert time.monotonic() - asked < PROMPT
    time.sleep(0.5)
    assert not (future.done() and future.result().success)  # given up, or not heard of any more
    assert "Traceback" not in log(tmp_path), log(tmp_path)
    camera.stop()


def test_a_camera_that_is_killed_and_started_again_is_tracked_on(rig, start):
    tracker = rig.tracker(no_image_timeout=0.3)
    objects = rig.collect(TrackedObjects, "fastgan_tracker/objects")
    scene = ("-p", "width:=96", "-p", "height:=64", "-p", "rate:=30.0")
    camera = start(*scene, module="fastgan_ros.tools.camera")
    wait_for(lambda: objects, "a result")
    assert rig.set_reference(labels(), picture()).success
    camera.kill()
    camera.wait()
    assert rig.diagnostics(tracker, lambda s: "No image for" in s.message).level == b"\x01"
    count = len(objects)
    start(*scene, module="fastgan_ros.tools.camera")
    wait_for(lambda: len(objects) > count + 3, "results again")
    assert [o.id for o in objects[-1].objects] == [1]
    assert tracker.tally["failed"] == 0


def test_of_two_nodes_in_two_processes_one_outlives_the_other(rig, start, tmp_path):
    spaces = [f"{rig.namespace}/{side}" for side in ("left", "right")]
    arguments = ("-p", f"weights:={rig.weights}", "-p", "device:=cpu", "-p", "input_size:=64")
    processes = [start(*arguments, namespace=space) for space in spaces]
    with Rig(rig.weights, spaces[0]) as left, Rig(rig.weights, spaces[1]) as right:
        seen = []
        for side, number in ((left, 1), (right, 2)):
            wait_for(lambda side=side: side.lifecycle_state() == "active", "the node to be active")
            side.camera().stream()
            seen.append(side.collect(TrackedObjects, "fastgan_tracker/objects"))
            assert side.set_reference(labels(ids=(number,)), picture()).success
        for found, number in zip(seen, (1, 2), strict=True):
            wait_for(lambda f=found, n=number: f and [o.id for o in f[-1].objects] == [n], "its own object")
        processes[0].kill()
        processes[0].wait()
        count = len(seen[1])
        wait_for(lambda: len(seen[1]) > count + 5, "the other to go on")
        assert right.set_reference(labels(ids=(3,)), picture(), mode=1).success
    processes[1].send_signal(signal.SIGTERM)
    assert processes[1].wait(ENDING) == 0
    assert "Traceback" not in log(tmp_path), log(tmp_path)


def test_a_signal_ends_a_node_that_was_never_configured(rig, start, tmp_path):
    process = start("-p", "autostart:=false")
    assert rig.lifecycle_state() == "unconfigured"
    process.send_signal(signal.SIGINT)
    assert process.wait(ENDING) == 0
    assert "Traceback" not in log(tmp_path)


def test_a_signal_while_the_model_loads_ends_it_cleanly(rig, start, tmp_path):
    process = start("-p", f"weights:={rig.weights}", "-p", "device:=cpu")
    name = ("fastgan_tracker", rig.namespace)
    wait_for(lambda: name in rig.node.get_node_names_and_namespaces(), "the node to show up")
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENDING) == 0
    assert "Traceback" not in log(tmp_path), log(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "lost_threshold:=7.0"], "'lost_threshold' must be a decimal number"),
        (["--params-file", "no_such_file.yaml"], "no_such_file.yaml"),
    ],
)
def test_wrong_arguments_end_it_with_one_sentence(start, tmp_path, arguments, words):
    process = start(*arguments)
    assert process.wait(ENDING) == 2
    assert words in log(tmp_path) and "Traceback" not in log(tmp_path)

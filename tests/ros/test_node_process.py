"""The node in a process of its own, as it is started on a robot: it works, and it ends cleanly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from harness import labels, nanoseconds, picture, wait_for
from sensor_msgs.msg import Image

ROOT = Path(__file__).parents[2]
ENDING = 200  # seconds; torch is imported meanwhile, perhaps by a machine that has other things to do


@pytest.fixture
def start(rig, tmp_path):
    """Start `python -m fastgan_ros.node` with ROS arguments; its output goes to tmp_path / "log"."""
    processes = []

    def started(*arguments):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
        command = [sys.executable, "-m", "fastgan_ros.node", "--ros-args", "-r", f"__ns:={rig.namespace}"]
        with open(tmp_path / "log", "w") as out:
            process = subprocess.Popen([*command, *arguments], stdout=out, stderr=out, env=environment, cwd=tmp_path)
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

"""The camera node over real rclpy: what a subscriber gets, and what is refused."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the camera is a ROS node")

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from fastgan_core.errors import FastganError
from fastgan_core.scenes.scene import Scene
from fastgan_ros.messages.images import from_compressed, to_rgb
from fastgan_ros.tools.camera import Camera

SIZE = {"width": 96, "height": 64, "length": 20}
ROOT = Path(__file__).parents[3]


class Studio:
    """A ROS context with an executor, spun by hand; cameras and listeners come and go in it."""

    def __init__(self):
        self.context = Context()
        rclpy.init(context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.listener = Node("listener", context=self.context)
        self.executor.add_node(self.listener)

    def camera(self, *remaps, **parameters):
        overrides = [Parameter(name, value=value) for name, value in ({"rate": 50.0} | parameters).items()]
        arguments = ["--ros-args", *(part for remap in remaps for part in ("-r", remap))]
        camera = Camera(context=self.context, parameter_overrides=overrides, cli_args=arguments)
        self.executor.add_node(camera)
        return camera

    def listen(self, kind=Image, topic="image"):
        messages = []
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.listener.create_subscription(kind, topic, messages.append, qos)
        return messages

    def spin_until(self, condition, seconds=60.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it took too long"
            self.executor.spin_once(timeout_sec=0.05)


@pytest.fixture
def studio():
    studio = Studio()
    yield studio
    for node in studio.executor.get_nodes():
        node.destroy_node()
    studio.executor.shutdown()
    rclpy.shutdown(context=studio.context)


def nanoseconds(msg):
    return msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec


@pytest.mark.parametrize(("encoding", "drawn"), [("rgb8", False), ("bgr8", True)])
def test_a_subscriber_gets_the_scene(studio, encoding, drawn):
    messages = studio.listen()
    before = time.time_ns()
    studio.camera(**SIZE, encoding=encoding, drawn=drawn, frame_id="left")
    studio.spin_until(lambda: len(messages) >= 12)
    stamps = [nanoseconds(msg) for msg in messages]
    assert before < stamps[0] and stamps[-1] < time.time_ns()
    assert (np.diff(stamps) > 0).all()
    # A timer may catch up on a busy machine, but on the whole 50 Hz is 20 ms.
    assert stamps[-1] - stamps[0] > 0.7 * 20e6 * (len(stamps) - 1)
    scene = Scene(*SIZE.values())
    first = next(i for i in range(20) if (scene[i][0] == to_rgb(messages[0])).all())
    for index, msg in enumerate(messages, first):
        assert (msg.width, msg.height, msg.encoding, msg.header.frame_id) == (96, 64, encoding, "left")
        assert (to_rgb(msg) == scene[index][0]).all()


def test_it_ends_after_the_frames_it_was_given_or_with_the_source(studio, tmp_path):
    log = tmp_path / "log"
    camera = studio.camera(**SIZE, start=17, frames=5, log=str(log))
    studio.spin_until(camera.finished.done)
    assert camera.finished.result() == 5
    camera.close()
    assert [int(line.split()[1]) for line in log.read_text().splitlines()] == [17, 18, 19, 20, 21]

    camera = studio.camera(**SIZE, start=17, loop=False)
    studio.spin_until(camera.finished.done)
    assert camera.finished.result() == 3


def test_the_first_frame_is_held_until_the_parameter_is_set(studio, tmp_path):
    messages = studio.listen()
    log = tmp_path / "log"
    studio.camera(**SIZE, hold=True, log=str(log))
    studio.spin_until(lambda: len(messages) >= 3)
    scene = Scene(*SIZE.values())
    assert all((to_rgb(msg) == scene[0][0]).all() for msg in messages)

    client = studio.listener.create_client(SetParameters, "/camera/set_parameters")
    release = Parameter("hold", value=False).to_parameter_msg()
    done = client.call_async(SetParameters.Request(parameters=[release]))
    studio.spin_until(done.done)
    assert done.result().results[0].successful
    studio.spin_until(lambda: np.array_equal(to_rgb(messages[-1]), scene[4][0]))

    indices = dict(map(int, line.split()) for line in log.read_text().splitlines())
    assert [indices[nanoseconds(msg)] for msg in messages[-5:]] == [0, 1, 2, 3, 4]


def test_jpeg_goes_out_beside_the_image_with_its_header(studio):
    raw, jpeg = studio.listen(Image, "/cam/rgb"), studio.listen(CompressedImage, "/cam/rgb/compressed")
    studio.camera("image:=/cam/rgb", **SIZE, compressed=True)
    studio.spin_until(lambda: len(raw) >= 8 and len(jpeg) >= 4)
    by_stamp = {nanoseconds(msg): msg for msg in raw}
    pairs = [(by_stamp[nanoseconds(msg)], msg) for msg in jpeg if nanoseconds(msg) in by_stamp]
    assert pairs
    for one, other in pairs:
        assert other.format == "rgb8; jpeg compressed bgr8"
        assert len(other.data) < len(one.data) / 2
        difference = np.abs(to_rgb(one).astype(int) - from_compressed(other))
        assert difference.mean() < 6  # red and blue exchanged would be 20 and more


@pytest.mark.parametrize("reliable", [True, False])
def test_reliability_is_as_asked(studio, reliable):
    studio.camera(**SIZE, reliable=reliable)
    offers = studio.listener.get_publishers_info_by_topic
    studio.spin_until(lambda: offers("/image"))
    wanted = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    assert [info.qos_profile.reliability for info in offers("/image")] == [wanted]


@pytest.fixture
def folder(tmp_path):
    """Three frames of (32, 48) whose grey levels are 10, 20, 30."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.full((32, 48, 3), 10 * (index + 1), np.uint8))
    return folder


def test_a_folder_is_published_round_and_round(studio, folder):
    messages = studio.listen()
    camera = studio.camera(source=str(folder), hold=True)
    studio.spin_until(lambda: len(messages) >= 1)
    camera.set_parameters([Parameter("hold", value=False)])
    studio.spin_until(lambda: len(messages) >= 20)
    grey = [int(to_rgb(msg)[0, 0, 0]) for msg in messages]
    grey = grey[grey.index(20) :]
    assert grey == [(20, 30, 10)[i % 3] for i in range(len(grey))] and len(grey) > 5
    assert to_rgb(messages[0]).shape == (32, 48, 3)


def test_a_folder_without_loop_ends_and_is_resized(studio, folder):
    messages = studio.listen()
    camera = studio.camera(source=str(folder), loop=False, width=24, height=20, hold=True)
    studio.spin_until(lambda: len(messages) >= 1)
    camera.set_parameters([Parameter("hold", value=False)])
    studio.spin_until(camera.finished.done)
    assert camera.finished.result() == 3
    assert to_rgb(messages[0]).shape == (20, 24, 3)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"rate": 0.0}, "'rate' is 0.0; set it over 0"),
        ({"rate": float("nan")}, "'rate' is nan"),
        ({"rate": 15}, "'rate' must be a decimal number, such as 15.0"),
        ({"source": 0}, "'source' must be text; .*source:='\"0\"'"),
        ({"loop": 1}, "'loop' must be true or false"),
        ({"encoding": "mono8"}, "'encoding' is 'mono8'; set it to rgb8 or bgr8"),
        ({"frames": -1}, "'frames' is -1"),
        ({"width": 320}, "'width' and 'height' go together"),
        ({"width": 32, "height": 32}, "32 x 32 pixels is too small"),
        ({"loop": False, "start": 300}, "has no frame 300"),
        ({"source": "/no/such/clip.mp4"}, "/no/such/clip.mp4"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_fix(studio, parameters, said):
    with pytest.raises(FastganError, match=said):
        studio.camera(**parameters)


def test_a_start_beyond_a_looping_source_is_refused(studio, folder):
    with pytest.raises(FastganError, match="has no frame 3"):
        studio.camera(source=str(folder), start=3)


def spawn(*arguments):
    command = [sys.executable, "-m", "fastgan_ros.tools.camera", "--ros-args", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_the_process_says_in_a_sentence_why_it_cannot_start():
    process = spawn("-p", "rate:=-1.0")
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 2
    assert "camera: Parameter 'rate' is -1.0; set it over 0" in errors
    assert "Traceback" not in errors


def test_the_process_ends_in_peace_on_ctrl_c():
    process = spawn("-p", "width:=96", "-p", "height:=64")
    try:
        while "Publishing a drawn scene on /image: 96 x 64" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors

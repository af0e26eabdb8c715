"""ROS image messages over rclpy's own classes; tests/core/media/test_encodings.py has every encoding."""

import array
import sys
import types

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("sensor_msgs", reason="the ROS side needs sensor_msgs")

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_ros.messages import images


def message(encoding, width, height, data, step=None, big=False):
    data = bytes(data)
    if step is None:
        step = len(data) // height
    return Image(
        encoding=encoding,
        width=width,
        height=height,
        step=step,
        is_bigendian=big,
        data=array.array("B", data),
    )


def test_a_message_of_rclpy_is_read():
    assert images.to_rgb(message("bgr8", 2, 1, [1, 2, 3, 4, 5, 6])).tolist() == [[[3, 2, 1], [6, 5, 4]]]
    labels = images.to_labels(message("mono16", 2, 1, [0x01, 0x02, 0x00, 0x05], big=True))
    assert labels.tolist() == [[0x0102, 5]]
    with pytest.raises(FastganError, match="The mask holds 3 bytes"):
        images.to_labels(message("mono8", 2, 2, [0] * 3, step=2))


def test_rgb8_is_a_view_of_the_message():
    msg = message("rgb8", 2, 2, range(16), step=8)
    rgb = images.to_rgb(msg)
    assert rgb.tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 9, 10], [11, 12, 13]]]
    msg.data[8] = 250
    assert rgb[1, 0, 0] == 250


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3))))
@settings(max_examples=50, deadline=None)
def test_there_and_back(pixels):
    header = Header(frame_id="camera")
    msg = images.to_msg(pixels, "rgb8", header)
    assert (images.to_rgb(msg) == pixels).all()
    assert (images.to_rgb(images.to_msg(pixels, "bgr8", header)) == pixels[..., ::-1]).all()
    assert (images.to_labels(images.to_msg(pixels[..., 0], "mono8", header)) == pixels[..., 0]).all()
    wide = pixels[..., 0].astype(np.uint16) * 256 + pixels[..., 1]
    assert (images.to_labels(images.to_msg(wide, "mono16", header)) == wide).all()


def test_a_message_says_what_it_holds():
    header = Header(frame_id="left")
    header.stamp.sec = 12
    msg = images.to_msg(np.zeros((4, 6), np.uint16)[:, ::2], "mono16", header)
    assert (msg.height, msg.width, msg.step, msg.encoding) == (4, 3, 6, "mono16")
    assert len(msg.data) == 24 and isinstance(msg.data, array.array)
    assert (msg.header.frame_id, msg.header.stamp.sec) == ("left", 12)
    assert msg.is_bigendian == (sys.byteorder == "big")


@pytest.mark.parametrize(
    ("pixels", "encoding", "said"),
    [
        (np.zeros((2, 2), np.uint16), "mono8", r"type uint16 is no mono8 image; it takes \(H, W\) uint8"),
        (np.zeros((2, 2, 1), np.uint8), "mono8", "shape"),
        (np.zeros((2, 2), np.uint8), "rgb8", r"it takes \(H, W, 3\)"),
        (np.zeros((2, 2, 4), np.uint8), "rgb8", "shape"),
        (np.zeros((0, 2), np.uint8), "mono8", "not empty"),
        (np.zeros((2, 2), np.float32), "32FC1", "'32FC1'; use one of mono8"),
    ],
)
def test_an_array_that_does_not_fit_its_encoding_is_refused(pixels, encoding, said):
    with pytest.raises(FastganError, match=said):
        images.to_msg(pixels, encoding, Header())


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_compressed_message_of_rclpy_is_read(suffix):
    picture = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    data = array.array("B", cv2.imencode(suffix, picture)[1].tobytes())
    rgb = images.from_compressed(CompressedImage(format="rgb8; compressed bgr8", data=data))
    assert np.abs(rgb.astype(int) - (50, 100, 200)).max() <= 3
    with pytest.raises(FastganError, match="cut off"):
        images.from_compressed(CompressedImage(format="jpeg", data=data[: len(data) // 2]))


@pytest.fixture
def bridge(monkeypatch):
    """Stands for an installed cv_bridge: knows one encoding that the table does not, and lists its calls."""
    calls = []

    class CvBridge:
        def imgmsg_to_cv2(self, msg, encoding):
            calls.append((msg.encoding, encoding))
            if msg.encoding != "new8":
                raise TypeError("Unrecognized image encoding")
            return np.full((msg.height, msg.width, 3), 9, np.uint8)

    module = types.ModuleType("cv_bridge")
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    images._cv_bridge.cache_clear()
    yield calls
    images._cv_bridge.cache_clear()


def test_cv_bridge_is_asked_for_what_is_not_in_the_table(bridge):
    assert (images.to_rgb(message("new8", 2, 1, [0, 0])) == 9).all()
    with pytest.raises(FastganError, match="encoding 32FC1, which is not supported"):
        images.to_rgb(message("32FC1", 1, 1, [0] * 4))
    images.to_rgb(message("bgr8", 1, 1, [1, 2, 3]))
    assert bridge == [("new8", "rgb8"), ("32FC1", "rgb8")]


def test_a_cv_bridge_that_does_not_load_is_as_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    images._cv_bridge.cache_clear()
    with pytest.raises(FastganError, match="not supported"):
        images.to_rgb(message("new8", 2, 1, [0, 0]))
    images._cv_bridge.cache_clear()

"""Messages and requests as nobody should send them: hypothesis strategies, most of them right but for one thing."""

import array

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from rcl_interfaces.msg import Parameter, ParameterValue
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.messages.images import ENCODINGS, to_msg
from fastgan_ros.node.parameters import TABLE

_SMALL = st.integers(0, 40)
_SIZES = st.one_of(_SMALL, _SMALL, st.sampled_from([1000, 65536, 2**31, 2**32 - 1]))
_STRANGE = st.sampled_from(["", "RGB8", "32FC1", "8UC5", "64FC3", "rgb8 ", "bayer_rggb12", "jpeg", "../../etc"])
_ENCODINGS = st.one_of(st.sampled_from(ENCODINGS), st.sampled_from(ENCODINGS), _STRANGE, st.text(max_size=12))
_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_STAMPS = st.builds(
    Time,
    sec=st.sampled_from([0, 0, 1, 100, 2**31 - 1, -1, -(2**31)]),
    nanosec=st.sampled_from([0, 0, 1, 10**9 - 1, 10**9, 2**32 - 1]),
)
HEADERS = st.builds(Header, stamp=_STAMPS, frame_id=_WORDS)


def _noise(draw, count: int) -> bytes:
    return np.random.default_rng(draw(st.integers(0, 1000))).bytes(min(count, 200_000))


@st.composite
def images(draw, encodings=_ENCODINGS):
    """An image message: right, or with one or two of its fields changed."""
    encoding, width, height = draw(encodings), draw(st.integers(1, 40)), draw(st.integers(1, 40))
    channels = 4 if "a8" in encoding or "UC4" in encoding else 3 if "8UC3" in encoding or "gb" in encoding else 1
    step = width * channels * (2 if "16" in encoding or "yu" in encoding or "uy" in encoding else 1)
    rows = height + height // 2 if encoding.startswith("nv") else height
    message = Image(header=draw(HEADERS), encoding=encoding, width=width, height=height, step=step)
    data = _noise(draw, rows * step)
    for _ in range(draw(st.integers(0, 2))):
        change = draw(st.sampled_from(["width", "height", "step", "data", "order", "padding"]))
        if change == "data":
            data = draw(st.sampled_from([b"", data[:-1], data[: len(data) // 2], data * 2, data + b"x"]))
        elif change == "order":
            message.is_bigendian = draw(st.sampled_from([0, 1, 255]))
        elif change == "padding":
            message.step += draw(st.integers(1, 9))
            data = _noise(draw, min(rows, 100) * message.step)
        else:
            setattr(message, change, draw(_SIZES))
    message.data = array.array("B", data)
    return message


@st.composite
def compressed(draw):
    """A JPEG or PNG: whole, cut off, with bytes changed, or no picture at all."""
    kind = draw(st.sampled_from([".jpg", ".png"]))
    pixels = np.random.default_rng(draw(st.integers(0, 20))).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    data = bytearray(cv2.imencode(kind, pixels)[1].tobytes())
    change = draw(st.sampled_from(["none", "cut", "bytes", "header", "noise", "empty", "doubled"]))
    if change == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif change in ("bytes", "header"):
        end = len(data) if change == "bytes" else 40
        for _ in range(draw(st.integers(1, 8))):
            data[draw(st.integers(0, end - 1))] = draw(st.integers(0, 255))
    elif change == "noise":
        data = bytearray(draw(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a"]))) + _noise(draw, 300)
    elif change == "empty":
        data = bytearray()
    elif change == "doubled":
        data = data + data
    form = draw(st.one_of(st.sampled_from(["jpeg", "png", "rgb8; jpeg compressed bgr8", "compressedDepth"]), _WORDS))
    return CompressedImage(header=draw(HEADERS), format=form, data=array.array("B", bytes(data)))


@st.composite
def masks(draw, size=(48, 64)):
    """A mask of a frame: ids of all kinds, or an image message of any kind."""
    if draw(st.integers(0, 3)) == 0:
        return draw(images(st.one_of(st.sampled_from(["mono8", "mono16", "8UC1", "16UC1"]), _ENCODINGS)))
    depth = draw(st.sampled_from([np.uint8, np.uint16]))
    limit = 255 if depth is np.uint8 else 65535
    labels = np.zeros(draw(st.sampled_from([size, size, size, (48, 63), (1, 1)])), depth)
    for _ in range(draw(st.integers(0, 6))):
        y, x, side = draw(st.integers(0, 47)), draw(st.integers(0, 63)), draw(st.integers(1, 20))
        labels[y : y + side, x : x + side] = draw(st.one_of(st.integers(0, 6), st.sampled_from([limit, limit - 1])))
    if draw(st.integers(0, 9)) == 0:
        labels = np.random.default_rng(0).integers(0, limit + 1, labels.shape).astype(depth)
    message = to_msg(labels, "mono8" if depth is np.uint8 else "mono16", draw(HEADERS))
    if draw(st.integers(0, 9)) == 0:
        message.data = message.data[: draw(st.integers(0, len(message.data)))]
    return message


def references(picture):
    """Requests of ~/set_reference_mask; `picture` is a right image for a right mask."""
    whole = st.builds(lambda header: to_msg(picture, "rgb8", header), HEADERS)
    return st.builds(
        SetReferenceMask.Request,
        mask=masks(picture.shape[:2]),
        image=st.one_of(whole, whole, whole, images(), st.just(Image())),
        mode=st.sampled_from([0, 1, 1, 1, 2, 2, 3, 255]),
    )


REMOVALS = st.builds(
    RemoveObjects.Request, ids=st.lists(st.sampled_from([0, 1, 2, 3, 255, 65535]), max_size=5).map(list)
)

_NUMBERS = [0.0, 0.5, -1.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf"), 3.0]
VALUES = st.one_of(
    st.sampled_from(_NUMBERS),
    st.sampled_from([0, 1, -1, 31, 32, 64, 2**31, 2**63 - 1, -(2**63)]),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.sampled_from(["auto", "cpu", "cuda:99", "cuda:-1", "mono16", "compressed", "/dev/zero", "~", "a" * 10_000]),
    st.lists(st.sampled_from(_NUMBERS), max_size=3),
    st.lists(st.integers(-5, 5), max_size=3),
    st.none(),
)
NAMES = st.sampled_from([*TABLE, "", "use_sim_time", "x"])

_FEW = st.sampled_from(_NUMBERS)
PARAMETERS = st.lists(  # as a client may send them: of any type, also those that ROS does not know
    st.builds(
        Parameter,
        name=NAMES,
        value=st.builds(
            ParameterValue,
            type=st.integers(0, 12) | st.just(255),
            bool_value=st.booleans(),
            double_value=_FEW,
            integer_value=st.sampled_from([0, -1, 64, 2**63 - 1]),
            string_value=st.sampled_from(["", "auto", "nonsense"]),
            double_array_value=st.lists(_FEW, max_size=2),
            byte_array_value=st.lists(st.sampled_from([b"\0", b"\xff"]), max_size=2),
        ),
    ),
    max_size=3,
)


@st.composite
def damaged(draw, good: bytes):
    """A message as it lies in the network, cut off or with bytes changed, most of them before its pixels."""
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, 60) | st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])

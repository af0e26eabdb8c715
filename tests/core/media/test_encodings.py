"""ROS image messages: every encoding against pixels worked out by hand, every way a message can be wrong.

The messages are those of the bag reader, which needs no ROS; tests/ros/messages/test_images.py has rclpy's.
"""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from fastgan_core.errors import FastganError
from fastgan_core.media import encodings

TYPES = get_typestore(Stores.ROS2_HUMBLE).types
Image, CompressedImage = TYPES["sensor_msgs/msg/Image"], TYPES["sensor_msgs/msg/CompressedImage"]
Header, Time = TYPES["std_msgs/msg/Header"], TYPES["builtin_interfaces/msg/Time"]
HEADER = Header(stamp=Time(sec=1, nanosec=2), frame_id="camera")


def image(data, **fields):
    return Image(header=HEADER, data=np.frombuffer(bytearray(data), np.uint8), **fields)


def message(encoding, width, height, data, step=None, big=False):
    data = bytes(data)
    if step is None:
        step = len(data) // height
    return image(data, encoding=encoding, width=width, height=height, step=step, is_bigendian=big)


# One row of two pixels each; the answers are RGB.
BY_HAND = [
    ("rgb8", [1, 2, 3, 4, 5, 6], [(1, 2, 3), (4, 5, 6)]),
    ("bgr8", [1, 2, 3, 4, 5, 6], [(3, 2, 1), (6, 5, 4)]),
    ("8UC3", [1, 2, 3, 4, 5, 6], [(3, 2, 1), (6, 5, 4)]),
    ("rgba8", [1, 2, 3, 9, 4, 5, 6, 9], [(1, 2, 3), (4, 5, 6)]),
    ("bgra8", [1, 2, 3, 9, 4, 5, 6, 9], [(3, 2, 1), (6, 5, 4)]),
    ("8UC4", [1, 2, 3, 9, 4, 5, 6, 9], [(3, 2, 1), (6, 5, 4)]),
    ("mono8", [7, 200], [(7, 7, 7), (200, 200, 200)]),
    ("8UC1", [7, 200], [(7, 7, 7), (200, 200, 200)]),
    # 65535 / 257 = 255; 0x0080 = 128 is 0.498 of a grey level, 0x8000 = 32768 is 127.502 of them.
    ("mono16", [255, 255, 0x80, 0x00], [(255,) * 3, (0, 0, 0)]),
    ("16UC1", [0x00, 0x80, 0x81, 0x00], [(128,) * 3, (1, 1, 1)]),
    ("rgb16", [0, 10, 0, 20, 0, 30, 0, 40, 0, 50, 0, 60], [(10, 20, 30), (40, 50, 60)]),
    ("bgra16", [0, 10, 0, 20, 0, 30, 9, 9, 0, 40, 0, 50, 0, 60, 9, 9], [(30, 20, 10), (60, 50, 40)]),
    # Video levels of BT.601: luma 16..235 for black..white, chroma 128 for grey.
    ("yuv422", [128, 16, 128, 235], [(0, 0, 0), (255, 255, 255)]),
    ("uyvy", [128, 16, 128, 235], [(0, 0, 0), (255, 255, 255)]),
    ("yuv422_yuy2", [16, 128, 235, 128], [(0, 0, 0), (255, 255, 255)]),
    ("yuyv", [16, 128, 235, 128], [(0, 0, 0), (255, 255, 255)]),
]


@pytest.mark.parametrize(("encoding", "data", "expected"), BY_HAND, ids=[row[0] for row in BY_HAND])
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_pixels_by_hand(encoding, data, expected, padding):
    padded = (bytes(data) + bytes([77] * padding)) * 3
    rgb = encodings.to_rgb(message(encoding, 2, 3, padded, step=len(data) + padding))
    assert rgb.dtype == np.uint8
    assert rgb.tolist() == [[list(pixel) for pixel in expected]] * 3


def test_a_big_endian_message_is_read_high_byte_first():
    rgb = encodings.to_rgb(message("mono16", 2, 1, [0x80, 0x00, 0x00, 0x80], big=True))
    assert rgb[0, :, 0].tolist() == [128, 0]
    labels = encodings.to_labels(message("mono16", 2, 1, [0x01, 0x02, 0x00, 0x05], big=True))
    assert labels.tolist() == [[0x0102, 5]]
    assert labels.dtype == np.uint16 and labels.dtype.isnative
    # One byte has no order.
    assert encodings.to_rgb(message("bgr8", 1, 1, [1, 2, 3], big=True)).tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize("encoding", ["yuv422", "yuv422_yuy2", "nv12", "nv21"])
def test_red_in_every_yuv(encoding):
    luma, u, v = 81, 90, 240  # BT.601: red
    data = {
        "yuv422": [u, luma, v, luma] * 2,
        "yuv422_yuy2": [luma, u, luma, v] * 2,
        "nv12": [luma] * 4 + [u, v],
        "nv21": [luma] * 4 + [v, u],
    }[encoding]
    rgb = encodings.to_rgb(message(encoding, 2, 2, data, step=2 if encoding.startswith("nv") else 4))
    assert rgb.shape == (2, 2, 3)
    assert np.abs(rgb.astype(int) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_of_one_colour_gives_that_colour(pattern, bits):
    # The name lists the cells of the first two rows, left to right.
    colour = {"r": 200, "g": 100, "b": 50}
    cell = np.array([colour[letter] for letter in pattern]).reshape(2, 2)
    mosaic = np.tile(cell if bits == 8 else cell * 257, (4, 5)).astype(f"<u{bits // 8}")
    rgb = encodings.to_rgb(message(f"bayer_{pattern}{bits}", 10, 8, mosaic.tobytes()))
    assert (rgb == (200, 100, 50)).all()


def test_rgb8_is_a_view_of_the_message():
    msg = message("rgb8", 2, 2, range(16), step=8)
    rgb = encodings.to_rgb(msg)
    assert rgb.tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 9, 10], [11, 12, 13]]]
    msg.data[8] = 250
    assert rgb[1, 0, 0] == 250


def test_labels_are_a_copy_with_the_ids_untouched():
    msg = message("mono8", 3, 2, [0, 1, 255, 99, 2, 0, 0, 99], step=4)
    labels = encodings.to_labels(msg)
    msg.data[1] = 42
    assert labels.tolist() == [[0, 1, 255], [2, 0, 0]]
    assert labels.dtype == np.uint8
    assert encodings.to_labels(message("16UC1", 2, 1, [0x2C, 0x01, 0, 0])).tolist() == [[300, 0]]


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "32FC1", "16SC1", "bayer_rggb8", ""])
def test_a_mask_that_is_no_label_image_is_refused_with_the_fix(encoding):
    with pytest.raises(FastganError, match="mono8 or mono16: 0 = background"):
        encodings.to_labels(message(encoding, 1, 1, [0] * 12))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "0 x 2 pixels"),
        ({"height": 0}, "4 x 0 pixels"),
        ({"step": 11}, "step 11, less than the 12 bytes"),
        ({"step": 13}, "24 bytes where step x rows = 13 x 2 = 26"),
        ({"height": 3}, "24 bytes where step x rows = 12 x 3 = 36"),
        ({"data": b""}, "holds 0 bytes"),
        ({"data": bytes(23)}, "holds 23 bytes"),
        ({"data": bytes(25)}, "holds 25 bytes"),
        ({"width": 2**31, "step": 2**32 - 1}, "step 4294967295, less than"),
        ({"height": 2**31}, "holds 24 bytes"),
        ({"encoding": "32FC3"}, "encoding 32FC3, which is not supported; .*rgb8, bgr8.*mono16"),
        ({"encoding": ""}, "encoding unset"),
        ({"encoding": "RGB8"}, "encoding RGB8"),
    ],
)
def test_a_malformed_image_is_refused_with_the_reason(change, said):
    fields = {"encoding": "rgb8", "width": 4, "height": 2, "step": 12, "data": bytes(24), "is_bigendian": 0} | change
    msg = image(**fields)
    with pytest.raises(FastganError, match=said):
        encodings.to_rgb(msg)


def test_a_malformed_mask_says_mask():
    with pytest.raises(FastganError, match="The mask holds 3 bytes"):
        encodings.to_labels(message("mono8", 2, 2, [0] * 3, step=2))


@pytest.mark.parametrize(
    ("encoding", "width", "height", "size"),
    [("yuv422", 3, 1, 6), ("yuv422_yuy2", 3, 1, 6), ("nv12", 3, 2, 9), ("nv21", 2, 3, 8)],
)
def test_chroma_that_does_not_fit_the_size_is_refused(encoding, width, height, size):
    step = width if encoding.startswith("nv") else 2 * width
    with pytest.raises(FastganError, match=f"cannot be read as {encoding}: .*even width"):
        encodings.to_rgb(message(encoding, width, height, bytes(size), step=step))


SIDES = st.integers(1, 9)


@given(SIDES, SIDES, st.integers(0, 7), st.sampled_from(encodings.ENCODINGS), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_well_formed_message_gives_a_picture_of_its_size(width, height, padding, encoding, big):
    layout = encodings._LAYOUTS[encoding]
    step = width * layout.channels * np.dtype(layout.depth).itemsize + padding
    rows = height + height // 2 if layout.planar else height
    msg = message(encoding, width, height, np.arange(rows * step, dtype=np.uint8), step=step, big=big)
    try:
        rgb = encodings.to_rgb(msg)
    except FastganError:
        assert width % 2 or height % 2  # chroma in pairs
        assert encoding[:2] in ("yu", "uy", "nv")
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8


def compressed(suffix, form, picture, options=()):
    ok, data = cv2.imencode(suffix, picture, options)
    assert ok
    return CompressedImage(header=HEADER, format=form, data=data)


@pytest.fixture
def picture():
    """Smooth (16, 24, 3) BGR with blue, green and red that differ everywhere."""
    ramp = np.linspace(0, 60, 24, dtype=np.uint8)[None, :].repeat(16, 0)
    return np.dstack([ramp + 190, ramp + 90, ramp])


@pytest.mark.parametrize("form", ["jpeg", "jpg", "rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed bgr8"])
def test_jpeg(picture, form):
    rgb = encodings.from_compressed(compressed(".jpg", form, picture, (cv2.IMWRITE_JPEG_QUALITY, 95)))
    assert np.abs(rgb.astype(int) - picture[..., ::-1]).max() <= 8


def test_png_is_exact(picture):
    assert (encodings.from_compressed(compressed(".png", "png", picture)) == picture[..., ::-1]).all()
    gray = encodings.from_compressed(compressed(".png", "mono8; png compressed", picture[..., 0]))
    assert (gray == picture[..., :1]).all()
    deep = picture.astype(np.uint16) * 257
    assert (encodings.from_compressed(compressed(".png", "png", deep)) == picture[..., ::-1]).all()


def test_a_stream_that_was_encoded_with_red_and_blue_exchanged_is_put_right(picture):
    rgb = encodings.from_compressed(compressed(".png", "rgb8; png compressed rgb8", picture))
    assert (rgb == picture).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_stream_that_was_cut_off_is_refused(suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    whole = compressed(suffix, "", noise)
    assert encodings.from_compressed(whole).shape == (48, 64, 3)
    whole.data = whole.data[: int(len(whole.data) * share)]
    with pytest.raises(FastganError, match=r"\(no format given, \d+ bytes\) is cut off"):
        encodings.from_compressed(whole)


def test_padding_after_a_jpeg_is_no_harm(picture):
    msg = compressed(".jpg", "jpeg", picture)
    msg.data = np.append(msg.data, np.zeros(100, np.uint8))
    assert encodings.from_compressed(msg).shape == (16, 24, 3)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x00" * 1000, b"\xff\xd8\xff\xda garbage \xff\xd9"])
def test_bytes_that_are_no_picture_are_refused(data):
    msg = CompressedImage(header=HEADER, format="jpeg", data=np.frombuffer(data, np.uint8))
    with pytest.raises(FastganError, match="cannot be decoded; publish JPEG or PNG"):
        encodings.from_compressed(msg)


def png_of(width, height):
    """A black PNG of one bit a pixel: some thousand bytes, whatever its size."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj()
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png(data):
    return CompressedImage(header=HEADER, format="png", data=np.frombuffer(data, np.uint8))


def test_a_small_file_that_unfolds_to_gigabytes_is_refused_before_it_does():
    assert encodings.from_compressed(png(png_of(300, 200))).shape == (200, 300, 3)
    bomb = png_of(16000, 16000)
    assert len(bomb) < 300_000
    resource = pytest.importorskip("resource", reason="peak memory is known on Unix only")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FastganError, match="16000 x 16000 pixels"):
        encodings.from_compressed(png(bomb))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    raw = message("mono8", 8193, 8192, bytes(8193 * 8192))
    with pytest.raises(FastganError, match="publish it smaller"):
        encodings.to_rgb(raw)


def test_compressed_depth_is_named(picture):
    msg = compressed(".png", "16UC1; compressedDepth png", picture)
    with pytest.raises(FastganError, match="which is depth"):
        encodings.from_compressed(msg)


def test_fields_of_an_image():
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    fields = encodings.image_fields(pixels, "mono16")
    assert np.shares_memory(fields["data"], pixels)
    assert (encodings.to_labels(Image(header=HEADER, **fields)) == pixels).all()
    fields = encodings.image_fields(pixels[:, ::2], "mono16")  # rows apart
    assert (fields["height"], fields["width"], fields["step"], len(fields["data"])) == (4, 3, 6, 24)
    assert (encodings.to_labels(Image(header=HEADER, **fields)) == pixels[:, ::2]).all()

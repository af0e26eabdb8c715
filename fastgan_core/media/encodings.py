"""ROS image messages to arrays and back: the one place that knows encodings, steps and byte order.

It needs no ROS: a message is anything with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage,
whose `data` is a buffer of bytes (rclpy's array.array, the NumPy array of a bag's reader).

The results are those of cv_bridge: its table of conversions and its scaling of 16 bits.

Every function raises `FastganError` for a message that cannot be used; the text says what to do about it.
"""

import io
import sys
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from fastgan_core.errors import FastganError


class _Layout(NamedTuple):
    """How the pixels of an encoding lie in memory and which OpenCV code makes RGB of them."""

    depth: type  # of one channel
    channels: int
    code: int | None = None  # None: RGB already
    planar: bool = False  # a half-height plane of chroma follows the picture


# A ROS Bayer name lists the first 2 x 2 pixels; OpenCV's old names list the second row's second and third
# pixel, so that bayer_rggb8 is its BayerBG. The old names are used because OpenCV 4.5 lacks the new ones.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}

_LAYOUTS = {
    "rgb8": _Layout(np.uint8, 3),
    "bgr8": _Layout(np.uint8, 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Layout(np.uint8, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Layout(np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": _Layout(np.uint8, 3, cv2.COLOR_BGR2RGB),
    "8UC4": _Layout(np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "rgb16": _Layout(np.uint16, 3),
    "bgr16": _Layout(np.uint16, 3, cv2.COLOR_BGR2RGB),
    "rgba16": _Layout(np.uint16, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": _Layout(np.uint16, 4, cv2.COLOR_BGRA2RGB),
    "mono16": _Layout(np.uint16, 1, cv2.COLOR_GRAY2RGB),
    "16UC1": _Layout(np.uint16, 1, cv2.COLOR_GRAY2RGB),
    "yuv422": _Layout(np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Layout(np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Layout(np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Layout(np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
    "nv12": _Layout(np.uint8, 1, cv2.COLOR_YUV2RGB_NV12, planar=True),
    "nv21": _Layout(np.uint8, 1, cv2.COLOR_YUV2RGB_NV21, planar=True),
    **{f"bayer_{name}8": _Layout(np.uint8, 1, code) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": _Layout(np.uint16, 1, code) for name, code in _BAYER.items()},
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings that `to_rgb` takes on every machine."""

MAX_PIXELS = 1 << 26
"""Larger images are refused, 67 megapixels (8192 x 8192): a small PNG can unfold to many gigabytes."""

_LABELS = ("mono8", "mono16", "8UC1", "16UC1")
_WRITABLE = {"mono8": (np.uint8, 2), "mono16": (np.uint16, 2), "rgb8": (np.uint8, 3), "bgr8": (np.uint8, 3)}


def to_rgb(msg: Any) -> np.ndarray:
    """The picture in `msg`: (H, W, 3) uint8 RGB, any encoding of `ENCODINGS`, any step, any byte order.

    16-bit channels are scaled to 8 bits (65535 -> 255). For rgb8 the result is a view of the message's own
    bytes, padding skipped: copy it before writing to it or to the message.
    """
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        raise FastganError(
            f"The image has encoding {msg.encoding or 'unset'}, which is not supported; publish it as one of "
            f"{', '.join(ENCODINGS)}."
        )
    pixels = _view(msg, layout, "image")
    if layout.code is not None:
        try:
            pixels = cv2.cvtColor(pixels, layout.code)
        except cv2.error as error:
            raise FastganError(
                f"The image of {msg.width} x {msg.height} pixels cannot be read as {msg.encoding}: this "
                "encoding needs an even width (nv12 and nv21 an even height too). Crop the image by one "
                "pixel or publish it as rgb8."
            ) from error
    if layout.depth is np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    return pixels


def to_labels(msg: Any) -> np.ndarray:
    """The label image in `msg`: (H, W) uint8 (mono8, 8UC1) or uint16 (mono16, 16UC1), a copy.

    0 is the background, any other value the id of an object.
    """
    if msg.encoding not in _LABELS:
        raise FastganError(
            f"The mask has encoding {msg.encoding or 'unset'}; send a label image as mono8 or mono16: "
            "0 = background, the object's id elsewhere."
        )
    return np.array(_view(msg, _LAYOUTS[msg.encoding], "mask"))


def from_compressed(msg: Any) -> np.ndarray:
    """The picture in `msg` (JPEG or PNG): (H, W, 3) uint8 RGB."""
    if "compressedDepth" in msg.format:
        raise FastganError(
            f"The compressed image has format {msg.format!r}, which is depth; subscribe to the colour "
            "camera's topic that ends in /compressed."
        )
    data = bytes(msg.data)
    if not _complete(data):
        raise FastganError(
            f"The compressed image ({msg.format or 'no format given'}, {len(data)} bytes) is cut off before "
            "its end; this frame is lost. If it happens often, the link to the camera drops data: lower its "
            "rate, size or JPEG quality."
        )
    _check_size(*_announced_size(msg.format, data), "compressed image")
    try:
        # The camera's pixel grid counts, also for a mask that was drawn on it: no turning by EXIF.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise _undecodable(msg.format, data)
    # image_transport writes "rgb8; jpeg compressed bgr8"; "compressed rgb8" means that red and blue went into
    # the encoder exchanged and come out so.
    if "compressed rgb" in msg.format:
        return bgr
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def image_fields(pixels: np.ndarray, encoding: str) -> dict[str, Any]:
    """The fields of an Image, all but its header, for (H, W) uint8 as mono8, (H, W) uint16 as mono16, (H, W, 3)
    uint8 as rgb8 or bgr8.

    `data` is the pixels' bytes, (step * H,) uint8, a view where rows lie end to end already. Nothing is
    converted: the channels are in that order.
    """
    if encoding not in _WRITABLE:
        raise FastganError(f"Images are not published as {encoding!r}; use one of {', '.join(_WRITABLE)}.")
    depth, dims = _WRITABLE[encoding]
    shape_fits = pixels.ndim == dims and pixels.shape[2:] in ((), (3,)) and pixels.size > 0
    if pixels.dtype != depth or not shape_fits:
        raise FastganError(
            f"An array of shape {pixels.shape} and type {pixels.dtype} is no {encoding} image; it takes "
            f"{'(H, W)' if dims == 2 else '(H, W, 3)'} {np.dtype(depth).name}, not empty."
        )
    data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
    height, width = pixels.shape[:2]
    return {
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": sys.byteorder == "big",
        "step": len(data) // height,
        "data": data,
    }


def _view(msg: Any, layout: _Layout, what: str) -> np.ndarray:
    """The pixels of `msg` where they lie: (H, W) or (H, W, C), (H * 3/2, W) if planar; native byte order."""
    height, width, step = msg.height, msg.width, msg.step
    if height == 0 or width == 0:
        raise FastganError(
            f"The {what} is {width} x {height} pixels; width and height must be at least 1: fill them in."
        )
    size = np.dtype(layout.depth).itemsize
    row = width * layout.channels * size
    if step < row:
        raise FastganError(
            f"The {what} has step {step}, less than the {row} bytes of a row of {width} pixels in "
            f"{msg.encoding}; set step to the bytes of one row, padding included."
        )
    rows = height + height // 2 if layout.planar else height
    if len(msg.data) != rows * step:
        raise FastganError(
            f"The {what} holds {len(msg.data)} bytes where step x rows = {step} x {rows} = {rows * step} are "
            "due; it was cut off or filled in wrongly by its publisher: send all rows, or correct height and "
            "step."
        )
    _check_size(width, height, what)
    order = ">" if msg.is_bigendian else "<"
    pixels = np.ndarray(
        (rows, width, layout.channels),
        np.dtype(layout.depth).newbyteorder(order),
        buffer=msg.data,
        strides=(step, layout.channels * size, size),
    )
    if size > 1:
        pixels = pixels.astype(layout.depth)  # swaps bytes if need be, and aligns rows of an odd step
    return pixels[..., 0] if layout.channels == 1 else pixels


def _check_size(width: int, height: int, what: str) -> None:
    if width * height > MAX_PIXELS:
        raise FastganError(
            f"The {what} has {width} x {height} pixels, more than the {MAX_PIXELS} that are taken; publish it smaller."
        )


def _announced_size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height as the header of a JPEG or PNG says, before anything is decoded."""
    # Pillow reads no more than the header here; its open() would add a limit and warnings of its own.
    reader = JpegImageFile if data.startswith(b"\xff\xd8") else PngImageFile
    try:
        with reader(io.BytesIO(data)) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise _undecodable(name, data) from error


def _undecodable(name: str, data: bytes) -> FastganError:
    return FastganError(
        f"The compressed image ({name or 'no format given'}, {len(data)} bytes) cannot be decoded; publish JPEG or PNG."
    )


def _complete(data: bytes) -> bool:
    """Whether a JPEG or PNG goes on to its end marker; OpenCV paints what is missing grey without a word."""
    if data.startswith(b"\xff\xd8"):
        # Inside a scan 0xFF is never followed by 0xD9, and some cameras pad after the marker.
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    return True

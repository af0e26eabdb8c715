"""ROS image messages made and read: `fastgan_core.media.encodings` with what needs the classes of ROS.

cv_bridge is asked only for encodings that are not in the table there: its Python side misreads rows whose
step is not a multiple of the pixel size, refuses `8UC3`, and fails under NumPy 2 for the other byte order.
"""

import array
import functools

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_core.media import encodings
from fastgan_core.media.encodings import ENCODINGS, from_compressed, to_labels

__all__ = ["ENCODINGS", "from_compressed", "to_labels", "to_msg", "to_rgb"]


def to_rgb(msg: Image) -> np.ndarray:
    """The picture in `msg`, as `fastgan_core.media.encodings` has it; cv_bridge, if there, reads other encodings."""
    bridge = _cv_bridge() if msg.encoding and msg.encoding not in ENCODINGS else None
    if bridge is not None:
        try:
            return np.asarray(bridge.imgmsg_to_cv2(msg, "rgb8"))
        except Exception:  # it raises its own, cv2's, NumPy's and Boost's; all mean "cannot"
            pass
    return encodings.to_rgb(msg)


def to_msg(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """A message of `pixels`: (H, W) uint8 as mono8, (H, W) uint16 as mono16, (H, W, 3) uint8 as rgb8 or bgr8.

    `header` is used as it is, not copied. Nothing is converted: the channels are already in that order.
    """
    fields = encodings.image_fields(pixels, encoding)
    # rclpy checks bytes and ndarrays one element at a time (0.1 s for VGA); an array.array it takes as it is.
    data = array.array("B")
    data.frombytes(fields.pop("data"))
    return Image(header=header, data=data, **fields)


@functools.cache
def _cv_bridge():
    """A CvBridge, or None where it is not installed or does not fit the installed NumPy."""
    try:
        from cv_bridge import CvBridge
    except Exception:  # built against another NumPy it fails with more than ImportError
        return None
    return CvBridge()

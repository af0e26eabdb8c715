"""What a tracker and those who talk to it agree on: how it publishes, what it is asked, what they wait for."""

import numpy as np
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from fastgan_interfaces.srv import SetReferenceBox, SetReferenceMask
from fastgan_ros.messages.images import to_msg

# Reliable matches every subscriber; three frames bridge a hiccup of a recorder without becoming a queue.
OUTPUT_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=3, reliability=ReliabilityPolicy.RELIABLE)
PATIENCE = 90.0  # seconds that the answer about a reference is waited for: over 60, the largest catch_up_budget
# What a reference does with the objects that are tracked; the same numbers in both services.
MODES = {
    "replace": SetReferenceMask.Request.MODE_REPLACE,
    "add": SetReferenceMask.Request.MODE_ADD,
    "more": SetReferenceMask.Request.MODE_MORE,
}
NO_IMAGE = "No image has arrived yet"  # how the refusal of a reference begins that came before the camera


def reference_request(
    labels: np.ndarray, image: np.ndarray | None = None, mode: str = "replace", header: Header | None = None
) -> SetReferenceMask.Request:
    """The service's request for ``(H, W)`` labels, and the ``(H, W, 3) uint8 RGB`` frame that they belong to.

    Without an image the mask applies to the frame that the header's stamp names, without a stamp to the newest.
    ``mode`` is one of :data:`MODES`.
    """
    header = header or Header()
    encoding = "mono8" if labels.dtype == np.uint8 else "mono16"
    request = SetReferenceMask.Request(mask=to_msg(labels, encoding, header))
    request.mode = MODES[mode]
    if image is not None:
        request.image = to_msg(image, "rgb8", header)
    return request


def box_request(
    box: tuple[int, int, int, int],
    number: int = 0,
    image: np.ndarray | None = None,
    mode: str = "replace",
    header: Header | None = None,
) -> SetReferenceBox.Request:
    """The service's request for a box ``x, y, width, height`` in pixels around object ``number`` (0: a free id).

    Without an image the box applies to the frame that the header's stamp names, without a stamp to the newest.
    ``mode`` is one of :data:`MODES`.
    """
    header = header or Header()
    x, y, width, height = box
    request = SetReferenceBox.Request(header=header, id=number)
    request.box = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
    request.mode = MODES[mode]
    if image is not None:
        request.image = to_msg(image, "rgb8", header)
    return request

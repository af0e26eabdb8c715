"""What the node publishes for a frame: label image, overlay, objects."""

import numpy as np
from sensor_msgs.msg import Image, RegionOfInterest

from fastgan_core.media.painting import colours, overlay
from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_ros.messages.contract import OUTPUT_QOS
from fastgan_ros.messages.images import to_msg

_STATES = {"tracked": TrackedObject.STATE_TRACKED, "lost": TrackedObject.STATE_LOST}


class Outputs:
    """The publishers of a lifecycle node; silent unless the node is active.

    `settings` is called for the current values of `mask_encoding` and `overlay_alpha`.
    """

    def __init__(self, node, settings):
        self._node = node
        self._settings = settings
        self.mask = node.create_lifecycle_publisher(Image, "~/mask", OUTPUT_QOS)
        self.overlay = node.create_lifecycle_publisher(Image, "~/overlay", OUTPUT_QOS)
        # rviz shows mono8 as it is, and ids are all but black there.
        self.mask_color = node.create_lifecycle_publisher(Image, "~/mask_color", OUTPUT_QOS)
        self.objects = node.create_lifecycle_publisher(TrackedObjects, "~/objects", OUTPUT_QOS)

    def compose(self, frame, tracked) -> list:
        """Return (publisher, message) pairs for a frame; every header is the input image's."""
        settings = self._settings()
        depth = np.uint16 if settings.mask_encoding == "mono16" else np.uint8
        labels = tracked.labels.astype(depth, copy=False)
        objects = [_message(tracked_object) for tracked_object in tracked.objects]
        messages = [
            (self.mask, to_msg(labels, settings.mask_encoding, frame.header)),
            (self.objects, TrackedObjects(header=frame.header, objects=objects)),
        ]
        if self.overlay.get_subscription_count():
            painted = overlay(frame.rgb, tracked.labels, settings.overlay_alpha)
            messages.append((self.overlay, to_msg(painted, "rgb8", frame.header)))
        if self.mask_color.get_subscription_count():
            messages.append((self.mask_color, to_msg(colours(tracked.labels), "rgb8", frame.header)))
        return messages

    def publish(self, messages: list) -> None:
        """Publish what compose() returned."""
        for publisher, message in messages:
            publisher.publish(message)

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        for publisher in (self.mask, self.mask_color, self.overlay, self.objects):
            self._node.destroy_lifecycle_publisher(publisher)


def _message(tracked) -> TrackedObject:
    x, y, width, height = tracked.box
    return TrackedObject(
        id=tracked.id,
        state=_STATES[tracked.state],
        score=float(tracked.score),
        area=tracked.area,
        box=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
    )

"""Passes one box of a detector on to the tracker: the best one of a class, whenever nothing is tracked.

python3 detection_to_reference.py --ros-args -r detections:=/detector/detections -p class_id:=person
"""

import math
import time

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import RegionOfInterest

from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_interfaces.srv import SetReferenceBox

PATIENCE = 10.0  # seconds after which an answer is taken for lost; above the tracker's catch_up_budget, 2 s as it ships


def box_request(detection, header) -> SetReferenceBox.Request:
    """The tracker's request for a vision_msgs/Detection2D.

    `header` is that of the detections, whose stamp is that of the image they were found in: the tracker keeps its
    last seconds of images, sets the box there and runs through to the present. ValueError for a box that is none.
    """
    # Humble and later have bbox.center.position; before, x and y were in the centre itself.
    centre = getattr(detection.bbox.center, "position", detection.bbox.center)
    left = max(centre.x - detection.bbox.size_x / 2, 0.0)
    top = max(centre.y - detection.bbox.size_y / 2, 0.0)
    right, bottom = centre.x + detection.bbox.size_x / 2, centre.y + detection.bbox.size_y / 2
    if not all(map(math.isfinite, (left, top, right, bottom))) or right <= left or bottom <= top:
        raise ValueError(f"the box from {left}, {top} to {right}, {bottom} has no area in the image")
    x, y = int(left), int(top)
    # RegionOfInterest has whole pixels, and grabbing one too many is better than cutting the object.
    box = RegionOfInterest(x_offset=x, y_offset=y, width=math.ceil(right) - x, height=math.ceil(bottom) - y)
    return SetReferenceBox.Request(header=header, box=box, mode=SetReferenceBox.Request.MODE_REPLACE)


def best(detections, class_id: str = ""):
    """The detection with the highest score among those of a class (empty: of any); None when there is none."""
    rated = [
        (result.hypothesis.score, number, detection)
        for number, detection in enumerate(detections)
        for result in detection.results
        if class_id in ("", result.hypothesis.class_id)
    ]
    return max(rated)[2] if rated else None


class DetectionToReference(Node):
    """Asks for a new reference when no object is in view, and for one at a time."""

    def __init__(self):
        from vision_msgs.msg import Detection2DArray  # ros-DISTRO-vision-msgs

        super().__init__("detection_to_reference")
        self._class = self.declare_parameter("class_id", "").value
        tracker = self.declare_parameter("tracker", "/fastgan_tracker").value
        self._tracked, self._answer, self._asked_at = False, None, 0.0
        self._client = self.create_client(SetReferenceBox, f"{tracker}/set_reference_box")
        self.create_subscription(TrackedObjects, f"{tracker}/objects", self._on_objects, 3)
        self.create_subscription(Detection2DArray, "detections", self._on_detections, 3)

    def _on_objects(self, msg: TrackedObjects) -> None:
        self._tracked = any(entry.state == TrackedObject.STATE_TRACKED for entry in msg.objects)

    def _on_detections(self, msg) -> None:
        detection = best(msg.detections, self._class)
        waited = time.monotonic() - self._asked_at
        asked = self._answer is not None and not self._answer.done() and waited < PATIENCE
        if self._tracked or detection is None or asked or not self._client.service_is_ready():
            return
        try:
            request = box_request(detection, msg.header)
        except ValueError as error:
            self.get_logger().warning(str(error))
            return
        if self._answer is not None:
            self._client.remove_pending_request(self._answer)
        self._answer, self._asked_at = self._client.call_async(request), time.monotonic()
        self._answer.add_done_callback(lambda done: self.get_logger().info(done.result().message))


def main() -> None:
    """Run until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(DetectionToReference())
    except KeyboardInterrupt:
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

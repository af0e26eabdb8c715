"""What the demo does over ROS: gives the reference mask, lets the camera go, collects the masks."""

import time

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.messages.contract import reference_request
from fastgan_ros.messages.images import to_labels
from fastgan_ros.messages.stamps import nanoseconds


class DemoClient(Node):
    """Listens to a `fastgan_tracker` and talks to it and to a `camera`.

    `masks` maps the stamp of each mask to its arrival, both in nanoseconds, and its label image as PNG.
    `check` is called while waiting and raises when there is nothing left to wait for.
    """

    def __init__(self, check):
        super().__init__("fastgan_demo")
        self.masks: dict[int, tuple[int, bytes]] = {}
        self.last_mask = time.monotonic()
        self._check = check
        self._status = DiagnosticStatus()
        self._values: dict[str, str] = {}
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.create_subscription(Image, "/fastgan_tracker/mask", self._on_mask, QoSProfile(depth=10))
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._reference = self.create_client(SetReferenceMask, "/fastgan_tracker/set_reference_mask")
        self._camera = self.create_client(SetParameters, "/camera/set_parameters")

    def spin_until(self, condition, seconds: float, what: str) -> None:
        """Serve ROS until condition() holds; `FastganError` naming `what` after `seconds` without it."""
        end = time.monotonic() + seconds
        while not condition():
            self._check()
            if time.monotonic() > end:
                said = self._status.message
                raise FastganError(f"Waited {seconds:.0f} s in vain for {what}. {said}".strip())
            self._executor.spin_once(timeout_sec=0.1)

    def wait_for_node(self, seconds: float) -> None:
        """Return once the tracker is active and answers the camera's images with (still empty) masks."""

        def ready():
            if self._status.level == DiagnosticStatus.ERROR:
                raise FastganError(self._status.message)
            return self._values.get("state") == "active" and self.masks

        self.spin_until(ready, seconds, "the node to become active and publish a first mask")

    def set_reference(self, frame: np.ndarray, labels: np.ndarray) -> str:
        """Send the mask with its image; returns the node's answer, `FastganError` with it when it refuses."""
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id="camera")
        request = reference_request(labels, frame, header=header)
        answer = self._call(self._reference, request, "the answer to the reference mask")
        if not answer.success:
            raise FastganError(f"The node refused the reference mask: {answer.message}")
        return answer.message

    def release_camera(self) -> None:
        """Let the camera, which holds its first frame, go on."""
        request = SetParameters.Request(parameters=[Parameter("hold", value=False).to_parameter_msg()])
        result = self._call(self._camera, request, "the camera's answer").results[0]
        if not result.successful:
            raise FastganError(f"The camera cannot be started: {result.reason}")
        self.last_mask = time.monotonic()

    def diagnostic(self, name: str) -> str:
        """The last value of `name` in the node's diagnostics that was not empty, "" if there was none."""
        return self._values.get(name, "")

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self.destroy_node()

    def _call(self, client, request, what: str):
        self.spin_until(client.service_is_ready, 30, f"the service {client.srv_name}")
        future = client.call_async(request)
        self.spin_until(future.done, 60, what)
        return future.result()

    def _on_mask(self, msg: Image) -> None:
        arrival = time.time_ns()
        self.last_mask = time.monotonic()
        stamp = nanoseconds(msg.header.stamp)
        self.masks[stamp] = arrival, cv2.imencode(".png", to_labels(msg))[1].tobytes()

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.startswith("fastgan_tracker"):
                self._status = status
                self._values |= {pair.key: pair.value for pair in status.values if pair.value}

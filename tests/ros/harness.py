"""A stand for the node: it runs in a thread here, the test talks to it over the network as anybody would."""

import contextlib
import itertools
import os
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.messages.images import to_msg
from fastgan_ros.node.tracker_node import TrackerNode
from fastgan_ros.programs.process import PatientExecutor, spin

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0  # much, for a machine that has other things to do; only a failure takes that long
_numbers = itertools.count()


def environment(*places: str, **more: str) -> dict[str, str]:
    """That of a process that uses the project wherever it is started, and what is in `places` before that."""
    path = os.pathsep.join(filter(None, (*places, str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, **more}


def wait_for(condition, what: str, timeout: float = TIMEOUT):
    """Return what condition() returns as soon as it is true; fail after the timeout."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(0.01)


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    """(H, W, 3) uint8 RGB with a bright box on a dark ramp."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 2] = np.linspace(0, 90, width, dtype=np.uint8)
    rgb[height // 4 : height // 2, width // 4 : width // 2] = (220, 180, 40)
    return rgb


def labels(height: int = 48, width: int = 64, ids=(1,), dtype=np.uint8) -> np.ndarray:
    """(H, W) label image with one band for each id."""
    out = np.zeros((height, width), dtype)
    for n, number in enumerate(ids):
        begin = (n + 1) * height // (len(ids) + 2)
        out[begin : begin + max(height // (len(ids) + 2), 1), width // 4 : width // 2] = number
    return out


def mask_msg(array: np.ndarray, stamp=None) -> Image:
    encoding = "mono16" if array.dtype == np.uint16 else "mono8"
    header = Header() if stamp is None else Header(stamp=stamp)
    return to_msg(array, encoding, header)


class Camera:
    """A publisher of images, each with a stamp of its own."""

    def __init__(self, node, topic="image", reliable=True, compressed=False):
        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.node = node
        self.compressed = compressed
        kind = CompressedImage if compressed else Image
        self.publisher = node.create_publisher(kind, topic, QoSProfile(depth=5, reliability=policy))
        self.rgb = picture()
        self.sent: list[int] = []  # stamps in ns
        self._timer = None
        self._streaming = threading.Lock()

    def message(self):
        header = Header(stamp=self.node.get_clock().now().to_msg(), frame_id="camera_optical")
        if not self.compressed:
            return to_msg(self.rgb, "rgb8", header)
        import cv2

        data = cv2.imencode(".png", self.rgb[..., ::-1])[1].tobytes()
        return CompressedImage(header=header, format="png", data=data)

    def send(self, message=None) -> int:
        """Publish one image and return its stamp in ns."""
        message = message or self.message()
        stamp = nanoseconds(message.header.stamp)
        self.sent.append(stamp)
        self.publisher.publish(message)
        return stamp

    def stream(self, rate: float = 20.0) -> "Camera":
        self._timer = self.node.create_timer(1.0 / rate, self._next)
        return self

    def _next(self) -> None:
        with self._streaming:
            if self._timer is not None:
                self.send()

    def stop(self) -> None:
        """End the stream; after this returns nothing more is sent, though what was sent may still be on its way."""
        with self._streaming:
            if self._timer is not None:
                self.node.destroy_timer(self._timer)
                self._timer = None

    def destroy(self) -> None:
        self.stop()
        self.node.destroy_publisher(self.publisher)


def nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class Tracker(TrackerNode):
    """The node, spinning in threads of this process as process.run() would have it spin in its own."""

    def __init__(self, namespace: str, arguments: list[str], parameters: list[Parameter]):
        context = rclpy.Context()
        rclpy.init(context=context)
        try:
            super().__init__(context=context, namespace=namespace, cli_args=arguments, parameter_overrides=parameters)
        except Exception:
            rclpy.shutdown(context=context)
            raise
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._executor_ = PatientExecutor(self, context=context)
        self._executor_.add_node(self)
        self._thread = threading.Thread(target=spin, args=(self._executor_, self._stop), daemon=True)
        self._thread.start()

    def error(self, line: str) -> None:
        """Stands in for the executor's logger."""
        self.errors.append(line)

    def end(self) -> list[str]:
        """End the node as process.run() does; return what its callbacks raised."""
        self._stop.set()
        self._executor_.interrupt()
        self._thread.join()
        self._executor_.finish()
        self.close()
        self.destroy_node()
        rclpy.shutdown(context=self.context)
        return self.errors


class Rig:
    """`node` is the tester's, in a namespace that no other test uses.

    Each tracker has a ROS context of its own: contexts of one process meet on the network only, as processes do.
    """

    def __init__(self, weights: str, namespace: str = "", name: str = "tester"):
        self.weights = weights
        self.name = name
        self.namespace = namespace or f"/rig{os.getpid()}_{next(_numbers)}"
        self._trackers: list[Tracker] = []
        self._clients: dict = {}
        self._diagnostics: list | None = None

    def __enter__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node(self.name, context=self.context, namespace=self.namespace)
        self._stop = threading.Event()
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        errors = [line for tracker in self._trackers for line in tracker.end()]
        self._stop.set()
        self._executor.create_task(lambda: None)
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
        assert not errors, "callbacks of the node raised:\n" + "\n".join(errors)

    def _spin(self):
        while not self._stop.is_set():
            with contextlib.suppress(InvalidHandle):  # the test destroyed something of its own
                self._executor.spin_once(timeout_sec=0.5)

    def tracker(self, wait: bool = True, remap=(), **parameters) -> TrackerNode:
        """Start the node with fast settings unless told otherwise; wait until it has started."""
        values = {"weights": self.weights, "device": "cpu", "input_size": 64, "diagnostics_period": 0.1}
        values |= {"backend": "torch"}  # the choice takes seconds
        values |= parameters
        arguments = ["--ros-args", *(part for rule in remap for part in ("-r", rule))]
        node = Tracker(self.namespace, arguments, [Parameter(n, value=v) for n, v in values.items()])
        self._trackers.append(node)
        if wait and values.get("autostart", True):
            wait_for(lambda: node.state == "active" or node.trouble, "the node to start")
        return node

    def end(self, tracker) -> None:
        """End a node before the test does."""
        self._trackers.remove(tracker)
        errors = tracker.end()
        assert not errors, errors

    def camera(self, topic="image", **options) -> Camera:
        return Camera(self.node, topic, **options)

    def ready(self, tracker, camera, *publishers) -> None:
        """Wait until the camera reaches the tracker, and each of its publishers somebody."""
        offered = camera.publisher.qos_profile.reliability
        wanted = "reliable" if offered == ReliabilityPolicy.RELIABLE else "best_effort"
        wait_for(lambda: tracker.camera.reliability == wanted, f"the node to become {wanted}")
        wait_for(lambda: camera.publisher.get_subscription_count() == 1, "the node to find the camera")
        for publisher in publishers:
            wait_for(publisher.get_subscription_count, "the node to find the subscriber")

    def collect(self, kind, name: str) -> list:
        """Subscribe and return the list that messages are appended to."""
        messages: list = []
        self.node.create_subscription(kind, name, messages.append, QoSProfile(depth=50))
        return messages

    def call(self, kind, name: str, request=None):
        """Call a service of the tracker and return its answer."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, f"fastgan_tracker/{name}")
        client = self._clients[name]
        assert client.wait_for_service(TIMEOUT), f"service {name} is not there"
        future = client.call_async(request or kind.Request())
        wait_for(future.done, f"an answer of {name}")
        return future.result()

    def transition(self, label: str) -> bool:
        """Ask the tracker for a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(label=label))
        return self.call(ChangeState, "change_state", request).success

    def lifecycle_state(self) -> str:
        return self.call(GetState, "get_state").current_state.label

    def diagnostics(self, tracker, matches):
        """Return the values and the message of the next diagnostics of the tracker that match."""
        if self._diagnostics is None:
            self._diagnostics = self.collect(DiagnosticArray, "/diagnostics")
        del self._diagnostics[:]
        name = f"{tracker.get_fully_qualified_name().lstrip('/')}: tracking"

        def found():
            for array in list(self._diagnostics):
                for status in array.status:
                    if status.name == name and matches(status):
                        return status
            return None

        return wait_for(found, "matching diagnostics")

    def set_reference(self, mask, image=None, mode=0):
        request = SetReferenceMask.Request(mode=mode)
        request.mask = mask if isinstance(mask, Image) else mask_msg(mask)
        if image is not None:
            request.image = image if isinstance(image, Image) else to_msg(image, "rgb8", Header())
        return self.call(SetReferenceMask, "set_reference_mask", request)

    def remove(self, *ids):
        return self.call(RemoveObjects, "remove_objects", RemoveObjects.Request(ids=ids))

    def reset(self):
        return self.call(Trigger, "reset")

    def pause(self, paused: bool):
        return self.call(SetBool, "set_paused", SetBool.Request(data=paused))

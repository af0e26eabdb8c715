"""The ROS side of the operator's window: what the tracker and its camera publish.

Callbacks run in threads of their own and only store what arrived.
"""

import threading
from typing import NamedTuple

from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from sensor_msgs.msg import Image

from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_ros import explain
from fastgan_ros.console import Console
from fastgan_ros.outputs import OUTPUT_QOS
from fastgan_ros.pairing import Pairing
from fastgan_ros.process import PatientExecutor, spin
from fastgan_ros.subscription import ImageSubscription
from fastgan_ros.tracker_requests import TrackerRequests

_TRANSPORTS = {kind: transport for transport, kind in explain.TYPES.items()}


class Seen(NamedTuple):
    """An object as the tracker last reported it."""

    number: int
    lost: bool


class TrackerLink(Node):
    """Follows the tracker of the name `tracker`, such as ``/fastgan_tracker``, and its camera.

    `image` is the camera's topic, raw or compressed; None: the one that the tracker subscribes to.
    """

    def __init__(self, tracker: str, image: str | None = None, **kwargs):
        super().__init__("select_reference", **kwargs)
        self.tracker = "/" + tracker.strip("/")
        self.pictures = Pairing()
        self.requests = TrackerRequests(self, self.tracker)
        self._given = self.resolve_topic_name(image) if image else None
        self._objects: dict[int, Seen] = {}
        self._state, self._asked = "", None
        self._camera: ImageSubscription | None = None
        self._console = Console(self.get_logger())
        self.create_subscription(Image, f"{self.tracker}/mask", self.pictures.add_mask, OUTPUT_QOS)
        self.create_subscription(TrackedObjects, f"{self.tracker}/objects", self._on_objects, OUTPUT_QOS)
        self.history: float | None = None  # seconds that the tracker keeps frames, once it has said so
        self._get_parameters = self.create_client(GetParameters, f"{self.tracker}/get_parameters")
        self._get_state = self.create_client(GetState, f"{self.tracker}/get_state")
        self.create_timer(0.5, self._review)
        self._stop = threading.Event()
        self._executor = PatientExecutor(self.get_logger(), threads=2, context=self.context)
        self._executor.add_node(self)
        self._thread = threading.Thread(target=spin, args=(self._executor, self._stop), name="ros", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the node can then be destroyed."""
        self._stop.set()
        self._executor.interrupt()
        self._thread.join()
        self._executor.finish()

    @property
    def lives(self) -> bool:
        """Whether it still listens: not after close() and not once ROS has shut down."""
        return not self._stop.is_set()

    def objects(self) -> list[Seen]:
        """The objects that the tracker follows, by id."""
        objects = self._objects
        return [objects[number] for number in sorted(objects)]

    def trouble(self) -> str:
        """Why nothing is to be seen or sent, in words with the fix; empty when all is well."""
        if not self.requests.possible:
            return f"There is no {self.tracker}: is it running, with this name (--node) and ROS_DOMAIN_ID?"
        if self._state.endswith("ing"):  # configuring, activating
            return f"{self.tracker} is {self._state}; please wait."
        if self._state not in ("", "active"):
            return f"{self.tracker} is {self._state}: run 'ros2 lifecycle set {self.tracker} activate'."
        if self._camera is None:
            return f"Waiting for {self._given or f'the camera of {self.tracker}'}; --image gives another topic."
        topic = self._camera.topic
        if self.pictures.silent("image"):
            nodes = sorted({publisher.node for publisher in self._camera.publishers()})
            if not nodes:
                return f"Nobody publishes {topic}: start the camera, or give another topic with --image."
            return f"{' and '.join(nodes)} publishes {topic}, but no image arrives here."
        if self.pictures.silent("mask"):
            return f"No masks for {topic} come from {self.tracker}: is it paused, or does it watch another camera?"
        return ""

    def _on_objects(self, msg: TrackedObjects) -> None:
        lost = TrackedObject.STATE_LOST
        self._objects = {entry.id: Seen(entry.id, entry.state == lost) for entry in msg.objects}

    def _review(self) -> None:
        """Twice a second: follow the camera and its reliability, give up on answers, ask for the tracker's state."""
        topic, transport = self._topic()
        if topic and (self._camera is None or self._camera.topic != topic):
            if self._camera:
                self._camera.stop()
            camera = ImageSubscription(self, transport, "auto", self.pictures.add_image, self._console, topic)
            camera.start()
            self._camera = camera
        elif self._camera:
            self._camera.review()
        self.requests.give_up()
        if self._asked is not None and self._asked.done():
            before, self._state = self._state, self._asked.result().current_state.label
            self._asked = None
            if self._state == "active" != before and self._get_parameters.service_is_ready():
                request = GetParameters.Request(names=["history_seconds"])
                self._get_parameters.call_async(request).add_done_callback(self._on_history)
        if not self._get_state.service_is_ready():
            self._state, self._asked = "", None
        elif self._asked is None:
            self._asked = self._get_state.call_async(GetState.Request())

    def _on_history(self, future) -> None:
        values = future.result().values
        self.history = values[0].double_value if values else None

    def _topic(self) -> tuple[str, str]:
        """The camera's topic, given or that which the tracker takes, and its transport; empty: not there yet."""
        if self._given:
            topics = [entry for entry in self.get_topic_names_and_types() if entry[0] == self._given]
        else:
            namespace, _, name = self.tracker.rpartition("/")
            try:
                topics = self.get_subscriber_names_and_types_by_node(name, namespace or "/")
            except Exception:  # it is not there; the exception's class and place differ between releases
                topics = []
        found = ((topic, _TRANSPORTS[kind]) for topic, kinds in topics for kind in kinds if kind in _TRANSPORTS)
        return next(found, ("", ""))

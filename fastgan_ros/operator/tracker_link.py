"""The ROS side of the operator's window: what the tracker and its camera publish.

Callbacks run in threads of their own and only store what arrived.
"""

import threading
import time
from typing import NamedTuple

from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from sensor_msgs.msg import Image

from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_ros.messages import explain
from fastgan_ros.messages.contract import OUTPUT_QOS
from fastgan_ros.messages.pairing import Pairing
from fastgan_ros.messages.subscription import ImageSubscription
from fastgan_ros.operator.tracker_requests import TrackerRequests
from fastgan_ros.programs.console import Console
from fastgan_ros.programs.process import PatientExecutor, spin

_TRANSPORTS = {kind: transport for transport, kind in explain.TYPES.items()}
ANSWER = 5.0  # seconds after which a question is asked again: on a bad link answers get lost


class Question:
    """A request that is made again and again, one at a time; `client` is that of a service that answers at once."""

    def __init__(self, client):
        self._client = client
        self._future, self._asked_at = None, 0.0

    @property
    def possible(self) -> bool:
        """Whether the service is there."""
        return self._client.service_is_ready()

    def ask(self, request) -> None:
        """Ask, unless an answer is being waited for."""
        if self._future is not None and time.monotonic() - self._asked_at < ANSWER:
            return
        self.forget()
        self._future, self._asked_at = self._client.call_async(request), time.monotonic()

    def answer(self):
        """The answer, once; None while there is none."""
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        return future.result()

    def forget(self) -> None:
        """Wait for no answer any more."""
        if self._future is not None:
            self._client.remove_pending_request(self._future)
        self._future = None


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
        self._state = ""
        self._camera: ImageSubscription | None = None
        self._console = Console(self.get_logger())
        self.create_subscription(Image, f"{self.tracker}/mask", self.pictures.add_mask, OUTPUT_QOS)
        self.create_subscription(TrackedObjects, f"{self.tracker}/objects", self._on_objects, OUTPUT_QOS)
        self.history: float | None = None  # seconds that the tracker keeps frames, once it has said so
        self._parameters = Question(self.create_client(GetParameters, f"{self.tracker}/get_parameters"))
        self._states = Question(self.create_client(GetState, f"{self.tracker}/get_state"))
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
        """Twice a second: follow the camera and its reliability, give up on answers, ask the tracker how it is."""
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
        self._follow_state()
        self._follow_history()

    def _follow_state(self) -> None:
        if not self._states.possible:
            self._states.forget()
            self._state, self._objects = "", {}
            return
        if answer := self._states.answer():
            self._state = answer.current_state.label
        if self._state not in ("", "active"):
            self._objects = {}  # it forgot them, and publishes nothing that says so
        self._states.ask(GetState.Request())

    def _follow_history(self) -> None:
        """Once each time that the tracker becomes active: only before can it change."""
        if self._state != "active":
            self._parameters.forget()
            self.history = None
            return
        if (answer := self._parameters.answer()) and answer.values:
            value = answer.values[0]
            self.history = value.double_value if value.type == ParameterType.PARAMETER_DOUBLE else None
        if self.history is None and self._parameters.possible:
            self._parameters.ask(GetParameters.Request(names=["history_seconds"]))

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

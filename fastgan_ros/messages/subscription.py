"""The subscription to the camera: topic, reliability, and what is wrong when nothing arrives."""

import threading

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from fastgan_ros.messages import explain

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_TYPES = {"raw": Image, "compressed": CompressedImage}
_POLICIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


class ImageSubscription:
    """Subscribes to the topic `image` of a node and follows the reliability of its publishers.

    `setting` is the parameter `reliability`; `callback` takes each message and must return at once.
    review() is to be called now and then. With `topic` it is that one, whatever `image` is remapped to.
    """

    def __init__(self, node, transport: str, setting: str, callback, console, topic: str | None = None):
        self._node = node
        self._transport = transport
        self._setting = setting
        self._callback = callback
        self._console = console
        self._lock = threading.Lock()
        self._subscription = None
        self.topic = topic or self._topic()
        # Best effort hears every publisher; review() asks for reliable where that is offered.
        self.reliability = explain.wanted_reliability(setting, []) or "best_effort"

    def start(self) -> None:
        """Subscribe."""
        with self._lock:
            self._subscribe()
        self.review()

    def stop(self) -> None:
        """End the subscription."""
        with self._lock:
            self._unsubscribe()

    def review(self) -> None:
        """Look at the topic's publishers: follow their reliability, log what cannot be followed."""
        with self._lock:
            if self._subscription is None:
                return
            publishers = self.publishers()
            usable = [p.reliable for p in publishers if p.type == explain.TYPES[self._transport]]
            wanted = explain.wanted_reliability(self._setting, usable)
            if wanted not in (None, self.reliability):
                self._unsubscribe()
                self.reliability = wanted
                self._subscribe()
                self._node.get_logger().info(f"Following the publisher of {self.topic}: {wanted}.")
        problem = self._problem(publishers)
        if problem:
            self._console.warn("image publisher", problem)

    def problem(self) -> str | None:
        """Return a sentence when some publisher of the topic cannot be heard, or several are."""
        return self._problem(self.publishers())

    def silence(self) -> str:
        """Return why no image arrives and what to do; for when none did."""
        return explain.silence(
            self.topic, self._transport, self.reliability, self.publishers(), self._other_topics()
        )

    def publishers(self) -> list[explain.Endpoint]:
        """Return the publishers of the topic that the graph shows."""
        found = self._node.get_publishers_info_by_topic(self.topic)
        return [
            explain.Endpoint(
                node=_full_name(p),
                type=p.topic_type,
                reliable=p.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
            )
            for p in found
        ]

    def _problem(self, publishers) -> str | None:
        return (
            explain.wrong_type(self.topic, self._transport, publishers)
            or explain.mismatch(self.topic, self.reliability, publishers)
            or explain.several(self.topic, publishers)
        )

    def _topic(self) -> str:
        resolve = self._node.resolve_topic_name
        if self._transport == "raw":
            return resolve("image")
        # Both ways to remap are in use: the base name, to which /compressed is added, or the full one.
        full = resolve("image/compressed")
        if full != resolve("image/compressed", only_expand=True):
            return full
        base = resolve("image")
        return base if base.endswith("/compressed") else base + "/compressed"

    def _other_topics(self) -> dict[str, str]:
        others = {}
        for name, types in self._node.get_topic_names_and_types():
            for kind in types:
                if kind not in explain.TYPES.values() or name == self.topic:
                    continue
                own = (self._node.get_name(), self._node.get_namespace())
                publishers = self._node.get_publishers_info_by_topic(name)
                if any((p.node_name, p.node_namespace) != own for p in publishers):
                    others[name] = kind
        return others

    def _subscribe(self) -> None:
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=_POLICIES[self.reliability])
        # A group of its own each time: an executor that was about to run a callback of a destroyed
        # subscription may leave its group locked.
        group = MutuallyExclusiveCallbackGroup()
        arguments = (_TYPES[self._transport], self.topic, self._callback, qos)
        try:
            events = SubscriptionEventCallbacks(incompatible_qos=lambda _: self.review())
            self._subscription = self._node.create_subscription(
                *arguments, callback_group=group, event_callbacks=events
            )
        except UnsupportedEventTypeError:  # some middlewares; review() finds out by itself, a little later
            self._subscription = self._node.create_subscription(*arguments, callback_group=group)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None


def _full_name(endpoint) -> str:
    if "UNKNOWN" in endpoint.node_name:
        return explain.UNNAMED
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"

"""Why no image arrives, in a sentence with the fix; no ROS in here but its words."""

from typing import NamedTuple

TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}


UNNAMED = "Some node"  # the middleware finds a publisher before it learns the name of its node


class Endpoint(NamedTuple):
    """A publisher as the graph shows it."""

    node: str
    type: str
    reliable: bool


def wanted_reliability(setting: str, offers: list[bool]) -> str | None:
    """Return "reliable" or "best_effort", or None to stay as it is.

    `setting` is the parameter; `offers` says of each publisher whether it is reliable. A best-effort
    publisher never reaches a reliable subscriber, the other way round it does; but reliable alone sends
    lost pieces of a large image again, so it is used where every publisher offers it.
    """
    if setting != "auto":
        return setting
    if not offers:
        return None
    return "reliable" if all(offers) else "best_effort"


def mismatch(topic: str, reliability: str, publishers: list[Endpoint]) -> str | None:
    """Return a sentence when publishers of the topic cannot reach a subscriber of this reliability."""
    deaf = sorted({p.node for p in publishers if reliability == "reliable" and not p.reliable})
    if not deaf:
        return None
    return (
        f"{_listed(deaf)} offers {topic} as best effort but this node asks for reliable, so nothing arrives "
        "from there: set the parameter reliability to auto or best_effort."
    )


def wrong_type(topic: str, transport: str, publishers: list[Endpoint]) -> str | None:
    """Return a sentence when the topic is published with another type than the one subscribed to."""
    others = sorted({p.type for p in publishers if p.type != TYPES[transport]})
    if not others:
        return None
    sentence = f"{topic} is published as {_listed(others)}, but this node expects {TYPES[transport]}"
    other = "compressed" if transport == "raw" else "raw"
    if TYPES[other] in others:
        return f"{sentence}: set the parameter image_transport to {other}."
    return f"{sentence}: point the topic 'image' at a camera image."


def several(topic: str, publishers: list[Endpoint]) -> str | None:
    """Return a sentence when nodes of different names publish the topic.

    A camera that was killed and started again is in the graph twice for a while, under one name.
    """
    names = sorted({p.node for p in publishers} - {UNNAMED})
    if len(names) < 2:
        return None
    return (
        f"{_listed(names)} publish {topic}, and the node takes their frames for one video: stop all but one, or "
        "start with --ros-args -r image:= and a topic that one camera has for itself."
    )


def silence(
    topic: str, transport: str, reliability: str, publishers: list[Endpoint], others: dict[str, str]
) -> str:
    """Return why nothing arrives on a topic and what to do.

    `others` are image topics that do have a publisher, name to type.
    """
    sentence = wrong_type(topic, transport, publishers) or mismatch(topic, reliability, publishers)
    if sentence:
        return sentence
    if publishers:
        names = _listed(sorted({p.node for p in publishers}))
        return (
            f"{names} publishes {topic} but sends nothing: see whether the camera runs "
            f"(ros2 topic hz {topic})."
        )
    return f"Nobody publishes {topic}; {_suggestion(topic, transport, others)}"


def _suggestion(topic: str, transport: str, others: dict[str, str]) -> str:
    same = sorted(name for name, kind in others.items() if kind == TYPES[transport])
    if same:
        shown = _listed(same[:3]) + (f" and {len(same) - 3} more" if len(same) > 3 else "")
        # The subscription appends /compressed to the name that the user gives.
        name = same[0].removesuffix("/compressed") if transport == "compressed" else same[0]
        return f"there is {shown}: start with --ros-args -r image:={name}."
    other = "compressed" if transport == "raw" else "raw"
    rest = sorted(name for name, kind in others.items() if kind == TYPES[other])
    if rest:
        name = rest[0].removesuffix("/compressed") if other == "compressed" else rest[0]
        return (
            f"there is only {other} video, on {_listed(rest[:3])}: start with --ros-args "
            f"-p image_transport:={other} -r image:={name}."
        )
    return (
        "there is no other image topic either: start the camera, and see that it uses the same ROS_DOMAIN_ID."
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]

"""docs/node.md against the running node: topics, services, parameters and diagnostics, no more and no less."""

import re
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from fastgan_ros.node.parameters import table

DOCS = (Path(__file__).parents[3] / "docs" / "node.md").read_text()
NODE = "fastgan_tracker"
# What every lifecycle node has: ROS's own documentation is about these.
ROS_OWN = re.compile(
    r"/rosout|/parameter_events|/transition_event|/clock|_parameters|_parameter_types|/get_type_description|_state|_transition"
)


def documented(heading: str) -> dict[str, str]:
    """The names in the first column of a section's tables and the second column beside them."""
    section = re.search(rf"## {heading}\n(.*?)(?=\n## |\Z)", DOCS, re.S)[1]
    found = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            first, second = (cell.strip() for cell in line.split("|")[1:3])
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), second)
    return found


def absolute(rig, names: dict[str, str]) -> dict[str, str]:
    """Names as the graph has them, types as the docs write them."""
    resolved = (name.replace("~", f"{rig.namespace}/{NODE}") for name in names)
    return {
        name if name[0] == "/" else f"{rig.namespace}/{name}": kind
        for name, kind in zip(resolved, names.values(), strict=True)
    }


def own(pairs) -> dict[str, str]:
    return {name: re.sub("/(msg|srv)/", "/", kinds[0]) for name, kinds in pairs if not ROS_OWN.search(name)}


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_topics(rig, transport):
    node = rig.tracker(image_transport=transport)
    topics = documented("Topics")
    other = "image/compressed" if transport == "raw" else "image"
    assert topics.pop(other) != topics["image" if transport == "raw" else "image/compressed"]
    name = node.get_name(), node.get_namespace()
    found = node.get_publisher_names_and_types_by_node(*name) + node.get_subscriber_names_and_types_by_node(*name)
    assert own(found) == absolute(rig, topics)


def test_services(rig):
    node = rig.tracker()
    found = node.get_service_names_and_types_by_node(node.get_name(), node.get_namespace())
    assert own(found) == absolute(rig, documented("Services"))


def test_parameters():
    assert table() in DOCS, "python -m fastgan_ros.node.parameters prints the table of docs/node.md"


def test_diagnostics(rig):
    status = rig.diagnostics(rig.tracker(), lambda status: True)
    assert {pair.key for pair in status.values} == set(documented("Diagnostics"))

"""config/sros2_policy.xml against the running nodes: each may do what it does, and nothing else."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import rclpy
from harness import Rig

from fastgan_ros.tools.set_reference import Client

POLICY = ET.parse(Path(__file__).parents[3] / "config" / "sros2_policy.xml").getroot()
TRACKER = "fastgan_tracker"
KINDS = (("topics", "publish"), ("topics", "subscribe"), ("services", "reply"), ("services", "request"))
# Which distributions of ROS have them differs: allowed, not demanded.
OPTIONAL = {"get_type_description", "clock", "parameter_events", "rosout"}


def allowed(enclave: str, node: str) -> dict[str, set[str]]:
    """What the policy lets a node do."""
    (profile,) = POLICY.findall(f"enclaves/enclave[@path='/fastgan/{enclave}']/profiles/profile")
    assert profile.attrib == {"ns": "/", "node": node}
    found: dict[str, set[str]] = {right: set() for _, right in KINDS}
    for group, right in KINDS:
        for rules in profile.findall(group):
            if rules.get(right) == "ALLOW":
                found[right] |= {"/" + rule.text.replace("~", node).lstrip("/") for rule in rules}
    return found


def does(node, namespace: str = "") -> dict[str, set[str]]:
    """What a node does, as the graph shows it; names as if its namespace were the root."""
    name = node.get_name(), node.get_namespace()
    pairs = {
        "publish": node.get_publisher_names_and_types_by_node(*name),
        "subscribe": node.get_subscriber_names_and_types_by_node(*name),
        "reply": node.get_service_names_and_types_by_node(*name),
        "request": node.get_client_names_and_types_by_node(*name),
    }
    return {right: {topic.removeprefix(namespace) for topic, _ in found} for right, found in pairs.items()}


def compare(found: dict[str, set[str]], rules: dict[str, set[str]]) -> None:
    for right, names in found.items():
        assert names <= rules[right], f"{right}: not allowed, but done"
        unused = {name for name in rules[right] - names if name.rsplit("/", 1)[1] not in OPTIONAL}
        assert not unused, f"{right}: allowed, but never done"


def test_the_tracker(rig, weights):
    found = does(rig.tracker(use_sim_time=True), rig.namespace)
    with Rig(weights) as other:
        more = does(other.tracker(image_transport="compressed"), other.namespace)
    assert "/clock" in found["subscribe"] and "/image/compressed" in more["subscribe"]
    compare({right: found[right] | more[right] for right in found}, allowed("tracker", TRACKER))


def test_the_command_that_sends_masks():
    rclpy.init()
    node = Client(f"/{TRACKER}")
    try:
        compare(does(node), allowed("set_reference", "set_reference"))
    finally:
        node.destroy_node()
        rclpy.shutdown()


def test_the_window():
    link = pytest.importorskip("fastgan_ros.operator.tracker_link", reason="the window's node")
    rclpy.init()
    node = link.TrackerLink(f"/{TRACKER}")
    try:
        found = does(node)
        found["subscribe"] |= {"/image", "/image/compressed"}  # as soon as it sees which of them the tracker takes
        compare(found, allowed("select_reference", "select_reference"))
    finally:
        node.destroy_node()
        rclpy.shutdown()


def test_there_is_no_rule_for_other_nodes_or_for_all_names():
    paths = {enclave.get("path") for enclave in POLICY.findall("enclaves/enclave")}
    assert paths == {"/fastgan/tracker", "/fastgan/set_reference", "/fastgan/select_reference"}
    assert not [rule.text for rule in POLICY.iter() if not len(rule) and "*" in rule.text]

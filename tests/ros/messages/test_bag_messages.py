"""What the library writes into bags without ROS is what ROS reads: types, hashes and bytes, by the real rclpy."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("rosbags", reason="needs the package rosbags")

import rclpy
from rclpy.serialization import deserialize_message, serialize_message
from rosbags import rosbag2
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_core.media.bags import Bag, Moment, typestore
from fastgan_core.media.new_bag import MASK_TOPIC, OBJECTS_TOPIC, NewBag
from fastgan_core.tracked import Tracked, describe
from fastgan_interfaces.msg import TrackedObject, TrackedObjects
from fastgan_ros.messages.images import to_labels, to_msg

KINDS = {MASK_TOPIC: Image, OBJECTS_TOPIC: TrackedObjects}


@pytest.fixture(params=["sqlite3", "mcap"])
def new_bag(request, tmp_path):
    """A bag with one frame in it: object 300 is there, 7 is lost."""
    types = typestore().types
    stamp = types["builtin_interfaces/msg/Time"](sec=12, nanosec=999_999_999)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="Kamera ✓")
    labels = np.zeros((5, 7), np.uint16)
    labels[1:3, 2:5] = 300
    bag = NewBag(tmp_path / "new", request.param)
    bag.write(Moment(13 * 10**9, header), Tracked(labels, describe(labels, (300, 7), [0.75, 0.0], [0]), 1))
    bag.close()
    return tmp_path / "new", labels


def test_rclpy_reads_the_messages(new_bag):
    path, labels = new_bag
    with rosbag2.Reader(path) as reader:
        found = {c.topic: (time, deserialize_message(data, KINDS[c.topic])) for c, time, data in reader.messages()}
    (time, mask), (_, report) = found[MASK_TOPIC], found[OBJECTS_TOPIC]
    assert time == 13 * 10**9
    assert mask.encoding == "mono16" and (to_labels(mask) == labels).all()
    assert mask.header == report.header
    assert (mask.header.stamp.sec, mask.header.stamp.nanosec) == (12, 999_999_999)
    assert mask.header.frame_id == "Kamera ✓"
    seen = TrackedObject(id=300, state=TrackedObject.STATE_TRACKED, score=0.75, area=6)
    seen.box.x_offset, seen.box.y_offset, seen.box.width, seen.box.height = 2, 1, 3, 2
    assert report.objects == [seen, TrackedObject(id=7, state=TrackedObject.STATE_LOST)]


def test_the_hashes_are_those_of_ros(new_bag):
    path, _ = new_bag
    with rosbag2.Reader(path) as reader:
        written = {connection.topic: connection.digest for connection in reader.connections}
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("hashes", context=context)
    try:
        publishers = [node.create_publisher(kind, topic, 1) for topic, kind in KINDS.items()]
        known = {p.topic_name: node.get_publishers_info_by_topic(p.topic_name)[0] for p in publishers}
        if not hasattr(known[MASK_TOPIC], "topic_type_hash"):
            pytest.skip("this ROS is older than type hashes (Iron)")
        assert {topic: _text(info.topic_type_hash) for topic, info in known.items()} == written
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def _text(type_hash) -> str:
    return f"RIHS{type_hash.version:02d}_{bytes(type_hash.value).hex()}"


@pytest.mark.parametrize("storage", ["SQLITE3", "MCAP"])
def test_a_bag_of_what_rclpy_serialised_is_read(tmp_path, storage):
    store, rgb = typestore(), np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    header = Header(frame_id="camera")
    header.stamp.sec = 7
    image = to_msg(rgb, "bgr8", header)
    with rosbag2.Writer(tmp_path / "bag", version=9, storage_plugin=rosbag2.StoragePlugin[storage]) as writer:
        connection = writer.add_connection("/camera", "sensor_msgs/msg/Image", typestore=store)
        writer.write(connection, 5, serialize_message(image))
    ((moment, frame),) = Bag(tmp_path / "bag")
    assert (frame == rgb[..., ::-1]).all()
    assert (moment.time, moment.header.stamp.sec, moment.header.frame_id) == (5, 7, "camera")

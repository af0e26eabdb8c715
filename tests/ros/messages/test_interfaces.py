"""fastgan_interfaces: the messages as written, and as they arrive over real rclpy."""

import array
import os
import re
import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

try:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import DurabilityPolicy, QoSProfile

    from fastgan_interfaces.msg import TrackedObject, TrackedObjects
    from fastgan_interfaces.srv import RemoveObjects, SetReferenceBox, SetReferenceMask

    MISSING = ""
except ImportError as error:
    MISSING = str(error)

needs_ros = pytest.mark.skipif(
    bool(MISSING), reason=f"rclpy or fastgan_interfaces is not installed: {MISSING}"
)
SOURCE = Path(__file__).resolve().parents[3] / "fastgan_interfaces"
TIMEOUT = 8.0  # seconds; discovery and one call take well under one


def interface_files() -> list[Path]:
    files = sorted([*SOURCE.glob("msg/*.msg"), *SOURCE.glob("srv/*.srv")])
    assert len(files) == 5
    return files


def test_cmake_builds_every_interface():
    # pip takes all files that are there, CMake those that are named: they must be the same.
    named = re.findall(r'"((?:msg|srv)/\w+\.\w+)"', (SOURCE / "CMakeLists.txt").read_text())
    assert named == [str(path.relative_to(SOURCE)) for path in interface_files()]


def test_every_package_used_is_declared():
    text = "\n".join(path.read_text() for path in interface_files())
    used = set(re.findall(r"^(\w+)/\w+", text, re.MULTILINE))
    declared = {item.text for item in ElementTree.parse(SOURCE / "package.xml").iter("depend")}
    cmake = (SOURCE / "CMakeLists.txt").read_text()
    assert used == declared
    assert used == set(re.findall(r"^\s*DEPENDENCIES ([\w ]+)", cmake, re.MULTILINE)[0].split())
    assert used <= set(re.findall(r"find_package\((\w+)", cmake))


def test_pip_build_without_generators_says_what_to_install(monkeypatch, tmp_path):
    generate = runpy.run_path(str(SOURCE / "rosidl_pip.py"))["generate"]
    monkeypatch.setitem(sys.modules, "rosidl_adapter", None)
    with pytest.raises(SystemExit, match=re.escape('pip install "ros-rclpy[fastrtps]==7.1.6"')):
        generate(SOURCE, Path(sys.prefix), tmp_path)
    assert not list(tmp_path.iterdir())


@needs_ros
def test_constants():
    assert (TrackedObject.STATE_TRACKED, TrackedObject.STATE_LOST) == (1, 2)
    assert TrackedObject().state == 0  # a message that nobody filled in is neither
    for service in (SetReferenceMask, SetReferenceBox):
        assert [getattr(service.Request, f"MODE_{name}") for name in ("REPLACE", "ADD", "MORE")] == [0, 1, 2]


@needs_ros
def test_fields():
    assert TrackedObject.get_fields_and_field_types() == {
        "id": "uint16",
        "state": "uint8",
        "score": "float",
        "area": "uint32",
        "box": "sensor_msgs/RegionOfInterest",
    }
    assert TrackedObjects.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "objects": "sequence<fastgan_interfaces/TrackedObject>",
    }
    assert SetReferenceMask.Request.get_fields_and_field_types() == {
        "mask": "sensor_msgs/Image",
        "image": "sensor_msgs/Image",
        "mode": "uint8",
    }
    where = {
        "stamp": "builtin_interfaces/Time",
        "delay": "builtin_interfaces/Duration",
        "frames_run": "uint32",
        "frames_skipped": "uint32",
    }
    answer = {"success": "boolean", "message": "string", **where}
    assert SetReferenceMask.Response.get_fields_and_field_types() == {**answer, "ids": "sequence<uint16>"}
    assert SetReferenceBox.Request.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "box": "sensor_msgs/RegionOfInterest",
        "id": "uint16",
        "image": "sensor_msgs/Image",
        "mode": "uint8",
    }
    assert SetReferenceBox.Response.get_fields_and_field_types() == {
        **answer,
        "id": "uint16",
        "mask": "sensor_msgs/Image",
    }
    assert RemoveObjects.Request.get_fields_and_field_types() == {"ids": "sequence<uint16>"}
    assert RemoveObjects.Response.get_fields_and_field_types() == {
        "success": "boolean",
        "message": "string",
        "remaining": "sequence<uint16>",
    }


@pytest.fixture
def ros():
    """Two nodes of a context of their own, and a function that spins them until a future is done."""
    context = rclpy.Context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_LOCALHOST_ONLY", "1")
        rclpy.init(context=context, domain_id=40 + os.getpid() % 60)
        server = rclpy.create_node("interfaces_server", context=context)
        client = rclpy.create_node("interfaces_client", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(server)
    executor.add_node(client)

    def wait(future):
        executor.spin_until_future_complete(future, timeout_sec=TIMEOUT)
        assert future.done(), f"nothing arrived within {TIMEOUT} s"
        return future.result()

    yield server, client, wait
    executor.shutdown()
    server.destroy_node()
    client.destroy_node()
    rclpy.shutdown(context=context)


def call(ros, kind, request, answer):
    """Sends `request` to a service that replies with answer(request as received, response)."""
    server, client, wait = ros
    server.create_service(kind, "service", answer)
    caller = client.create_client(kind, "service")
    assert caller.wait_for_service(timeout_sec=TIMEOUT)
    return wait(caller.call_async(request))


@needs_ros
def test_set_reference_mask_carries_images(ros):
    labels = bytearray(640 * 480)
    labels[1000:2000] = b"\x01" * 1000
    labels[9000:9100] = b"\xff" * 100
    pixels = bytes(range(256)) * (640 * 480 * 3 // 256)

    request = SetReferenceMask.Request(mode=SetReferenceMask.Request.MODE_ADD)
    request.mask.header.frame_id = "camera"
    request.mask.header.stamp.sec, request.mask.header.stamp.nanosec = 1234, 999_999_999
    for image, encoding, step, data in (
        (request.mask, "mono8", 640, labels),
        (request.image, "rgb8", 1920, pixels),
    ):
        image.width, image.height, image.encoding, image.step = 640, 480, encoding, step
        image.data = array.array("B", data)
    received = []

    def answer(incoming, response):
        received.append(incoming)
        response.success = True
        response.message = "Zwei Objekte gesetzt: 1 und 65535 ✓"
        response.ids = [1, 65535]
        response.stamp = incoming.mask.header.stamp
        return response

    response = call(ros, SetReferenceMask, request, answer)

    assert received == [request]
    assert bytes(received[0].mask.data) == labels and bytes(received[0].image.data) == pixels
    assert response.success is True
    assert response.message == "Zwei Objekte gesetzt: 1 und 65535 ✓"
    assert list(response.ids) == [1, 65535]
    assert (response.stamp.sec, response.stamp.nanosec) == (1234, 999_999_999)


@needs_ros
def test_remove_objects(ros):
    def answer(incoming, response):
        response.success = not incoming.ids
        response.message = f"ids {list(incoming.ids)} are not set"
        response.remaining = [7]
        return response

    response = call(ros, RemoveObjects, RemoveObjects.Request(ids=[3, 65535]), answer)

    assert response.success is False
    assert response.message == "ids [3, 65535] are not set"
    assert list(response.remaining) == [7]


@needs_ros
def test_tracked_objects(ros):
    server, client, wait = ros
    sent = TrackedObjects()
    sent.header.frame_id = "camera"
    sent.header.stamp.sec, sent.header.stamp.nanosec = 12, 34
    seen = TrackedObject(id=65535, state=TrackedObject.STATE_TRACKED, score=0.75, area=2**32 - 1)
    seen.box.x_offset, seen.box.y_offset, seen.box.width, seen.box.height = 5, 6, 7, 8
    sent.objects = [seen, TrackedObject(id=1, state=TrackedObject.STATE_LOST)]

    # Transient local, so that it does not matter which of the two is there first.
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    arrived = rclpy.task.Future()
    client.create_subscription(TrackedObjects, "objects", arrived.set_result, qos)
    server.create_publisher(TrackedObjects, "objects", qos).publish(sent)
    received = wait(arrived)

    assert received == sent
    assert received.objects[0].area == 2**32 - 1 and received.objects[0].box.height == 8
    assert received.objects[1].state == TrackedObject.STATE_LOST and received.objects[1].score == 0.0

"""Reliability of camera and node in every combination, and what is said when no image arrives."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from harness import Rig, wait_for
from sensor_msgs.msg import Image

from fastgan_ros.messages import explain
from fastgan_ros.messages.explain import Endpoint


@pytest.mark.parametrize("offered", ["reliable", "best_effort"])
@pytest.mark.parametrize("asked", ["auto", "reliable", "best_effort"])
def test_reliability(rig, offered, asked):
    tracker = rig.tracker(reliability=asked)
    camera = rig.camera(reliable=offered == "reliable").stream()
    if (asked, offered) == ("reliable", "best_effort"):
        status = rig.diagnostics(tracker, lambda s: f"{rig.namespace}/tester offers" in s.message)
        assert status.level == status.WARN
        assert "best effort" in status.message and "auto" in status.message
        assert tracker.tally["received"] == 0
    else:
        expected = offered if asked == "auto" else asked
        wait_for(tracker.camera.publishers, "the node to find the camera")
        tracker.camera.review()
        assert tracker.camera.reliability == expected
        before = tracker.tally["published"]
        wait_for(lambda: tracker.tally["published"] > before, "masks")
    camera.stop()


def test_auto_follows_a_camera_that_comes_back_different(rig):
    tracker = rig.tracker()
    for reliable in (True, False, True):
        camera = rig.camera(reliable=reliable).stream()
        expected = "reliable" if reliable else "best_effort"
        wait_for(lambda expected=expected: tracker.camera.reliability == expected, f"{expected} to be followed")
        before = tracker.tally["published"]
        wait_for(lambda before=before: tracker.tally["published"] > before, "masks")
        camera.destroy()
        wait_for(lambda: not tracker.camera.publishers(), "the camera to be gone")


def test_with_two_cameras_of_both_kinds_both_are_heard(rig):
    tracker = rig.tracker()
    cameras = [rig.camera(reliable=reliable) for reliable in (True, False)]
    wait_for(lambda: len(tracker.camera.publishers()) == 2, "both cameras")
    wait_for(lambda: tracker.camera.reliability == "best_effort", "the weaker of both")
    for camera in cameras:
        wait_for(lambda camera=camera: camera.publisher.get_subscription_count() == 1, "the subscription")
        before = tracker.tally["received"]
        wait_for(lambda camera=camera, n=before: camera.send() and tracker.tally["received"] > n, "its image")


def test_the_camera_may_stop_and_restart(rig, capfd):
    tracker = rig.tracker(no_image_timeout=0.3)
    camera = rig.camera().stream()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    wait_for(lambda: masks, "a mask")
    camera.stop()
    status = rig.diagnostics(tracker, lambda s: "sends nothing" in s.message)
    assert status.level == status.WARN and f"{rig.namespace}/image" in status.message
    console = ""

    def heard(words):
        nonlocal console
        console += capfd.readouterr().err
        return words in console

    wait_for(lambda: heard("No image for"), "the console to say so")
    camera.destroy()
    rig.diagnostics(tracker, lambda s: "Nobody publishes" in s.message)
    camera = rig.camera().stream()
    count = len(masks)
    wait_for(lambda: len(masks) > count, "masks again")
    assert rig.diagnostics(tracker, lambda s: "Waiting for a mask" in s.message).level == b"\x00"
    wait_for(lambda: heard("Images arrive"), "the console to say that it is over")
    camera.stop()


def test_a_silent_topic_names_the_topic_that_is_there(rig):
    tracker = rig.tracker(no_image_timeout=0.3)
    rig.camera("front/image_raw")
    status = rig.diagnostics(tracker, lambda s: "front/image_raw" in s.message)
    assert f"image:={rig.namespace}/front/image_raw" in status.message


def test_a_topic_of_the_other_type_is_named(rig):
    tracker = rig.tracker(no_image_timeout=0.3)
    with Rig(rig.weights, rig.namespace) as elsewhere:  # Fast DDS refuses a second type within one context
        elsewhere.camera("image", compressed=True)
        status = rig.diagnostics(tracker, lambda s: "image_transport" in s.message)
    assert "CompressedImage" in status.message and "compressed" in status.message


def test_two_cameras_on_one_topic_are_named(rig):
    tracker = rig.tracker()
    with Rig(rig.weights, rig.namespace, "other_camera") as elsewhere:
        for each in (rig, elsewhere):
            each.camera().stream()
        status = rig.diagnostics(tracker, lambda s: "for one video" in s.message)
        assert status.level == status.WARN
        assert f"{rig.namespace}/other_camera and {rig.namespace}/tester publish" in status.message
    rig.diagnostics(tracker, lambda s: "for one video" not in s.message)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["/cam"], None),
        (["/cam", "/cam"], None),
        (["/cam", explain.UNNAMED], None),
        (["/cam", "/front"], "/cam and /front publish /image"),
    ],
)
def test_several_publishers_are_told_from_one_that_restarted(names, words):
    said = explain.several("/image", [Endpoint(name, RAW, True) for name in names])
    assert words in said if words else said is None


RAW, JPEG = explain.TYPES["raw"], explain.TYPES["compressed"]


@pytest.mark.parametrize(
    ("setting", "offers", "wanted"),
    [
        ("auto", [], None),
        ("auto", [True], "reliable"),
        ("auto", [True, True], "reliable"),
        ("auto", [True, False], "best_effort"),
        ("auto", [False], "best_effort"),
        ("reliable", [False], "reliable"),
        ("best_effort", [True], "best_effort"),
    ],
)
def test_wanted_reliability(setting, offers, wanted):
    assert explain.wanted_reliability(setting, offers) == wanted


@pytest.mark.parametrize(
    ("transport", "publishers", "others", "words"),
    [
        ("raw", [], {}, "ROS_DOMAIN_ID"),
        ("raw", [], {"/cam/image_raw": RAW}, "-r image:=/cam/image_raw."),
        ("raw", [], {f"/cam{n}": RAW for n in range(5)}, "/cam0, /cam1 and /cam2 and 2 more"),
        ("raw", [], {"/cam/compressed": JPEG}, "-p image_transport:=compressed -r image:=/cam."),
        ("compressed", [], {"/cam/compressed": JPEG}, "-r image:=/cam."),
        ("compressed", [], {"/cam": RAW}, "-p image_transport:=raw -r image:=/cam."),
        ("raw", [Endpoint("/cam", JPEG, True)], {}, "image_transport to compressed"),
        ("raw", [Endpoint("/lidar", "sensor_msgs/msg/PointCloud2", True)], {}, "point the topic 'image'"),
        ("raw", [Endpoint("/cam", RAW, True)], {}, "/cam publishes /image but sends nothing"),
        ("raw", [Endpoint("/cam", RAW, False)], {}, "/cam offers /image as best effort"),
    ],
)
def test_silence_is_explained(transport, publishers, others, words):
    assert words in explain.silence("/image", transport, "reliable", publishers, others)

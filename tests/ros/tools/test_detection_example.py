"""The example that passes a detector's box on: its conversion with messages, and with the real node."""

import importlib.util
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import rclpy
from builtin_interfaces.msg import Time
from harness import nanoseconds, wait_for
from std_msgs.msg import Header

from fastgan_interfaces.srv import SetReferenceBox

PATH = Path(__file__).parents[3] / "docs" / "examples" / "detection_to_reference.py"
SPEC = importlib.util.spec_from_file_location("detection_to_reference", PATH)
example = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(example)


def detection(x, y, width, height, score=0.5, class_id="person"):
    """Shaped as vision_msgs/Detection2D, which is not on PyPI; the real one where ROS has it."""
    try:
        from vision_msgs.msg import Detection2D, ObjectHypothesisWithPose
    except ImportError:
        centre = SimpleNamespace(position=SimpleNamespace(x=x, y=y), theta=0.0)
        found = SimpleNamespace(hypothesis=SimpleNamespace(class_id=class_id, score=score))
        return SimpleNamespace(
            bbox=SimpleNamespace(center=centre, size_x=width, size_y=height), results=[found], header=Header()
        )
    made = Detection2D()
    made.bbox.center.position.x, made.bbox.center.position.y = x, y
    made.bbox.size_x, made.bbox.size_y = width, height
    made.results.append(ObjectHypothesisWithPose())
    made.results[0].hypothesis.score, made.results[0].hypothesis.class_id = score, class_id
    return made


def corners(request) -> tuple[int, int, int, int]:
    return request.box.x_offset, request.box.y_offset, request.box.width, request.box.height


def test_the_box_is_about_the_centre_and_the_stamp_that_of_the_image():
    header = Header(stamp=Time(sec=12, nanosec=50))
    request = example.box_request(detection(100.0, 60.0, 40.0, 20.0), header)
    assert corners(request) == (80, 50, 40, 20)
    assert request.header.stamp == header.stamp and request.mode == request.MODE_REPLACE


def test_fractions_are_rounded_outwards_and_the_image_has_an_edge():
    assert corners(example.box_request(detection(10.2, 9.9, 5.0, 4.0), Header())) == (7, 7, 6, 5)
    assert corners(example.box_request(detection(3.0, 4.0, 20.0, 10.0), Header())) == (0, 0, 13, 9)


@pytest.mark.parametrize("box", [(5.0, 5.0, 0.0, 4.0), (float("nan"), 5.0, 4.0, 4.0), (-50.0, 5.0, 4.0, 4.0)])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ValueError, match="no area in the image"):
        example.box_request(detection(*box), Header())


def test_the_best_of_the_class_is_taken():
    found = [detection(1.0, 1, 1, 1, 0.4), detection(2.0, 1, 1, 1, 0.9, "dog"), detection(3.0, 1, 1, 1, 0.6)]
    assert example.best(found, "person") is found[2] and example.best(found) is found[1]
    assert example.best(found, "cat") is None and example.best([]) is None


def test_the_node_takes_it_for_the_frame_of_the_detection(rig):
    tracker, camera = rig.tracker(), rig.camera()
    rig.ready(tracker, camera)
    stamps = []
    for _ in range(4):
        stamps.append(camera.send())
        wait_for(lambda: tracker.worker.history.extent()[0] == len(stamps), "the image to be kept")
    header = Header(stamp=Time(sec=stamps[1] // 10**9, nanosec=stamps[1] % 10**9))
    request = example.box_request(detection(24.0, 18.0, 20.0, 16.0), header)
    answer = rig.call(SetReferenceBox, "set_reference_box", request)
    assert answer.success, answer.message
    assert nanoseconds(answer.stamp) == stamps[1] and answer.frames_run == 2
    assert tracker.tracker.ids == (1,)


def test_a_lost_answer_does_not_end_the_asking(rig, monkeypatch):
    try:
        import vision_msgs.msg  # noqa: F401
    except ImportError:  # its type is all that is needed of it: what arrives is handed over here
        stand_in = SimpleNamespace(Detection2DArray=Header)
        monkeypatch.setitem(sys.modules, "vision_msgs", SimpleNamespace(msg=stand_in))
        monkeypatch.setitem(sys.modules, "vision_msgs.msg", stand_in)
    monkeypatch.setattr(example, "PATIENCE", 0.5)
    asked: list = []

    def answer(request, response):
        asked.append(request)
        return response

    rig.node.create_service(SetReferenceBox, "fastgan_tracker/set_reference_box", answer)
    rclpy.init(args=["example", "--ros-args", "-p", f"tracker:={rig.namespace}/fastgan_tracker"])
    try:
        node = example.DetectionToReference()  # does not spin: no answer arrives
        found = SimpleNamespace(detections=[detection(24.0, 18.0, 20.0, 16.0)], header=Header())

        def ask():
            node._on_detections(found)
            return len(asked)

        wait_for(lambda: ask() == 1, "the first request")
        time.sleep(0.6)
        wait_for(lambda: ask() == 2, "the second one")
        ask()
        time.sleep(0.2)
        assert len(asked) == 2, "one at a time"
    finally:
        rclpy.try_shutdown()

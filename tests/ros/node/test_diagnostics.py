"""What is made of the node's figures."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")

from fastgan_ros.frames.tally import Report
from fastgan_ros.node.diagnostics import ERROR, OK, WARN, judge


def report(age=0.02, **recent):
    return Report({}, recent, 15.0, 15.0, None if age is None else (age, age), {})


@pytest.mark.parametrize(
    ("arguments", "level", "words"),
    [
        ((report(), None, False, (1, 2), []), OK, "Tracking 2 objects at 15.0 Hz"),
        ((report(), None, False, (), []), OK, "set_reference_mask"),
        ((report(), None, True, (1,), []), OK, "set_paused"),
        ((report(), None, False, (1, 2), [2]), WARN, "Lost: 2 of 2"),
        ((report(), "No image for 4 s.", False, (1,), [1]), WARN, "No image for 4 s."),
        ((report(unusable=3), None, False, (1,), []), WARN, "3 images"),
        ((report(failed=2), "No image", False, (1,), []), ERROR, "2 frames failed"),
        ((report(age=4000.0), None, False, (1,), []), WARN, "use_sim_time"),
        ((report(age=-5.0), None, False, (1,), []), WARN, "clock"),
        ((report(age=None), None, False, (1,), []), OK, "Tracking"),
    ],
)
def test_judgement(arguments, level, words):
    judged, message = judge(*arguments)
    assert judged == level and words in message

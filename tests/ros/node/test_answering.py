"""Every request is answered: also one that rclpy raises on, also to a client that the middleware finds late."""

import warnings

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from builtin_interfaces.msg import Time
from harness import labels, picture
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from fastgan_ros.messages.images import to_msg
from fastgan_ros.node import answering

STRANGE = Parameter(name="lost_threshold", value=ParameterValue(type=11))
GOOD = Parameter(name="lost_threshold", value=ParameterValue(type=3, double_value=0.25))


def test_a_parameter_of_an_unknown_type_is_refused_and_those_beside_it_are_set(rig):
    tracker = rig.tracker(autostart=False)
    request = SetParameters.Request(parameters=[STRANGE, GOOD, STRANGE])
    results = rig.call(SetParameters, "set_parameters", request).results
    assert [result.successful for result in results] == [False, True, False]
    assert "11 is not a valid" in results[0].reason and tracker.settings.lost_threshold == 0.25
    together = SetParametersAtomically.Request(parameters=[GOOD, STRANGE])
    result = rig.call(SetParametersAtomically, "set_parameters_atomically", together).result
    assert not result.successful and "11 is not a valid" in result.reason


def test_what_any_service_raises_is_an_answer(rig, monkeypatch, capfd):
    tracker = rig.tracker(autostart=False)

    def fail(_):
        raise KeyError("surprise")

    monkeypatch.setattr(tracker, "get_parameter", fail)
    answer = rig.call(GetParameters, "get_parameters", GetParameters.Request(names=["device"]))
    assert not answer.values and "surprise" in capfd.readouterr().err


class Line:
    """Stands in for the middleware: it finds the client at a given try, and says so as rclpy does."""

    def __init__(self, found_at: int):
        self.tries, self.found_at = 0, found_at

    def send(self, response, header):
        self.tries += 1
        if self.tries < self.found_at:
            warnings.warn("failed to send response (timeout): client will not receive response", RuntimeWarning, 1)


@pytest.mark.parametrize(("found_at", "said"), [(1, False), (5, False), (10**9, True)])
def test_an_answer_is_sent_again_until_its_client_is_found(monkeypatch, found_at, said):
    lines, line = [], Line(found_at)
    monkeypatch.setattr(answering, "PATIENCE", 0.05)
    logger = type("Logger", (), {"warning": staticmethod(lines.append)})
    answering._patient(line.send, "reset", logger)(Trigger.Response(), None)
    assert bool(lines) == said
    assert line.tries == found_at or said


def test_a_stamp_that_no_other_way_can_be_written_comes_back_as_it_was(rig):
    tracker = rig.tracker()
    image = to_msg(picture(), "rgb8", Header(stamp=Time(sec=2**31 - 1, nanosec=2**32 - 1)))
    answer = rig.set_reference(labels(), image)
    assert answer.success and answer.stamp == image.header.stamp and tracker.tracker.ids == (1,)

"""Lifecycle: every transition, failures that leave the node alive, and memory that is given back."""

import gc
import shutil
import threading
import weakref

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from harness import TIMEOUT, labels, picture, wait_for
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from fastgan_ros.node.loading import load_tracker


def test_the_node_starts_itself(rig):
    rig.tracker()
    assert rig.lifecycle_state() == "active"


def test_the_node_tells_its_state_while_the_model_loads(rig, monkeypatch):
    loading, go_on = threading.Event(), threading.Event()

    def load(settings, say):
        loading.set()
        assert go_on.wait(TIMEOUT)
        return load_tracker(settings, say)

    monkeypatch.setattr("fastgan_ros.node.tracker_node.load_tracker", load)
    tracker = rig.tracker(wait=False)
    wait_for(loading.is_set, "the node to load")
    assert rig.lifecycle_state() == tracker.state == "configuring"
    answer = rig.reset()
    assert not answer.success and "configuring" in answer.message
    go_on.set()
    wait_for(lambda: tracker.state == "active", "the node to be active")


def test_every_transition(rig):
    tracker = rig.tracker(autostart=False)
    for label, reached in [
        ("configure", "inactive"), ("cleanup", "unconfigured"), ("configure", "inactive"),
        ("activate", "active"), ("deactivate", "inactive"), ("activate", "active"),
        ("deactivate", "inactive"), ("cleanup", "unconfigured"), ("configure", "inactive"),
        ("activate", "active"), ("shutdown", "finalized"),
    ]:  # fmt: skip
        assert rig.transition(label), label
        assert rig.lifecycle_state() == tracker.state == reached


def test_an_impossible_transition_is_answered(rig):
    tracker = rig.tracker()
    for label in ("activate", "configure", "cleanup", "no such transition"):
        assert not rig.transition(label)
    for number in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CLEANUP, 213):
        request = ChangeState.Request(transition=Transition(id=number))
        assert not rig.call(ChangeState, "change_state", request).success
    assert rig.lifecycle_state() == tracker.state == "active"
    assert rig.set_reference(labels(), picture()).success


@pytest.mark.parametrize("kind", ["missing", "damaged"])
def test_weights_that_cannot_be_loaded_leave_a_node_that_says_so_and_recovers(rig, tmp_path, kind):
    path = tmp_path / "model.safetensors"
    if kind == "damaged":
        path.write_bytes(b"not a checkpoint" * 100)
    tracker = rig.tracker(weights=str(path))
    assert rig.lifecycle_state() == "unconfigured"
    answer = rig.set_reference(labels(), picture())
    assert not answer.success and str(path) in answer.message and "configure" in answer.message
    status = rig.diagnostics(tracker, lambda s: str(path) in s.message)
    assert status.level == status.ERROR
    assert not rig.transition("configure")
    shutil.copy(rig.weights, path)
    assert rig.transition("configure") and rig.transition("activate")
    assert rig.set_reference(labels(), picture()).success


def test_another_device_can_be_given_after_the_first_is_not_there(rig):
    tracker = rig.tracker(device="cuda:77")
    assert tracker.state == "unconfigured" and "cuda:77" in tracker.trouble
    request = SetParameters.Request(parameters=[Parameter("device", value="cpu").to_parameter_msg()])
    assert rig.call(SetParameters, "set_parameters", request).results[0].successful
    assert rig.transition("configure") and rig.transition("activate")
    assert not tracker.trouble


def test_weights_that_vanish_while_inactive_fail_the_activation(rig, tmp_path):
    path = tmp_path / "model.safetensors"
    shutil.copy(rig.weights, path)
    tracker = rig.tracker(weights=str(path))
    assert rig.transition("deactivate")
    path.unlink()
    assert not rig.transition("activate")
    assert rig.lifecycle_state() == tracker.state == "inactive"
    assert str(path) in rig.reset().message
    shutil.copy(rig.weights, path)
    assert rig.transition("activate")
    assert rig.reset().success


def test_deactivating_frees_the_model_and_activating_starts_afresh(rig):
    tracker = rig.tracker()
    camera = rig.camera().stream()
    masks = rig.collect(Image, "fastgan_tracker/mask")
    assert rig.set_reference(labels(), picture()).success
    wait_for(lambda: masks, "a mask")
    alive = weakref.ref(tracker.tracker)
    assert rig.transition("deactivate")
    gc.collect()
    assert alive() is None
    assert camera.publisher.get_subscription_count() == 0 or wait_for(
        lambda: camera.publisher.get_subscription_count() == 0, "the subscription to end"
    )
    count = len(masks)
    assert rig.diagnostics(tracker, lambda s: "inactive" in s.message).level == b"\x00"
    assert rig.transition("activate")
    wait_for(lambda: len(masks) > count, "a mask after activating")
    assert not any(masks[-1].data) and tracker.tracker.ids == ()
    camera.stop()


def test_an_error_in_a_transition_ends_in_unconfigured(rig, monkeypatch):
    tracker = rig.tracker(autostart=False)

    def fail(*_):
        raise KeyError("surprise")

    with monkeypatch.context() as patch:
        patch.setattr("fastgan_ros.node.tracker_node.Outputs", fail)
        assert not rig.transition("configure")
    assert rig.lifecycle_state() == tracker.state == "unconfigured"
    assert "surprise" in rig.reset().message and tracker.tracker is None
    assert rig.transition("configure") and rig.transition("activate")


def test_cycles_leave_nothing_behind(rig):
    tracker = rig.tracker()
    entities = [len(list(kind)) for kind in (tracker.publishers, tracker.subscriptions, tracker.waitables)]
    for _ in range(4):
        assert rig.transition("deactivate") and rig.transition("activate")
    assert entities == [len(list(kind)) for kind in (tracker.publishers, tracker.subscriptions, tracker.waitables)]

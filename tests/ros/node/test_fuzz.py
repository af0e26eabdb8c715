"""Whatever comes, the node answers it or counts it, and the tracks live on.

FUZZ_CASES=20000 python -m pytest tests/ros/node/test_fuzz.py -s --timeout 0    runs 20,000 cases of each kind, and
1,000 over the wire
"""

import os
import time
from collections import Counter

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import fuzzing
import harness
from harness import labels, nanoseconds, picture, wait_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.frames import tally as events
from fastgan_ros.node import parameters

QUICK = 40
SECOND = 10**9
KEPT_SECONDS = 600  # of parameter history_seconds at its most
CASES = int(os.environ.get("FUZZ_CASES", QUICK))
# The quick run is the same every time; the long one finds new cases each time and prints how to repeat one.
COMMON = {
    "deadline": None,
    "database": None,
    "derandomize": CASES == QUICK,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}
MANY = settings(max_examples=CASES, **COMMON)
OVER_THE_WIRE = settings(max_examples=max(CASES // 20, 10), **COMMON)
ENDS = (events.PUBLISHED, events.DROPPED, events.PAUSED, events.UNUSABLE, events.OUTDATED, events.FAILED)


class Stand:
    """A node that tracks objects 1 and 2, and what became of the cases."""

    def __init__(self, rig, tracker):
        self.rig, self.tracker = rig, tracker
        self.seen: Counter[str] = Counter()
        self.again = 0  # cases after which the first good image had no mask within a second
        self.services = {service.srv_name.rsplit("/", 1)[1]: service for service in tracker.services}
        self.mark()

    def begin(self) -> None:
        """Before each case: one that failed must not fail those after it."""
        if self.ids() != (1, 2):
            self.mark()

    def ids(self) -> tuple:
        return tuple(self.tracker.tracker.ids)

    def call(self, kind, name: str, request):
        """Call the service's own callback, as the executor does."""
        return self.services[name].callback(request, kind.Response())

    def mark(self) -> None:
        """Set objects 1 and 2."""
        image = harness.to_msg(picture(), "rgb8", harness.Header())
        request = SetReferenceMask.Request(mask=harness.mask_msg(labels(ids=(1, 2))), image=image)
        answer = self.call(SetReferenceMask, "set_reference_mask", request)
        assert answer.success, answer.message

    def offer(self, message) -> str:
        """Give the worker an image; return how it ended."""
        tally = self.tracker.tally
        before = {end: tally[end] for end in ENDS}
        self.tracker.worker.receiver.offer(message)
        end = time.monotonic() + harness.TIMEOUT
        while sum(tally[e] for e in ENDS) != tally[events.RECEIVED]:
            assert time.monotonic() < end, "a frame vanished without being counted"
            time.sleep(0.0002)
        (ended,) = [e for e in ENDS if tally[e] != before[e]]
        return ended

    def send(self, message) -> str:
        """Publish an image, or bytes that should be one, and a good image after it; return what became of the first."""
        tally = self.tracker.tally
        if not hasattr(self, "camera"):
            self.camera, self.masks = self.rig.camera(), self.rig.collect(Image, "fastgan_tracker/mask")
            self.rig.ready(self.tracker, self.camera, self.tracker.outputs.mask)
            self._look(harness.TIMEOUT)
        before = tally[events.RECEIVED]
        if isinstance(message, bytes):
            self.camera.publisher.publish(message)
            time.sleep(0.01)  # the subscription holds one message; the next would take its place
            outcome = "an image" if tally[events.RECEIVED] > before else "no message"
        else:
            self.camera.send(message)
            wait_for(lambda: tally[events.RECEIVED] > before, "the image to be counted")
            outcome = "counted"
        self.again += self._look(harness.TIMEOUT) > 1
        return outcome

    def _look(self, timeout: float) -> int:
        """Send good images, one a second as a slow camera, until one has its mask; return how many it took."""
        sent, end = [], time.monotonic() + timeout
        while time.monotonic() < end:
            sent.append(self.camera.send())
            soon = time.monotonic() + 1.0
            while time.monotonic() < soon:
                if any(nanoseconds(m.header.stamp) in sent for m in self.masks[-3:]):
                    del self.masks[:-3]
                    return len(sent)
                time.sleep(0.002)
        raise AssertionError("no image has a mask any more")

    def check(self, kind: str, outcome: str) -> None:
        """Count a case; the objects are those that they were."""
        self.seen[f"{kind}: {outcome}"] += 1
        assert self.ids() == (1, 2)


@pytest.fixture(scope="module")
def stand(weights):
    """The node for raw images; in the end it tracks a good frame."""
    with harness.Rig(weights) as rig:
        made = Stand(rig, rig.tracker(max_objects=4, input_size=32))
        yield made
        good = made.offer(harness.to_msg(picture(), "rgb8", harness.Header()))
        assert good == events.PUBLISHED and made.ids() == (1, 2) and made.tracker.tally[events.FAILED] == 0
        print(f"\n{sum(made.seen.values())} cases; after {made.again} the mask of a second good image was the first")
        for outcome, count in sorted(made.seen.items()):
            print(f"{count:7d}  {outcome}")


@pytest.fixture(scope="module")
def unconfigured(weights):
    """A node that takes new values for all parameters but those of the start."""
    with harness.Rig(weights) as rig:
        yield rig.tracker(autostart=False)


@pytest.fixture(scope="module")
def compressed_stand(weights):
    with harness.Rig(weights) as rig:
        made = Stand(rig, rig.tracker(image_transport="compressed", input_size=32))
        yield made
        assert made.tracker.tally[events.FAILED] == 0
        print(f"\n{dict(made.seen)}")


@MANY
@given(message=fuzzing.images())
def test_images(stand, message):
    stand.begin()
    ended = stand.offer(message)
    assert ended in (events.PUBLISHED, events.UNUSABLE)
    stand.check("image", ended)


@MANY
@given(message=fuzzing.compressed())
def test_compressed_images(compressed_stand, message):
    compressed_stand.begin()
    ended = compressed_stand.offer(message)
    assert ended in (events.PUBLISHED, events.UNUSABLE)
    compressed_stand.check("compressed image", ended)


def judge_reference(stand, request, answer, before, epoch) -> str:
    """Check the answer of a reference; return what it was."""
    assert answer.message.strip() and "Internal" not in answer.message
    if not answer.success:
        assert len(answer.message) > 15 and not answer.ids and nanoseconds(answer.stamp) == 0
        assert stand.ids() == before and stand.tracker.tracker.epoch == epoch
        return "refused"
    image, stamp = request.image, nanoseconds(answer.stamp)
    if image.data or image.width or image.height:
        assert stamp == nanoseconds(image.header.stamp)
    elif nanoseconds(request.mask.header.stamp):  # of the kept frame next to it
        assert abs(stamp - nanoseconds(request.mask.header.stamp)) <= KEPT_SECONDS * SECOND
    assert nanoseconds(answer.delay) >= 0
    kept = set(before) if request.mode else set()
    assert request.mode < 2 or set(answer.ids) <= kept
    assert answer.ids and set(stand.ids()) == kept | set(answer.ids)
    return "set"


@MANY
@given(request=fuzzing.references(picture()))
def test_references(stand, request):
    stand.begin()
    before, epoch = stand.ids(), stand.tracker.tracker.epoch
    answer = stand.call(SetReferenceMask, "set_reference_mask", request)
    outcome = judge_reference(stand, request, answer, before, epoch)
    if outcome == "set":
        assert stand.offer(harness.to_msg(picture(), "rgb8", harness.Header())) == events.PUBLISHED
        stand.mark()
    stand.check("reference", outcome)


@MANY
@given(request=fuzzing.REMOVALS)
def test_removals(stand, request):
    stand.begin()
    answer = stand.call(RemoveObjects, "remove_objects", request)
    assert answer.message.strip() and "Internal" not in answer.message
    assert answer.success == (bool(request.ids) and set(request.ids) <= {1, 2})
    if answer.success:
        assert set(stand.ids()) == {1, 2} - set(request.ids) == set(answer.remaining)
        stand.mark()
    stand.check("removal", "done" if answer.success else "refused")


@MANY
@given(name=st.sampled_from(list(parameters.TABLE)), value=fuzzing.VALUES)
def test_parameters(stand, unconfigured, name, value):
    stand.begin()
    for node in (stand.tracker, unconfigured):
        (result,) = node.set_parameters([Parameter(name, value=value)])
        assert result.successful or len(result.reason) > 10
        sound(node)
        state = "active" if node is stand.tracker else "unconfigured"
        stand.check(f"parameter while {state}", "set" if result.successful else "refused")


def sound(node) -> None:
    """The settings are within their ranges, whatever was asked for."""
    for name, entry in parameters.TABLE.items():
        value = getattr(node.settings, name)
        assert type(value) is type(entry.default) and parameters.check(name, value) is None, (name, value)
    assert node.tracker is None or 0.0 <= node.tracker.lost_threshold <= 1.0


@st.composite
def over_the_wire(draw):
    """What is sent, and the message or request."""
    kinds = ["image", "bytes", "reference", "removal", "reset", "pause", "parameter", "parameters", "transition"]
    kind = draw(st.sampled_from(kinds))
    strategies = {
        "image": fuzzing.images(),
        "bytes": fuzzing.damaged(serialize_message(harness.to_msg(picture(), "rgb8", harness.Header()))),
        "parameter": fuzzing.PARAMETERS.map(lambda p: SetParameters.Request(parameters=p)),
        "parameters": fuzzing.PARAMETERS.map(lambda p: SetParametersAtomically.Request(parameters=p)),
        "reference": fuzzing.references(picture()),
        "removal": fuzzing.REMOVALS,
        "reset": st.just(Trigger.Request()),
        "pause": st.just(SetBool.Request(data=True)),
        "transition": st.integers(100, 255),
    }
    return kind, draw(strategies[kind])


@OVER_THE_WIRE
@given(case=over_the_wire())
def test_over_the_wire(stand, case):
    stand.begin()
    kind, what = case
    rig, tracker, outcome = stand.rig, stand.tracker, "answered"
    if kind in ("image", "bytes"):
        outcome = stand.send(what)
    elif kind == "reference":
        before, epoch = stand.ids(), tracker.tracker.epoch
        answer = rig.call(SetReferenceMask, "set_reference_mask", what)
        outcome = judge_reference(stand, what, answer, before, epoch)
    elif kind == "removal":
        assert rig.call(RemoveObjects, "remove_objects", what).message
    elif kind == "reset":
        assert rig.reset().success and stand.ids() == ()
    elif kind == "pause":
        assert rig.pause(True).success and rig.pause(False).success
    elif kind == "parameter":
        results = rig.call(SetParameters, "set_parameters", what).results
        assert len(results) == len(what.parameters) and all(result.successful or result.reason for result in results)
        sound(tracker)
    elif kind == "parameters":
        result = rig.call(SetParametersAtomically, "set_parameters_atomically", what).result
        assert result.successful or result.reason
        sound(tracker)
    else:  # numbers that are no transition
        request = ChangeState.Request()
        request.transition.id = what
        assert not rig.call(ChangeState, "change_state", request).success
    stand.begin()
    stand.check(f"over the wire, {kind}", outcome)

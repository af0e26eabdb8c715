"""The lifecycle node `fastgan_tracker`: wires camera, tracker, topics, services and diagnostics together."""

import dataclasses
import threading

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from fastgan_core.errors import FastganError
from fastgan_core.running.memory import release_memory
from fastgan_core.running.threads import sleep_while_waiting
from fastgan_core.tracking.history import History
from fastgan_ros.frames.outputs import Outputs
from fastgan_ros.frames.tally import Tally
from fastgan_ros.frames.worker import Worker
from fastgan_ros.messages.images import from_compressed, to_rgb
from fastgan_ros.messages.subscription import ImageSubscription
from fastgan_ros.node import diagnostics, parameters
from fastgan_ros.node.answering import answer_everything
from fastgan_ros.node.lifecycle import one_transition_at_a_time, transition, why_not_active
from fastgan_ros.node.loading import load_tracker
from fastgan_ros.node.services import Services
from fastgan_ros.programs.console import Console
from fastgan_ros.programs.process import run

SUCCESS = TransitionCallbackReturn.SUCCESS


class TrackerNode(LifecycleNode):
    """Publishes the masks of marked objects for every camera image.

    `state` is the lifecycle state, `trouble` why the last transition failed or "". Raises FastganError
    when a parameter that it is started with is wrong.
    """

    def __init__(self, **kwargs):
        super().__init__("fastgan_tracker", **kwargs)
        self.state, self.trouble = "unconfigured", ""
        self.tracker = self.worker = self.camera = self.outputs = None
        self.settings = parameters.declare(self)
        for sentence in parameters.misspelt(getattr(self, "_parameter_overrides", ())):
            self.get_logger().warning(sentence)
        self.add_on_set_parameters_callback(self._on_parameters)
        self.tally, self.console = Tally(), Console(self.get_logger())
        self._complained = False
        # Held by whoever looks at the tracker, so that none of its memory is in use when it is released.
        self._looking = threading.Lock()
        self._health = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._answers = Services(self, self.active, lambda: self.settings)
        self._transitions = one_transition_at_a_time(self)
        answer_everything(self)
        # Steady time: with use_sim_time and no clock yet, timers of the node's own clock stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        for period, callback in ((0.5, self._review), (self.settings.diagnostics_period, self._diagnose)):
            self.create_timer(period, callback, MutuallyExclusiveCallbackGroup(), clock=steady)
        if self.settings.autostart:
            # In a group of its own: the node answers questions about its state while the model loads.
            group = MutuallyExclusiveCallbackGroup()
            self._autostart = self.create_timer(0.0, self._start, group, clock=steady)

    @transition("configuring", "inactive")
    def on_configure(self, state):
        """Load the model; FAILURE, with the reason in the log, when that cannot be done."""
        self.tracker = self._load()
        self.outputs = Outputs(self, lambda: self.settings)
        return super().on_configure(state)

    @transition("activating", "active")
    def on_activate(self, state):
        """Subscribe to the camera and run the model, loaded again if the node was active before."""
        settings = self.settings
        if self.tracker is None:
            self.tracker = self._load()
        convert = to_rgb if settings.image_transport == "raw" else from_compressed
        history = History(settings.history_seconds, settings.history_megabytes)
        worker = Worker(self.tracker, convert, self.outputs, self.tally, self.console, self._now, history)
        camera = ImageSubscription(
            self, settings.image_transport, settings.reliability, worker.receiver.offer, self.console
        )
        result = super().on_activate(state)
        self.worker, self.camera = worker, camera
        worker.start()
        self.tally.expect()
        camera.start()
        self.get_logger().info(
            f"Waiting for images on {camera.topic}; the model is on {self.tracker.device}."
        )
        return result

    @transition("deactivating", "inactive")
    def on_deactivate(self, state):
        """Stop the model and give its device memory back; the objects are forgotten."""
        forgotten = self._halt()
        self.get_logger().info(f"Device memory released; {forgotten} objects forgotten.")
        return super().on_deactivate(state)

    @transition("cleaning up", "unconfigured")
    def on_cleanup(self, state):
        """Remove the model and the publishers."""
        self._tear_down()
        return SUCCESS

    @transition("shutting down", "finalized")
    def on_shutdown(self, state):
        """Stop and remove everything."""
        self._tear_down()
        return SUCCESS

    @transition("recovering", "unconfigured")
    def on_error(self, state):
        """Remove everything, so that the node can be configured again."""
        self._tear_down()
        return SUCCESS

    def hurry(self) -> None:
        """Let requests that still run end soon: the process is asked to end."""
        worker = self.worker
        if worker is not None:
            worker.forbid()

    def close(self) -> None:
        """Shut down from whatever state the node is in."""
        if self.state != "finalized":
            self.trigger_shutdown()

    def active(self) -> Worker:
        """Return the running worker; FastganError says why there is none and what to do."""
        worker = self.worker
        if worker is None:
            raise FastganError(why_not_active(self))
        return worker

    def _load(self):
        tracker = load_tracker(self.settings, self.get_logger().info)
        if tracker.price:
            self.get_logger().warning(tracker.price)
        return tracker

    def _start(self) -> None:
        self._autostart.cancel()
        with self._transitions:
            if self.state == "unconfigured" and self.trigger_configure() == SUCCESS:
                self.trigger_activate()

    def _halt(self) -> int:
        with self._looking:
            camera, worker, tracker = self.camera, self.worker, self.tracker
            self.camera = self.worker = self.tracker = None
            try:
                if camera is not None:
                    camera.stop()
            finally:
                if worker is not None:
                    worker.stop()
            count = len(tracker.ids) if tracker is not None else 0
            del camera, worker, tracker
            release_memory()
        return count

    def _tear_down(self) -> None:
        self._halt()
        if self.outputs is not None:
            self.outputs.destroy()
            self.outputs = None

    def _now(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_parameters(self, changes) -> SetParametersResult:
        changes = {p.name: p.value for p in changes if p.name in parameters.TABLE}
        for name, value in changes.items():
            problem = parameters.check(name, value)
            if not problem and self.state != "unconfigured" and not parameters.is_live(name):
                problem = (
                    f"Parameter '{name}' is read when the node is configured: deactivate and clean it up "
                    "(ros2 lifecycle set), set the parameter, then configure and activate it again."
                )
            if problem:
                return SetParametersResult(successful=False, reason=problem)
        self.settings = dataclasses.replace(self.settings, **changes)
        with self._looking:
            if self.tracker is not None:
                self.tracker.lost_threshold = self.settings.lost_threshold
        return SetParametersResult(successful=True)

    def _review(self) -> None:
        camera = self.camera
        if camera is None:
            return
        camera.review()
        silence = self.tally.silence()
        if silence > self.settings.no_image_timeout:
            reason = camera.silence()
            said = self.console.warn(f"silence {reason}", f"No image for {silence:.0f} s. {reason}", every=30.0)
            self._complained = self._complained or said
        elif self._complained:
            self.get_logger().info(f"Images arrive on {camera.topic}.")
            self._complained = False

    def _diagnose(self) -> None:
        with self._looking:
            array = DiagnosticArray(status=[diagnostics.describe(self)])
        array.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(array)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code is 0 then, 2 for a wrong parameter."""
    sleep_while_waiting()
    return run(TrackerNode, args)

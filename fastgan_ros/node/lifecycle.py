"""What rclpy's lifecycle node leaves out: logged errors, and an answer to every transition request."""

import functools
import threading
import traceback

from rclpy.lifecycle import TransitionCallbackReturn

from fastgan_core.errors import FastganError


def transition(doing: str, done: str):
    """Decorate a transition callback: keep `state` and `trouble` of the node, log what is raised.

    `doing` is the state meanwhile, `done` the one that success leads to. FastganError is a FAILURE (the
    node stays where it was); any other exception, which rclpy would swallow, an ERROR (on_error follows).
    """

    def decorate(callback):
        @functools.wraps(callback)
        def transit(self, previous):
            before, self.state = self.state, doing
            try:
                result = callback(self, previous)
            except FastganError as error:
                self.state, self.trouble = before, str(error)
                self.get_logger().error(self.trouble)
                return TransitionCallbackReturn.FAILURE
            except Exception as error:
                self.state = "finalized"  # unless on_error, which rclpy calls next, says otherwise
                self.trouble = f"{callback.__name__} failed with {type(error).__name__}: {error}."
                self.get_logger().error(f"{self.trouble}\n{traceback.format_exc()}")
                raise
            self.state = done
            if callback.__name__ != "on_error":
                self.trouble = ""
            return result

        return transit

    return decorate


def one_transition_at_a_time(node) -> threading.Lock:
    """Let ~/change_state answer success=false to a transition that the node's state does not allow.

    rclpy raises there instead, which ends the executor and leaves the caller waiting. The lock that is
    returned is held by the service during a transition; hold it for transitions of the node's own.
    """
    service = node._service_change_state
    change_state = service.callback
    lock = threading.Lock()

    def guarded(request, response):
        with lock:
            try:
                return change_state(request, response)
            except RuntimeError as error:
                node.get_logger().warning(f"Not possible while the node is {node.state}: {error}")
                response.success = False
                return response

    service.callback = guarded
    return lock


def why_not_active(node) -> str:
    """Return in words why a node does not run and what to do."""
    command = f"ros2 lifecycle set {node.get_fully_qualified_name()}"
    fixes = {
        "unconfigured": f"run '{command} configure' and '{command} activate'.",
        "inactive": f"run '{command} activate'.",
        "finalized": "start it again.",
    }
    fix = fixes.get(node.state, "try again in a moment.")
    if node.trouble:
        return f"The node is {node.state}. {node.trouble} When that is corrected, {fix}"
    return f"The node is {node.state}: {fix}"

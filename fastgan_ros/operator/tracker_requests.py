"""Requests to a tracker that nobody waits for: the answers are in a queue when they come."""

import queue
import threading
import time
from typing import NamedTuple

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from fastgan_core.tracked import NOT_TRACKED, ONE_VIEW
from fastgan_core.tracking.history import NO_FRAME
from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.messages.contract import PATIENCE, reference_request

_SENT_ALONG = "The tracker does not keep that frame, so it was sent along and the search began where the object was."


class Answer(NamedTuple):
    """What became of a request."""

    what: str  # "send", "remove" or "reset"
    success: bool
    message: str


class TrackerRequests:
    """Requests of `node` to the tracker of a name. `answers` gets one `Answer` for each."""

    def __init__(self, node: Node, tracker: str):
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._tracker = tracker
        self._lock = threading.Lock()
        self._calls: list[tuple[float, str, object]] = []  # since when, what, and the answer to come
        self._clients = {
            "send": node.create_client(SetReferenceMask, f"{tracker}/set_reference_mask"),
            "remove": node.create_client(RemoveObjects, f"{tracker}/remove_objects"),
            "reset": node.create_client(Trigger, f"{tracker}/reset"),
        }

    @property
    def possible(self) -> bool:
        """Whether the tracker is there to answer."""
        return self._clients["send"].service_is_ready()

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._calls)

    def send(self, labels: np.ndarray, header: Header, frame: np.ndarray, kept: bool = True, tracked=()) -> None:
        """Ask the tracker to follow the objects in ``(H, W)`` labels, drawn on ``(H, W, 3) uint8 RGB`` of the header.

        Those whose ids are `tracked` get another view, from a tracker whose network can remember it. The stamp alone
        names the frame. A tracker that refuses the stamp gets the frame itself: a person may take longer than frames
        are kept. With `kept` false it gets it at once: one that keeps none would not refuse.
        """
        again = np.isin(labels, list(tracked))
        # New ones first: there may be no room for them, and then nothing is done yet.
        parts = [(mode, labels * chosen) for mode, chosen in (("add", ~again), ("more", again))]
        self._send([part for part in parts if part[1].any()], header, None if kept else frame, frame, "")

    def _send(self, parts: list, header: Header, image: np.ndarray | None, frame: np.ndarray, said: str) -> None:
        """Send the first of some masks, each with its mode; the others when it was taken. The answer is one."""
        (mode, labels), *rest = parts

        def answered(answer) -> None:
            if not answer.success and answer.message.startswith(NO_FRAME) and image is None:
                self._send(parts, header, frame, frame, said)
            elif not answer.success and answer.message.startswith((ONE_VIEW, NOT_TRACKED)):
                self._send([("add", labels), *rest], header, image, frame, said)
            elif not answer.success:
                self.answers.put(Answer("send", False, f"{said} {answer.message}".strip()))
            else:
                words = f"{said} {answer.message}".strip()
                if rest:
                    self._send(rest, header, image, frame, words)
                else:
                    remark = f" {_SENT_ALONG}" if image is not None else ""
                    self.answers.put(Answer("send", True, words + remark))

        self._call("send", reference_request(labels, image, mode, header), answered)

    def remove(self, number: int) -> None:
        """Ask the tracker to stop following an object."""
        self._call("remove", RemoveObjects.Request(ids=[number]), lambda answer: self._put("remove", answer))

    def reset(self) -> None:
        """Ask the tracker to forget all objects."""
        self._call("reset", Trigger.Request(), lambda answer: self._put("reset", answer))

    def give_up(self) -> None:
        """Answer for the tracker where it has not answered for too long; to be called now and then."""
        with self._lock:
            late = [call for call in self._calls if time.monotonic() - call[0] > PATIENCE]
            self._calls = [call for call in self._calls if call not in late]
        for _, what, _ in late:
            self.answers.put(Answer(what, False, f"{self._tracker} did not answer within {PATIENCE:.0f} s."))

    def _call(self, what: str, request, answered) -> None:
        client = self._clients[what]
        if not client.service_is_ready():
            self.answers.put(Answer(what, False, f"There is no {self._tracker} to ask any more."))
            return

        def done(future) -> None:
            with self._lock:
                waited_for = any(call[2] is future for call in self._calls)
            if waited_for:
                answered(future.result())
            with self._lock:  # only now: a second request follows the first without a gap
                self._calls = [call for call in self._calls if call[2] is not future]

        future = client.call_async(request)
        with self._lock:
            self._calls.append((time.monotonic(), what, future))
        future.add_done_callback(done)

    def _put(self, what: str, answer) -> None:
        self.answers.put(Answer(what, answer.success, answer.message))

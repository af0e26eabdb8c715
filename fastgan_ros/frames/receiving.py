"""The first stop of a frame: from the camera's message to pixels at the network's size."""

import time
from typing import Any, NamedTuple

import numpy as np
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_ros.frames import tally as events
from fastgan_ros.frames.failures import report
from fastgan_ros.frames.slot import Slot
from fastgan_ros.messages.stamps import nanoseconds

DEACTIVATED = "The node was deactivated meanwhile; activate it, then ask again."


class Frame(NamedTuple):
    """A camera image: its header and (H, W, 3) uint8 RGB pixels."""

    header: Header
    rgb: np.ndarray


class Arrival(NamedTuple):
    """An image on its way to the model; times in seconds."""

    frame: Frame
    small: Any  # the frame at the network's size
    age: float | None  # when the message came; None without a stamp
    conversion: float
    ready: float  # time.perf_counter() after conversion


class Receiver:
    """Takes image messages in the thread that they come in, and leaves the newest in `slot`.

    Receiving goes on while the model runs, and frames that the model will not see are kept in `history` too, for a
    mask that was drawn on one of them.

    `convert` turns a message into (H, W, 3) uint8 RGB; `age` gives the age of a stamp in seconds.
    """

    def __init__(self, tracker, convert, slot: Slot, history, tally, console, age):
        self.paused = False  # whether frames are let go
        self._tracker = tracker
        self._convert = convert
        self._slot = slot
        self._history = history
        self._tally = tally
        self._console = console
        self._age = age
        self._newest = None
        self._good: Frame | None = None

    def offer(self, message) -> None:
        """Take an image message; returns when it is in the slot."""
        self._tally.count(events.RECEIVED)
        self._newest = message
        if self.paused:
            self._tally.count(events.PAUSED)
            return
        try:
            arrival = self._arrived(message)
        except FastganError as error:
            self._tally.count(events.UNUSABLE)
            self._console.warn("unusable image", f"An image was left out. {error}")
        except Exception as error:
            self._tally.count(events.FAILED)
            report(self._console, error)
        else:
            if arrival is None or self._slot.put(arrival):
                self._tally.count(events.DROPPED)

    @property
    def frame_id(self) -> str:
        """The frame_id of the newest image, "" before the first."""
        message = self._newest
        return message.header.frame_id if message is not None else ""

    def newest(self) -> Frame | None:
        """Return the newest image that arrived, or the last good one if that one is unusable; None if none.

        Raises FastganError when images have arrived but none was usable.
        """
        message = self._newest
        if message is None:
            return None
        try:
            return Frame(message.header, self._convert(message))
        except FastganError:
            good = self._good
            if good is None:
                raise
            return good

    def shrink(self, rgb: np.ndarray):
        """Return a frame at the network's size, as the tracker and the history take it."""
        tracker = self._tracker
        if tracker is None:
            raise FastganError(DEACTIVATED)
        return tracker.shrink(rgb)

    def close(self) -> None:
        """Let go of the tracker and of the images; what is offered later is dropped."""
        self._tracker = self._newest = self._good = None

    def _arrived(self, message) -> Arrival | None:
        """Convert an image and keep it; None when the receiver was closed meanwhile."""
        begin, stamp = time.perf_counter(), message.header.stamp
        age = self._age(stamp)
        frame = self._good = Frame(message.header, self._convert(message))
        tracker = self._tracker
        if tracker is None:
            return None
        small = tracker.shrink(frame.rgb)
        self._history.add(nanoseconds(stamp), small)
        ready = time.perf_counter()
        return Arrival(frame, small, age, ready - begin, ready)

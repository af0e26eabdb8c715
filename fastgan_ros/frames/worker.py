"""The threads that run the model and publish: newest frame in, messages out, nothing queued."""

import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_core.running.memory import out_of_memory, release_memory
from fastgan_ros.frames import tally as events
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


class Worker:
    """Runs a tracker on the newest image in a thread of its own and publishes the results in another.

    The model does not wait for the publishing of the frame before, except when that takes longer than the model.

    `convert` turns an image message into (H, W, 3) uint8 RGB; `outputs` composes and publishes; `tally`
    counts; `console` logs; `now` returns the node's time in nanoseconds; `history` keeps every frame.
    """

    def __init__(self, tracker, convert, outputs, tally, console, now, history):
        self.history = history
        self.tracker = tracker
        self._convert = convert
        self._outputs = outputs
        self._tally = tally
        self._console = console
        self._now = now
        self._slot = Slot()
        self._newest = None
        self._good: Frame | None = None
        self.objects: tuple = ()  # of the frame published last
        self.warning = ""  # what the node did to its objects by itself, until somebody changes them
        self._exhausted = False
        self._paused = False
        self._stopped = False
        # Held while objects are changed and while a result is checked and published, so that no result
        # computed before a change is published after the change was answered.
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fastgan_worker", daemon=True)
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="fastgan_publisher")
        self._publishing: Future | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def forbid(self) -> None:
        """Refuse changes and publish nothing from now on; a late mask that is being caught up with is given up."""
        with self._gate:
            self._stopped = True

    def stop(self) -> None:
        """End the thread after the frame it is on and let go of the tracker; nothing is published later."""
        self.forbid()
        if self._slot.close():
            self._tally.count(events.DROPPED)
        self._thread.join()
        self._publisher.shutdown(wait=True)
        self.tracker = self._newest = self._good = None

    def offer(self, message) -> None:
        """Take an image message; returns at once."""
        self._tally.count(events.RECEIVED)
        self._newest = message
        if self._paused:
            self._tally.count(events.PAUSED)
            return
        try:
            arrival = self._arrived(message)
        except FastganError as error:
            self._tally.count(events.UNUSABLE)
            self._console.warn("unusable image", f"An image was left out. {error}")
        except Exception as error:
            self._tally.count(events.FAILED)
            self._report(error)
        else:
            if arrival is None or self._slot.put(arrival):
                self._tally.count(events.DROPPED)

    @property
    def paused(self) -> bool:
        """Whether frames are let go without running the model."""
        return self._paused

    def pause(self, paused: bool) -> None:
        """Stop or resume running the model; nothing is published from the return of pause(True) on."""
        with self._gate:
            self._paused = paused
        if paused and self._slot.clear():
            self._tally.count(events.PAUSED)

    def edit(self, change):
        """Return change(tracker), called while no result is being published.

        Raises FastganError when the worker was stopped meanwhile, and whatever `change` raises.
        """
        with self._gate:
            if self._stopped:
                raise FastganError(DEACTIVATED)
            result = change(self.tracker)
            self.warning = ""
            return result

    @property
    def frame_id(self) -> str:
        """The frame_id of the newest image, "" before the first."""
        message = self._newest
        return message.header.frame_id if message is not None else ""

    @property
    def stopped(self) -> bool:
        """Whether stop() was called."""
        return self._stopped

    def shrink(self, rgb: np.ndarray):
        """Return a frame at the network's size, as the tracker and the history take it."""
        tracker = self.tracker
        if tracker is None:
            raise FastganError(DEACTIVATED)
        return tracker.shrink(rgb)

    def branch(self):
        """Return the tracker, a branch of it for objects that come late, and the epoch that they part at."""
        with self._gate:
            if self._stopped:
                raise FastganError(DEACTIVATED)
            return self.tracker, self.tracker.branch(), self.tracker.epoch

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

    def _arrived(self, message) -> Arrival | None:
        """Convert an image and keep it; None when the worker was stopped meanwhile.

        In the thread that receives: it goes on while the model runs, and frames that the model will not see are
        kept too, for a mask that was drawn on one of them.
        """
        begin, stamp = time.perf_counter(), message.header.stamp
        age = self._age(stamp)
        frame = self._good = Frame(message.header, self._convert(message))
        tracker = self.tracker
        if tracker is None:
            return None
        small = tracker.shrink(frame.rgb)
        self.history.add(nanoseconds(stamp), small)
        ready = time.perf_counter()
        return Arrival(frame, small, age, ready - begin, ready)

    def _run(self) -> None:
        while (arrival := self._slot.take()) is not None:
            exhausted = False
            try:
                self._process(arrival)
            except Exception as error:
                self._tally.count(events.FAILED)
                exhausted = out_of_memory(error)
                if not exhausted:
                    self._report(error)
            if exhausted:  # only here is the exception gone, and with it what it held of the memory
                try:
                    self._make_room()
                except Exception as error:  # a device in such a state can refuse this too; the thread has to live
                    self._report(error)
            self._exhausted = exhausted

    def _process(self, arrival: Arrival) -> None:
        taken = time.perf_counter()
        tracked = self.tracker.step(arrival.small)
        stages = {
            "conversion": arrival.conversion,
            "waiting": taken - arrival.ready,
            "model": time.perf_counter() - taken,
        }
        if arrival.age is not None:
            stages["transport"] = arrival.age
        if self._publishing is not None:
            self._publishing.result()
        self._publishing = self._publisher.submit(self._publish, arrival.frame, tracked, stages)

    def _publish(self, frame: Frame, tracked, stages: dict[str, float]) -> None:
        begin = time.perf_counter()
        try:
            messages = self._outputs.compose(frame, tracked)
            with self._gate:
                if self._stopped or tracked.epoch != self.tracker.epoch:
                    self._tally.count(events.OUTDATED)
                    return
                if self._paused:
                    self._tally.count(events.PAUSED)
                    return
                self._outputs.publish(messages)
                self.objects = tracked.objects
        except Exception as error:
            self._tally.count(events.FAILED)
            self._report(error)
            return
        stages["publishing"] = time.perf_counter() - begin
        self._tally.published(self._age(frame.header.stamp), stages)

    def _report(self, error: Exception) -> None:
        self._console.error(
            f"worker {type(error).__name__}",
            f"A frame failed; the node goes on with the next one.\n{traceback.format_exc()}",
        )

    def _make_room(self) -> None:
        """After a frame that the memory did not suffice for; after the second in a row an object has to go."""
        release_memory()
        sentence = (
            "The memory of the device did not suffice for a frame; the node goes on with the next one. "
            "Free memory, or choose a smaller input_size."
        )
        with self._gate:
            ids = () if self._stopped else self.tracker.ids
            if self._exhausted and len(ids) > 1:
                self.tracker.remove(ids[-1:])
                self.warning = sentence = (
                    f"The memory of the device did not suffice: object {ids[-1]}, the newest, was dropped so that "
                    "the others are tracked on. Free memory, or choose a smaller input_size, then set it again."
                )
        self._console.error(f"memory {sentence}", sentence)

    def _age(self, stamp) -> float | None:
        stamped = nanoseconds(stamp)
        return (self._now() - stamped) * 1e-9 if stamped else None

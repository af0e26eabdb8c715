"""The thread that runs the model: newest frame in, results out, nothing queued; and the gate to its objects."""

import threading
import time

from fastgan_core.errors import FastganError
from fastgan_core.running.memory import out_of_memory, release_memory
from fastgan_ros.frames import tally as events
from fastgan_ros.frames.failures import make_room, report
from fastgan_ros.frames.publishing import Publisher
from fastgan_ros.frames.receiving import DEACTIVATED, Arrival, Receiver
from fastgan_ros.frames.slot import Slot
from fastgan_ros.messages.stamps import nanoseconds


class Worker:
    """Runs a tracker on the newest image in a thread of its own.

    `receiver` takes the camera's messages. `convert` turns one into (H, W, 3) uint8 RGB; `outputs` composes and
    publishes; `tally` counts; `console` logs; `now` returns the node's time in nanoseconds; `history` keeps every
    frame.
    """

    def __init__(self, tracker, convert, outputs, tally, console, now, history):
        self.history = history
        self.tracker = tracker
        self.warning = ""  # what the node did to its objects by itself, until somebody changes them
        self._tally = tally
        self._console = console
        self._now = now
        self._exhausted = False
        self._stopped = False
        # Held while objects are changed and while a result is checked and published, so that no result
        # computed before a change is published after the change was answered.
        self._gate = threading.Lock()
        self._slot = Slot()
        self.receiver = Receiver(tracker, convert, self._slot, history, tally, console, self._age)
        self._publisher = Publisher(outputs, self._gate, self._refused, tally, console, self._age)
        self._thread = threading.Thread(target=self._run, name="fastgan_worker", daemon=True)

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
        self._publisher.close()
        self.receiver.close()
        self.tracker = None

    @property
    def stopped(self) -> bool:
        """Whether stop() was called."""
        return self._stopped

    @property
    def objects(self) -> tuple:
        """Those of the frame published last."""
        return self._publisher.objects

    @property
    def paused(self) -> bool:
        """Whether frames are let go without running the model."""
        return self.receiver.paused

    def pause(self, paused: bool) -> None:
        """Stop or resume running the model; nothing is published from the return of pause(True) on."""
        with self._gate:
            self.receiver.paused = paused
        if paused and self._slot.clear():
            self._tally.count(events.PAUSED)

    def edit(self, change):
        """Return change(tracker), called while no result is being published.

        Raises FastganError when the worker was stopped meanwhile, and whatever `change` raises.
        """
        with self._gate:
            self._check_running()
            result = change(self.tracker)
            self.warning = ""
            return result

    def branch(self, look):
        """Return the tracker, a branch of it for objects that come late, and the epoch that they part at.

        The branch starts with the objects whose ids look(tracker), which is called at that moment, returns.
        """
        with self._gate:
            self._check_running()
            return self.tracker, self.tracker.branch(look(self.tracker)), self.tracker.epoch

    def _check_running(self) -> None:
        if self._stopped:
            raise FastganError(DEACTIVATED)

    def _run(self) -> None:
        while (arrival := self._slot.take()) is not None:
            exhausted = False
            try:
                self._process(arrival)
            except Exception as error:
                self._tally.count(events.FAILED)
                exhausted = out_of_memory(error)
                if not exhausted:
                    report(self._console, error)
            if exhausted:  # only here is the exception gone, and with it what it held of the memory
                try:
                    self._make_room()
                except Exception as error:  # a device in such a state can refuse this too; the thread has to live
                    report(self._console, error)
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
        self._publisher.publish(arrival.frame, tracked, stages)

    def _refused(self, tracked) -> str | None:
        """What a result counts as that may not be published, None when it may."""
        if self._stopped or tracked.epoch != self.tracker.epoch:
            return events.OUTDATED
        return events.PAUSED if self.paused else None

    def _make_room(self) -> None:
        release_memory()
        with self._gate:
            sentence, dropped = make_room(None if self._stopped else self.tracker, self._exhausted)
            if dropped:
                self.warning = sentence
        self._console.error(f"memory {sentence}", sentence)

    def _age(self, stamp) -> float | None:
        stamped = nanoseconds(stamp)
        return (self._now() - stamped) * 1e-9 if stamped else None

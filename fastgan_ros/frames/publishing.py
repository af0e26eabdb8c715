"""The last stop of a frame: from the tracker's result to the messages about it."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from fastgan_ros.frames import tally as events
from fastgan_ros.frames.failures import report
from fastgan_ros.frames.receiving import Frame


class Publisher:
    """Publishes results in a thread of its own.

    The model does not wait for the publishing of the frame before, except when that takes longer than the model.

    `gate` is held while a result is checked and published; `refused` says of one, with the gate held, what it counts
    as when it may not go out, and None when it may. `age` gives the age of a stamp in seconds.
    """

    def __init__(self, outputs, gate: threading.Lock, refused, tally, console, age):
        self.objects: tuple = ()  # of the frame published last
        self._outputs = outputs
        self._gate = gate
        self._refused = refused
        self._tally = tally
        self._console = console
        self._age = age
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fastgan_publisher")
        self._before: Future | None = None

    def publish(self, frame: Frame, tracked, stages: dict[str, float]) -> None:
        """Hand a result over; waits for the one before to be out. `stages`: seconds by name so far."""
        if self._before is not None:
            self._before.result()
        self._before = self._thread.submit(self._publish, frame, tracked, stages)

    def close(self) -> None:
        """Wait for what was handed over."""
        self._thread.shutdown(wait=True)

    def _publish(self, frame: Frame, tracked, stages: dict[str, float]) -> None:
        begin = time.perf_counter()
        try:
            messages = self._outputs.compose(frame, tracked)
            with self._gate:
                if event := self._refused(tracked):
                    self._tally.count(event)
                    return
                self._outputs.publish(messages)
                self.objects = tracked.objects
        except Exception as error:
            self._tally.count(events.FAILED)
            report(self._console, error)
            return
        stages["publishing"] = time.perf_counter() - begin
        self._tally.published(self._age(frame.header.stamp), stages)

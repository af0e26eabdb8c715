"""The last seconds of frames at the network's size, so that a mask that comes late still finds its frame."""

import bisect
import itertools
import statistics
import threading
from typing import TYPE_CHECKING, NamedTuple

from fastgan_core.errors import FastganError

if TYPE_CHECKING:  # torch takes seconds to import, and the node is to be on the network before
    from fastgan_core.tracking.tracker import Small

SECOND = 1_000_000_000  # nanoseconds
NO_FRAME = "No kept frame has this stamp"  # how each refusal of a stamp begins


class Kept(NamedTuple):
    """A frame and its stamp in nanoseconds."""

    stamp: int
    small: "Small"


class History:
    """Frames in the order of their stamps, bounded in time and in bytes. Methods may be called from several threads.

    Args:
        seconds: how much older than the newest a frame may be; 0 keeps nothing.
        megabytes: how much they may take together, in 10^6 bytes.
    """

    def __init__(self, seconds: float, megabytes: float):
        self.seconds, self._bytes = seconds, megabytes * 1e6
        self._lock = threading.Condition()
        self._frames: list[Kept] = []
        self._held = 0

    def add(self, stamp: int, small: "Small") -> None:
        """Keep the newest frame. A stamp that is not later than the last one begins the history anew.

        Time goes back when a bag starts again or a clock is set: what was kept is of another time then. Frames
        without a stamp (0) cannot be named by a mask and are not kept.
        """
        if stamp <= 0 or self.seconds <= 0:
            return
        with self._lock:
            if self._frames and stamp <= self._frames[-1].stamp:
                self._frames.clear()
                self._held = 0
            self._frames.append(Kept(stamp, small))
            self._held += small.pixels.nbytes
            old = 0
            while old < len(self._frames) and (
                self._frames[old].stamp < stamp - self.seconds * SECOND or self._held > self._bytes
            ):
                self._held -= self._frames[old].small.pixels.nbytes
                old += 1
            del self._frames[:old]
            self._lock.notify_all()

    def after(self, stamp: int) -> list[Kept]:
        """The frames that are newer than ``stamp``, oldest first."""
        with self._lock:
            return self._frames[bisect.bisect_right(self._frames, stamp, key=lambda kept: kept.stamp) :]

    def keeps(self, stamp: int) -> bool:
        """Whether this stamp lies in the time that frames are kept of."""
        with self._lock:
            return bool(self._frames) and self._frames[0].stamp <= stamp

    def find(self, stamp: int, patience: float = 0.0) -> Kept:
        """The frame of this stamp, or the nearest one within half the time between two frames.

        Args:
            stamp: nanoseconds.
            patience: seconds to wait for a frame that is newer than all: a mask can overtake its image.

        Raises:
            FastganError: there is none; the message begins with NO_FRAME and has the range that there is.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._frames and self._frames[-1].stamp >= stamp, patience)
            frames = self._frames[:]
        if not frames:
            raise FastganError(
                f"{NO_FRAME}: no frames are kept yet. Send the mask's image with it, or a mask without a stamp."
            )
        nearest = min(frames, key=lambda kept: abs(kept.stamp - stamp))
        if abs(nearest.stamp - stamp) <= _period(frames) / 2:
            return nearest
        first, last = frames[0].stamp, frames[-1].stamp
        wrong = "is older than all" if stamp < first else "is newer than all" if stamp > last else "is of none"
        raise FastganError(
            f"{NO_FRAME}: {seconds(stamp)} s {wrong} of the {len(frames)} that there are, from {seconds(first)} s "
            f"to {seconds(last)} s (the last {(last - first) / SECOND:.1f} s; nearest: {seconds(nearest.stamp)} s). "
            "Mark the object in one of these, or send the image with the mask."
        )

    def extent(self) -> tuple[int, float, float]:
        """How many frames are kept, over how many seconds, in how many megabytes."""
        with self._lock:
            if not self._frames:
                return 0, 0.0, 0.0
            span = (self._frames[-1].stamp - self._frames[0].stamp) / SECOND
            return len(self._frames), span, self._held / 1e6


def seconds(stamp: int) -> str:
    """Nanoseconds as ROS prints stamps, with all their digits."""
    return f"{stamp // SECOND}.{stamp % SECOND:09d}"


def _period(frames: list[Kept]) -> float:
    gaps = [after.stamp - before.stamp for before, after in itertools.pairwise(frames)]
    return statistics.median(gaps or [0])

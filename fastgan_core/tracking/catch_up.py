"""From the frame that a mask was drawn on to the present, faster than the camera."""

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from fastgan_core.tracking.history import SECOND, History

if TYPE_CHECKING:  # as in the history
    from fastgan_core.tracking.tracker import Tracker

YIELD = 0.001  # seconds between two steps in which the thread of the live frames can take its turn


class CaughtUp(NamedTuple):
    """How it went."""

    run: int  # frames
    skipped: int  # frames
    stamp: int  # of the last frame run, nanoseconds


def catch_up(tracker: "Tracker", history: History, stamp: int, budget: float, stop=lambda: False) -> CaughtUp:
    """Step a tracker through all frames kept since ``stamp``, those that arrive meanwhile included.

    Frames are left out, evenly, when all of them would take longer than ``budget`` seconds; the last one is
    always the newest.

    Args:
        tracker: with its reference set on the frame of ``stamp`` (nanoseconds).
        stop: asked before each step; True ends it early.
    """
    begin = time.monotonic()
    cost, run, skipped = 0.0, 0, 0
    while not stop() and (waiting := history.after(stamp)):
        left = budget - (time.monotonic() - begin)
        # Those to come until the end of the budget are to be run through as well.
        rate = (len(waiting) - 1) * SECOND / max(waiting[-1].stamp - waiting[0].stamp, 1)
        affordable = max(left / cost, 1.0) if cost else math.inf
        stride = math.ceil((len(waiting) + (rate * max(left, 0.0) if cost * rate > 1 else 0)) / affordable) or 1
        if left <= 0:
            stride = len(waiting)
        chosen = min(stride, len(waiting)) - 1
        before = time.monotonic()
        tracker.step(waiting[chosen].small)
        run, skipped, stamp = run + 1, skipped + chosen, waiting[chosen].stamp
        time.sleep(YIELD)
        took = time.monotonic() - before
        cost = 0.7 * cost + 0.3 * took if cost else took
        if chosen == len(waiting) - 1 and (left <= 0 or cost * rate > 1):
            break  # on a device slower than the camera there is always a newer one
    return CaughtUp(run, skipped, stamp)

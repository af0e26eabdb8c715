"""Counts and timings of the frames, shared by the threads of the node."""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass

# What can happen to a frame; each one received ends in exactly one of the others.
RECEIVED = "received"
PUBLISHED = "published"
DROPPED = "dropped"  # a newer one came before the model was free
PAUSED = "paused"  # came while the node was paused
UNUSABLE = "unusable"  # unknown encoding, truncated data
OUTDATED = "outdated"  # computed, but the objects were changed meanwhile
FAILED = "failed"  # the model raised an exception

# Where a frame's time goes between its stamp and its mask, in this order.
STAGES = ("transport", "conversion", "waiting", "model", "publishing")

WINDOW = 10.0  # seconds over which ages and stages are summarised


@dataclass(frozen=True)
class Report:
    """One reading; times in seconds, rates in frames per second; None where there is nothing to report."""

    counts: dict[str, int]
    recent: dict[str, int]
    rate_in: float
    rate_out: float
    age: tuple[float, float] | None
    stages: dict[str, tuple[float, float] | None]  # median and 99th percentile of each of STAGES


class Tally:
    """Thread-safe counters since the node's start, with samples of the last ten seconds."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._read_at = time.monotonic()
        self._last_arrival = self._read_at
        # A camera at 100 Hz fills the window; a faster one is summarised over its last 1000 frames.
        self._samples: deque[tuple[float, float | None, dict[str, float]]] = deque(maxlen=1000)

    def count(self, event: str) -> None:
        """Add one to a counter; RECEIVED also marks the time of arrival."""
        with self._lock:
            self._counts[event] += 1
            if event == RECEIVED:
                self._last_arrival = time.monotonic()

    def published(self, age: float | None, stages: dict[str, float]) -> None:
        """Count a published frame with its age (now - stamp; None without a stamp) and its stages, in seconds."""
        with self._lock:
            self._counts[PUBLISHED] += 1
            self._samples.append((time.monotonic(), age, stages))

    def expect(self) -> None:
        """Start the clock of silence anew: from now on images are expected."""
        with self._lock:
            self._last_arrival = time.monotonic()

    def silence(self) -> float:
        """Return the seconds since the last image arrived, or since one was first expected."""
        with self._lock:
            return time.monotonic() - self._last_arrival

    def __getitem__(self, event: str) -> int:
        with self._lock:
            return self._counts[event]

    def report(self) -> Report:
        """Return the counts with the rates since the report before this one."""
        now = time.monotonic()
        with self._lock:
            recent = self._counts - self._before
            elapsed = max(now - self._read_at, 1e-3)
            samples = [(age, stages) for at, age, stages in self._samples if now - at <= WINDOW]
            counts = dict(self._counts)
            self._before, self._read_at = Counter(counts), now
        return Report(
            counts=counts,
            recent=dict(recent),
            rate_in=recent[RECEIVED] / elapsed,
            rate_out=recent[PUBLISHED] / elapsed,
            age=_median_and_p99([age for age, _ in samples if age is not None]),
            stages={
                name: _median_and_p99([stages[name] for _, stages in samples if name in stages]) for name in STAGES
            },
        )


def _median_and_p99(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    values = sorted(values)
    last = len(values) - 1
    return values[round(0.5 * last)], values[round(0.99 * last)]

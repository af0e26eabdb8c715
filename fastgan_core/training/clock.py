"""Means of a run's measures, and where its time goes."""

import time
from collections import defaultdict
from contextlib import contextmanager

import torch


class Clock:
    """Sums measures, clips and time spent waiting, since they were last taken."""

    def __init__(self):
        self.sums: dict[str, torch.Tensor] = defaultdict(float)
        self.steps = self.clips = self.skipped = 0
        self.waited, self.start = 0.0, time.perf_counter()

    @contextmanager
    def waiting(self):
        """Count the time inside as spent waiting for data."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.waited += time.perf_counter() - start

    def add(self, measures: dict[str, torch.Tensor]) -> None:
        """Add one step's measures; nothing is read from the device yet."""
        self.steps += 1
        for name, value in measures.items():
            self.sums[name] = self.sums[name] + value

    def take(self) -> dict[str, float]:
        """Means per step; ``clips_per_second``; ``waiting``, share of the time, for data; ``skipped``, draws of
        this process that met a broken file. Starts anew."""
        seconds = time.perf_counter() - self.start
        means = {name: float(total) / self.steps for name, total in self.sums.items()}
        means |= {"clips_per_second": self.clips / seconds, "waiting": self.waited / seconds}
        means |= {"skipped": self.skipped}
        self.__init__()
        return means

"""Ctrl-C between two frames rather than in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; the second one acts as it did before. For the main thread only."""
    stopped = threading.Event()

    def stop(number: int, _) -> None:
        stopped.set()
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as for a job in the background of a script
            signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Numbers too small for full precision, which a CPU computes with many times more slowly."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def taken_as_zero() -> Iterator[None]:
    """What this thread computes on a CPU has none of them; a decorator too.

    The attention of `lite` gives them to all cells that nothing is like. On one core of a Xeon with AMX its gradient
    takes 0.40 s of a training step's 2.2 s with them and 0.05 s without (profiled once).
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)

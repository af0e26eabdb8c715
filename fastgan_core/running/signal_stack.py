"""The stack on which a thread's signal handlers run."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):  # Linux's stack_t
    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Leaves the thread with the signal stack that it came with, whatever a library loaded meanwhile has set.

    OpenVINO's CPU plugin gives the thread that loads it one of 20 kB (for AMX), and frees it when the plugin goes,
    from whichever thread that happens in. Python handles its signals there, so the next one, Ctrl-C or the end of a
    child process, would kill the process.
    """
    if sys.platform != "linux":
        yield
        return
    sigaltstack, before = ctypes.CDLL(None).sigaltstack, _Stack()
    sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        sigaltstack(ctypes.byref(before), None)

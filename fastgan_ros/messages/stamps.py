"""Stamps of messages as whole nanoseconds, and back."""

from builtin_interfaces.msg import Time

from fastgan_core.tracking.history import SECOND


def nanoseconds(stamp: Time) -> int:
    """A stamp as the tracker's side has it: one number, 0 where none was set."""
    return stamp.sec * SECOND + stamp.nanosec


def to_time(stamp: int) -> Time:
    """The message for a stamp in nanoseconds."""
    # A message can hold nanoseconds above a second, and so a time that has no other way to be written.
    sec = min(max(stamp // SECOND, -(2**31)), 2**31 - 1)
    return Time(sec=sec, nanosec=stamp - sec * SECOND)

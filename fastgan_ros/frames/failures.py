"""What is said and done about a frame that failed; the node goes on with the next one."""

import traceback


def report(console, error: Exception) -> None:
    """Log an exception, with its traceback, while it is being handled."""
    console.error(
        f"worker {type(error).__name__}",
        f"A frame failed; the node goes on with the next one.\n{traceback.format_exc()}",
    )


def make_room(tracker, again: bool) -> tuple[str, bool]:
    """After a frame that the memory did not suffice for; after the second in a row an object has to go.

    `tracker` is None when the node stops. Returns what to say, and whether an object was dropped.
    """
    ids = tracker.ids if tracker is not None else ()
    if again and len(ids) > 1:
        tracker.remove(ids[-1:])
        return (
            f"The memory of the device did not suffice: object {ids[-1]}, the newest, was dropped so that "
            "the others are tracked on. Free memory, or choose a smaller input_size, then set it again."
        ), True
    return (
        "The memory of the device did not suffice for a frame; the node goes on with the next one. "
        "Free memory, or choose a smaller input_size."
    ), False

"""Configuration as data: dataclass fields with a default, a range and a sentence."""

import dataclasses
import math
from typing import Any

from fastgan_core.errors import FastganError


def setting(default: Any, sentence: str, low: float = -math.inf, high: float = math.inf, choices: tuple = ()) -> Any:
    """A dataclass field that says what it is.

    Args:
        default: ``dataclasses.MISSING`` for a value that must be given; lists and dicts are copied.
        sentence: what the value means, with its unit.
        low, high: range of the number, or of each number in a list or dict.
        choices: the only values allowed; empty = any.
    """
    about = {"sentence": sentence, "low": low, "high": high, "choices": choices}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=about)
    return dataclasses.field(default=default, metadata=about)


def camera_size(text: str) -> tuple[int, int]:
    """``"640x480"`` as ``(480, 640)``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise FastganError(f"--camera {text}: expected width x height, such as 640x480")
    return int(height), int(width)

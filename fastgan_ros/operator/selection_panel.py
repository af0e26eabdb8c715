"""The panel beside the camera image in the operator's window, and the status line under it.

Draws with OpenCV alone and needs no display. Text is ASCII, which is what OpenCV 4 can write.
"""

from typing import NamedTuple

import cv2
import numpy as np

from fastgan_core.media.painting import PALETTE

WIDTH = 300  # pixels
STATUS = 64  # height of the status line: up to three lines
ROW = 26  # height of an object's line
SHOWN = 6  # most objects

GROUND, PALE, TEXT, DIM = (32, 34, 38), (48, 51, 57), (235, 235, 235), (160, 165, 172)  # RGB
WARM, COOL = (255, 176, 64), (96, 200, 255)

LIVE_KEYS = (
    ("Space", "freeze this picture"),
    ("drag, click", "freeze and mark at once"),
    ("1-9", "choose an object"),
    ("D", "stop following that object"),
    ("R, R", "forget all objects"),
    ("H", "hide the keys"),
    ("Q", "quit"),
)
FROZEN_KEYS = (
    ("left drag", "box, then strokes on it"),
    ("right drag", "stroke beside it (or Shift)"),
    ("click", "the object is here"),
    ("1-9, N", "which object; N: a new one"),
    ("B, P", "draw a box, paint first"),
    ("[ ]", "thinner, thicker brush"),
    ("Z", "undo"),
    ("Enter", "send"),
    ("Esc, Space", "back to live"),
    ("H", "hide the keys"),
    ("Q", "quit"),
)


class Row(NamedTuple):
    """An object as the panel names it."""

    number: int
    state: str  # "tracked", "lost" or "" while the tracker does not know it


class Title(NamedTuple):
    """What is said of a frozen picture."""

    what: str  # is being marked
    age: str
    late: bool  # the tracker will soon have forgotten this frame, or has


def draw_panel(
    canvas: np.ndarray, inset: np.ndarray | None, title: Title | None, rows: list[Row], current: int, keys: bool
) -> list[tuple[int, int, int]]:
    """Draw the panel into its part of the window.

    Args:
        canvas: ``(H, WIDTH, 3) uint8 RGB``. inset: the live image while another is frozen, in any size.
        title: None while the picture is live.

    Returns:
        upper edge, lower edge and number of each object that is named in it.
    """
    x, y = 14, 12
    if title:
        y = _draw_inset(canvas, x, y, inset)
        write(canvas, "FROZEN", (x, y + 16), 0.6, COOL, 2)
        write(canvas, title.what, (x + 88, y + 16), 0.5, TEXT)
        write(canvas, title.age, (x + 190, y + 16), 0.5, WARM if title.late else DIM)
    else:
        write(canvas, "LIVE", (x, y + 16), 0.6, WARM, 2)
    y += 34
    places = []
    for row in rows[:SHOWN]:
        _draw_row(canvas, x, y, row, row.number == current)
        places.append((y, y + ROW, row.number))
        y += ROW + 4
    if not rows or len(rows) > SHOWN:
        words = f"and {len(rows) - SHOWN} more" if rows else "no objects yet"
        write(canvas, words, (x, y + 14), 0.45, DIM)
        y += 22
    y += 8
    for key, what in (FROZEN_KEYS if title else LIVE_KEYS) if keys else (("H", "show the keys"),):
        if y + 18 <= canvas.shape[0]:
            write(canvas, key, (x, y + 14), 0.43, COOL)
            write(canvas, what, (x + 88, y + 14), 0.43, DIM)
        y += 19
    return places


def draw_status(canvas: np.ndarray, text: str, warning: bool, busy: bool) -> None:
    """Write the status line into ``(STATUS, W, 3) uint8 RGB``; with a dot while an answer is waited for."""
    canvas[:] = PALE
    lines = wrapped(text, canvas.shape[1] - 60, 0.5)[:3]
    step = 24 if len(lines) < 3 else 18
    for n, line in enumerate(lines):
        write(canvas, line, (12, 22 + step * n), 0.5, WARM if warning else TEXT)
    if busy:
        cv2.circle(canvas, (canvas.shape[1] - 20, 20), 7, COOL, -1, cv2.LINE_AA)


def wrapped(text: str, width: int, size: float) -> list[str]:
    """The text in lines of at most ``width`` pixels; a word that is wider has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def write(canvas: np.ndarray, text: str, place, size: float, colour, thickness: int = 1) -> None:
    """Write text; `place` is the left end of its base line."""
    text = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def colour_of(number: int) -> tuple[int, int, int]:
    """RGB of an object, the same as in ``~/overlay``."""
    return tuple(PALETTE[number & 255].tolist())


def _draw_inset(canvas: np.ndarray, x: int, y: int, picture: np.ndarray | None) -> int:
    """Returns the lower edge."""
    if picture is None:
        return y
    height, width = picture.shape[:2]
    scale = min((WIDTH - 2 * x) / width, 150 / height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    canvas[y : y + size[1], x : x + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    cv2.rectangle(canvas, (x + 2, y + 2), (x + 52, y + 24), GROUND, -1)
    write(canvas, "LIVE", (x + 6, y + 18), 0.5, WARM, 2)
    return y + size[1] + 8


def _draw_row(canvas: np.ndarray, x: int, y: int, row: Row, current: bool) -> None:
    right = WIDTH - x
    cv2.rectangle(canvas, (x, y), (right, y + ROW - 1), PALE, -1)
    if current:
        cv2.rectangle(canvas, (x, y), (right, y + ROW - 1), TEXT, 1)
    cv2.rectangle(canvas, (x + 5, y + 5), (x + 21, y + ROW - 6), colour_of(row.number), -1)
    write(canvas, str(row.number), (x + 30, y + 18), 0.5, TEXT)
    words = {"lost": "LOST: click here, then it"}.get(row.state, row.state or "not sent yet")
    write(canvas, words, (x + 66, y + 18), 0.43, WARM if row.state == "lost" else DIM)

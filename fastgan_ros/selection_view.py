"""The picture in the operator's window: the camera image with what is marked, a panel beside it, a status line.

Draws with OpenCV alone and needs no display. Text is ASCII, which is what OpenCV 4 can write.
"""

from typing import NamedTuple

import cv2
import numpy as np

from fastgan_core.masks import PALETTE, overlay
from fastgan_ros.marking import BOX, INSIDE, Action, Selection, paint

LARGEST = (960, 720)  # pixels (width, height) that the camera image is fitted into
SMALLEST = 480  # pixels of height: the panel's text needs them
PANEL = 300  # width
STATUS = 64  # height: two lines and a margin
ROW = 26  # height of an object's line in the panel
SHOWN = 7  # most objects in the panel

GROUND, PALE, TEXT, DIM = (32, 34, 38), (48, 51, 57), (235, 235, 235), (160, 165, 172)  # RGB
WARM, COOL, OUT = (255, 176, 64), (96, 200, 255), (20, 20, 20)

LIVE_KEYS = (
    ("Space, drag", "freeze this frame"),
    ("click a name", "mark that object again"),
    ("D", "stop following the object"),
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


class Shown(NamedTuple):
    """All that is to be seen."""

    frame: np.ndarray | None  # (H, W, 3) uint8 RGB, the newest; None: none has come
    labels: np.ndarray | None  # (H, W) of that frame
    selection: Selection | None  # None: live
    current: int
    rows: list[Row]
    status: str
    warning: bool = False
    busy: bool = False
    keys: bool = True
    cursor: tuple[int, int] | None = None  # in the window, with its brush while a frame is frozen
    radius: int = 0


class View:
    """Draws `Shown` and says what lies at a place in the window. The layout follows the size of the camera image."""

    def __init__(self):
        self.scale = 1.0  # pixels of the window for one of the camera image
        self._size = (0, 0)  # of the camera image, width and height
        self._rows: list[tuple[int, int, int]] = []  # upper edge, lower edge, object
        self._inset = (0, 0)

    def to_image(self, x: int, y: int) -> tuple[int, int]:
        """The place in the camera image that is shown at ``x, y`` in the window; may lie outside of the image."""
        return int(np.floor(x / self.scale)), int(np.floor(y / self.scale))

    def on_image(self, x: int, y: int) -> bool:
        """Whether the camera image is at this place in the window."""
        column, row = self.to_image(x, y)
        return 0 <= column < self._size[0] and 0 <= row < self._size[1]

    def object_at(self, x: int, y: int) -> int | None:
        """The object whose name is at this place in the window."""
        if x < self._picture_size()[0]:
            return None
        return next((number for top, bottom, number in self._rows if top <= y < bottom), None)

    def draw(self, shown: Shown) -> np.ndarray:
        """The window's content, ``(H, W, 3) uint8 RGB``."""
        frame = shown.selection.frame if shown.selection else shown.frame
        if frame is None:
            frame = np.full((480, 640, 3), GROUND, np.uint8)
        self._size = frame.shape[1], frame.shape[0]
        width, height = self._size
        self.scale = min(LARGEST[0] / width, LARGEST[1] / height, max(SMALLEST / height, 1.0))
        across, down = self._picture_size()
        canvas = np.full((max(down, SMALLEST) + STATUS, across + PANEL, 3), GROUND, np.uint8)
        picture = _resized(frame, (across, down))
        if shown.selection:
            self._draw_selection(picture, shown)
        elif shown.labels is not None:
            picture = overlay(picture, _resized(shown.labels, (across, down), cv2.INTER_NEAREST))
        canvas[:down, :across] = picture
        colour = COOL if shown.selection else (90, 94, 100)
        cv2.rectangle(canvas, (0, 0), (across - 1, down - 1), colour, 2 if shown.selection else 1)
        self._draw_panel(canvas, across, shown)
        self._draw_status(canvas, shown)
        return canvas

    def _picture_size(self) -> tuple[int, int]:
        return max(round(self._size[0] * self.scale), 1), max(round(self._size[1] * self.scale), 1)

    def _draw_selection(self, picture: np.ndarray, shown: Shown) -> None:
        chosen, size = shown.selection, self._picture_size()
        labels = _resized(chosen.labels(), size, cv2.INTER_NEAREST)
        if labels.any():
            picture[:] = overlay(picture, labels, 0.4)
            contours, _ = cv2.findContours((labels > 0).view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, contours, -1, (255, 255, 255), 1)
        for number in chosen.numbers:
            for action in chosen.actions_of(number):
                self._draw_action(picture, action)
        if chosen.dragged:
            self._draw_action(picture, chosen.dragged)
        elif shown.cursor and self.on_image(*shown.cursor):
            cv2.circle(picture, shown.cursor, max(round(shown.radius * self.scale), 1), TEXT, 1, cv2.LINE_AA)

    def _draw_action(self, picture: np.ndarray, action: Action) -> None:
        colour = _colour(action.number)
        if action.kind == BOX:
            (left, top), (right, bottom) = (
                tuple(round(edge * self.scale) for edge in corner)
                for corner in ((action.box[0], action.box[1]), np.add(action.box[:2], action.box[2:]))
            )
            cv2.rectangle(picture, (left, top), (right, bottom), OUT, 3)
            cv2.rectangle(picture, (left, top), (right, bottom), colour, 1)
            return
        # Not covering: what lies under a stroke is what one looks at.
        painted = picture.copy()
        paint(painted, action, colour if action.kind == INSIDE else OUT, self.scale)
        cv2.addWeighted(painted, 0.55, picture, 0.45, 0, dst=picture)

    def _draw_panel(self, canvas: np.ndarray, left: int, shown: Shown) -> None:
        x, y = left + 14, 12
        bottom = canvas.shape[0] - STATUS
        if shown.selection:
            y = self._draw_inset(canvas, x, y, shown)
            _write(canvas, "FROZEN", (x, y + 16), 0.6, COOL, 2)
            _write(canvas, f"marking object {shown.current}", (x + 90, y + 16), 0.5, TEXT)
        else:
            _write(canvas, "LIVE", (x, y + 16), 0.6, WARM, 2)
        y += 34
        self._rows = []
        for row in shown.rows[:SHOWN]:
            self._draw_row(canvas, x, y, row, row.number == shown.current)
            self._rows.append((y, y + ROW, row.number))
            y += ROW + 4
        if len(shown.rows) > SHOWN:
            _write(canvas, f"and {len(shown.rows) - SHOWN} more", (x, y + 14), 0.45, DIM)
            y += 20
        if not shown.rows:
            _write(canvas, "no objects yet", (x, y + 14), 0.45, DIM)
            y += 22
        y += 8
        for key, what in (FROZEN_KEYS if shown.selection else LIVE_KEYS) if shown.keys else (("H", "show the keys"),):
            if y + 18 > bottom:
                break
            _write(canvas, key, (x, y + 14), 0.43, COOL)
            _write(canvas, what, (x + 88, y + 14), 0.43, DIM)
            y += 19

    def _draw_inset(self, canvas: np.ndarray, x: int, y: int, shown: Shown) -> int:
        """The live image while another is frozen; returns the lower edge."""
        if shown.frame is None:
            return y
        height, width = shown.frame.shape[:2]
        scale = min((PANEL - 28) / width, 150 / height)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        picture = _resized(shown.frame, size)
        if shown.labels is not None:
            picture = overlay(picture, _resized(shown.labels, size, cv2.INTER_NEAREST))
        canvas[y : y + size[1], x : x + size[0]] = picture
        _write(canvas, "LIVE", (x + 6, y + 18), 0.5, WARM, 2)
        return y + size[1] + 8

    def _draw_row(self, canvas: np.ndarray, x: int, y: int, row: Row, current: bool) -> None:
        right = x + PANEL - 28
        cv2.rectangle(canvas, (x, y), (right, y + ROW - 1), PALE, -1)
        if current:
            cv2.rectangle(canvas, (x, y), (right, y + ROW - 1), TEXT, 1)
        cv2.rectangle(canvas, (x + 5, y + 5), (x + 21, y + ROW - 6), _colour(row.number), -1)
        _write(canvas, str(row.number), (x + 30, y + 18), 0.5, TEXT)
        words = {"lost": "LOST: click here, then it"}.get(row.state, row.state or "not sent yet")
        _write(canvas, words, (x + 66, y + 18), 0.43, WARM if row.state == "lost" else DIM)

    def _draw_status(self, canvas: np.ndarray, shown: Shown) -> None:
        top = canvas.shape[0] - STATUS
        canvas[top:] = PALE
        lines = wrapped(shown.status, canvas.shape[1] - 24, 0.5)[:3]
        step = 24 if len(lines) < 3 else 18
        for n, line in enumerate(lines):
            _write(canvas, line, (12, top + 8 + step * n + 14), 0.5, WARM if shown.warning else TEXT)
        if shown.busy:
            cv2.circle(canvas, (canvas.shape[1] - 20, top + 20), 7, COOL, -1, cv2.LINE_AA)


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


def _write(canvas, text, place, size, colour, thickness=1) -> None:
    text = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def _colour(number: int) -> tuple[int, int, int]:
    return tuple(PALETTE[number & 255].tolist())


def _resized(picture: np.ndarray, size: tuple[int, int], interpolation: int | None = None) -> np.ndarray:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture.copy()
    if interpolation is None:
        interpolation = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=interpolation)

"""The picture in the operator's window: the camera image with what is marked, the panel, the status line.

Draws with OpenCV alone and needs no display.
"""

from typing import NamedTuple

import cv2
import numpy as np

from fastgan_core.media.painting import overlay
from fastgan_ros.operator import selection_panel as panel
from fastgan_ros.operator.marking import Selection
from fastgan_ros.operator.marks import BOX, CLICK, INSIDE, Action, paint

LARGEST = (960, 720)  # pixels (width, height) that the camera image is fitted into
SMALLEST = 600  # pixels of height: the text in the panel needs them
BRUSH = 2, 60  # smallest and largest radius, in pixels of the window
OUT = (20, 20, 20)  # RGB of strokes on the background


class Shown(NamedTuple):
    """All that is to be seen."""

    frame: np.ndarray | None  # (H, W, 3) uint8 RGB, the newest; None: none has come
    labels: np.ndarray | None  # (H, W) of that frame
    selection: Selection | None  # None: live
    current: int
    rows: list[panel.Row]
    status: str
    warning: bool = False
    busy: bool = False
    keys: bool = True
    cursor: tuple[int, int] | None = None  # in the window
    age: float = 0.0  # seconds since the picture was frozen
    kept: float | None = None  # seconds that the tracker keeps frames


class View:
    """Draws `Shown` and says what lies at a place in the window. The layout follows the size of the camera image."""

    def __init__(self):
        self.scale = 1.0  # pixels of the window for one of the camera image
        self._brush = 6.0  # radius in pixels of the window
        self._size = (0, 0)  # of the camera image, width and height
        self._rows: list[tuple[int, int, int]] = []  # upper edge, lower edge, object

    @property
    def radius(self) -> int:
        """Of the brush, in pixels of the camera image."""
        return max(round(self._brush / self.scale), 1)

    def change_brush(self, factor: float) -> None:
        """Make the brush thinner or thicker."""
        self._brush = min(max(self._brush * factor, BRUSH[0]), BRUSH[1])

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
            frame = np.full((480, 640, 3), panel.GROUND, np.uint8)
        self._size = frame.shape[1], frame.shape[0]
        width, height = self._size
        self.scale = min(LARGEST[0] / width, LARGEST[1] / height, max(SMALLEST / height, 1.0))
        across, down = self._picture_size()
        canvas = np.full((max(down, SMALLEST) + panel.STATUS, across + panel.WIDTH, 3), panel.GROUND, np.uint8)
        picture = _resized(frame, (across, down))
        if shown.selection:
            self._draw_selection(picture, shown)
        elif shown.labels is not None:
            picture = overlay(picture, _resized(shown.labels, (across, down), cv2.INTER_NEAREST))
        canvas[:down, :across] = picture
        colour = panel.COOL if shown.selection else (90, 94, 100)
        cv2.rectangle(canvas, (0, 0), (across - 1, down - 1), colour, 2 if shown.selection else 1)
        inset = None
        if shown.selection and shown.frame is not None:
            inset = shown.frame if shown.labels is None else overlay(shown.frame, shown.labels)
        beside, below = canvas[: -panel.STATUS, across:], canvas[-panel.STATUS :]
        self._rows = panel.draw_panel(beside, inset, self._title(shown), shown.rows, shown.current, shown.keys)
        panel.draw_status(below, shown.status, shown.warning, shown.busy)
        return canvas

    @staticmethod
    def _title(shown: Shown) -> panel.Title | None:
        if shown.selection is None:
            return None
        late = shown.kept is not None and shown.age > 0.8 * shown.kept
        return panel.Title(f"object {shown.current}", f"{shown.age:.0f} s ago", late)

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
            # The brush says whose mark the next one is.
            radius = max(round(self.radius * self.scale), 1)
            cv2.circle(picture, shown.cursor, radius + 1, panel.TEXT, 1, cv2.LINE_AA)
            cv2.circle(picture, shown.cursor, radius, panel.colour_of(chosen.current), 2, cv2.LINE_AA)
            place = shown.cursor[0] + radius + 5, shown.cursor[1] + 5
            panel.write(picture, str(chosen.current), place, 0.5, panel.TEXT)

    def _draw_action(self, picture: np.ndarray, action: Action) -> None:
        colour = panel.colour_of(action.number)
        if action.kind == BOX:
            (left, top), (right, bottom) = (
                tuple(round(edge * self.scale) for edge in corner)
                for corner in ((action.box[0], action.box[1]), np.add(action.box[:2], action.box[2:]))
            )
            cv2.rectangle(picture, (left, top), (right, bottom), OUT, 3)
            cv2.rectangle(picture, (left, top), (right, bottom), colour, 1)
            return
        if action.kind == CLICK:
            place = tuple(round(at * self.scale) for at in action.points[0])
            cv2.drawMarker(picture, place, OUT, cv2.MARKER_CROSS, 17, 5)
            cv2.drawMarker(picture, place, panel.TEXT, cv2.MARKER_CROSS, 15, 2)
            return
        # Not covering: what lies under a stroke is what one looks at.
        painted = picture.copy()
        paint(painted, action, colour if action.kind == INSIDE else OUT, self.scale)
        cv2.addWeighted(painted, 0.55, picture, 0.45, 0, dst=picture)


def _resized(picture: np.ndarray, size: tuple[int, int], interpolation: int | None = None) -> np.ndarray:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture.copy()
    if interpolation is None:
        interpolation = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=interpolation)

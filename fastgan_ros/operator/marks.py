"""The marks of an operator: boxes, strokes and clicks, and what is to be found by them.

All coordinates are pixels of the camera image.
"""

from typing import NamedTuple

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.selection.click import Looks, outline_at
from fastgan_core.selection.outline import outline

INSIDE, OUTSIDE, BOX, CLICK = "inside", "outside", "box", "click"

Point = tuple[int, int]


class Action(NamedTuple):
    """One thing that the operator did for an object."""

    number: int  # the object's id
    kind: str  # INSIDE, OUTSIDE, BOX or CLICK
    points: tuple[Point, ...]  # of the stroke; two opposite corners of a box; one of a click
    radius: int  # of the stroke's brush

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``x, y, width, height`` about the points."""
        return cv2.boundingRect(np.array(self.points, np.int32))


class Hints(NamedTuple):
    """What `fastgan_core.selection.outline.outline` takes for one object."""

    box: tuple[float, float, float, float] | None
    inside: np.ndarray  # (H, W) bool
    outside: np.ndarray  # (H, W) bool


class Job(NamedTuple):
    """An outline to be found; `run` may be called in any thread."""

    number: int
    actions: tuple[Action, ...]  # what it was asked for; with `click` this alone
    frame: np.ndarray
    hints: Hints | None
    click: Action | None
    looks: Looks | None

    def run(self) -> tuple[np.ndarray | None, str]:
        """``(H, W) bool`` and no words, or None and what is wrong in words."""
        try:
            if self.click:
                return outline_at(self.frame, *self.click.points[0], self.looks), ""
            return outline(self.frame, *self.hints), ""
        except FastganError as error:
            return None, str(error)


def paint(canvas: np.ndarray, stroke: Action, colour, scale: float = 1.0) -> None:
    """Draw a stroke into ``(H, W)`` or ``(H, W, 3)`` that is ``scale`` times as large as the camera image."""
    points = np.round(np.array(stroke.points) * scale).astype(np.int32)
    thickness = max(round((2 * stroke.radius + 1) * scale), 1)
    cv2.polylines(canvas, [points[:, None]], False, colour, thickness)
    if len(points) == 1 or (points == points[0]).all():
        cv2.circle(canvas, points[0].tolist(), thickness // 2, colour, -1)

"""What an operator has marked on a frozen frame: boxes and strokes per object, and the outlines they lead to.

No ROS and no window in here. All coordinates are pixels of the camera image.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.outline import outline

LAST_ID = 254  # a mask of 255 alone would be taken for black and white
CLICK = 4  # a drag that stays within so many pixels is a click
REACH = 1.6  # size of the box about a click, relative to the object's size when it was last seen
DOT = 0.12  # radius of the stroke that a click leaves, relative to the smaller side of that size

INSIDE, OUTSIDE, BOX = "inside", "outside", "box"

Point = tuple[int, int]


class Action(NamedTuple):
    """One thing that the operator did for an object."""

    number: int  # the object's id
    kind: str  # INSIDE, OUTSIDE or BOX
    points: tuple[Point, ...]  # of the stroke; of a box two opposite corners
    radius: int  # of the stroke's brush

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``x, y, width, height`` about the points."""
        return cv2.boundingRect(np.array(self.points, np.int32))


class Hints(NamedTuple):
    """What `fastgan_core.outline.outline` takes for one object."""

    box: tuple[int, int, int, int] | None
    inside: np.ndarray  # (H, W) bool
    outside: np.ndarray  # (H, W) bool


class Job(NamedTuple):
    """An outline to be found; `run` may be called in any thread."""

    number: int
    actions: tuple[Action, ...]  # what it was asked for
    frame: np.ndarray
    hints: Hints

    def run(self) -> tuple[np.ndarray | None, str]:
        """``(H, W) bool`` and no words, or None and what is wrong in words."""
        try:
            return outline(self.frame, *self.hints), ""
        except FastganError as error:
            return None, str(error)


class Selection:
    """The marks on one frame.

    `frame` is ``(H, W, 3) uint8 RGB``; `header` is handed back with the result and not looked at. `current` is the
    object that the next mark is for.
    """

    def __init__(self, frame: np.ndarray, header: Any, current: int = 1):
        self.frame = frame
        self.header = header
        self.current = current
        self.dragged: Action | None = None  # the mark that is being made
        self.tool: str | None = None  # BOX or INSIDE for the next drag; None: a box first, then strokes
        self._actions: list[Action] = []
        self._found: dict[int, tuple[tuple[Action, ...], np.ndarray | None, str]] = {}

    def press(self, x: int, y: int, kind: str, radius: int) -> None:
        """Begin a drag: of a stroke, or with kind INSIDE of a box where nothing says yet where the object is."""
        if kind == INSIDE:
            kind = self.tool or (INSIDE if self._begun(self.current) else BOX)
        self.dragged = Action(self.current, kind, (self._within(x, y),), radius)

    def move(self, x: int, y: int) -> None:
        """Go on with the drag, if there is one."""
        if self.dragged is None:
            return
        first, *rest = self.dragged.points
        rest = [] if self.dragged.kind == BOX else rest
        self.dragged = self.dragged._replace(points=(first, *rest, self._within(x, y)))

    def release(self, size: tuple[int, int]) -> bool:
        """End the drag. Returns whether it was a click on an object of which nothing was marked yet.

        Such a click is a dot on the object, and a box about it for an object of ``size`` (width, height) pixels.
        """
        action, self.dragged = self.dragged, None
        if action is None:
            return False
        if action.kind != BOX or max(action.box[2:]) > CLICK:
            if action.kind != OUTSIDE:
                self.tool = None
            self._actions.append(action)
            return False
        if self._begun(self.current):  # a new box was wanted, and this is none
            return False
        (x, y), (width, height) = action.points[0], size
        across, down = round(width * REACH / 2), round(height * REACH / 2)
        corners = self._within(x - across, y - down), self._within(x + across, y + down)
        dot = max(round(DOT * min(size)), 2)
        self._actions += [
            Action(self.current, BOX, corners, 0),
            Action(self.current, INSIDE, ((x, y),), dot),
        ]
        return True

    def cancel(self) -> None:
        """Forget the drag that is under way."""
        self.dragged = None

    def undo(self) -> bool:
        """Take the last mark back, whichever object it was for, and go to that object; False without marks."""
        if not self._actions:
            return False
        self.current = self._actions.pop().number
        return True

    def drop(self, number: int) -> None:
        """Take all marks of an object back."""
        self._actions = [action for action in self._actions if action.number != number]

    @property
    def numbers(self) -> list[int]:
        """Ids of the objects with marks, in the order of their first ones."""
        return list(dict.fromkeys(action.number for action in self._actions))

    def actions_of(self, number: int) -> tuple[Action, ...]:
        """The marks of an object, in their order."""
        return tuple(action for action in self._actions if action.number == number)

    def hints(self, number: int) -> Hints:
        """The marks of an object as `outline` takes them: the last box; where strokes cross, the last one counts."""
        box, painted = None, np.zeros(self.frame.shape[:2], np.uint8)
        for action in self.actions_of(number):
            if action.kind == BOX:
                box = action.box
            else:
                paint(painted, action, 1 if action.kind == INSIDE else 2)
        return Hints(box, painted == 1, painted == 2)

    def next_job(self) -> Job | None:
        """The outline to find next, None when all are found."""
        for number in self.numbers:
            if not self.settled(number):
                return Job(number, self.actions_of(number), self.frame, self.hints(number))
        return None

    def settle(self, job: Job, found: np.ndarray | None, problem: str) -> None:
        """Take in what a job found; marks that were made meanwhile bring the next job."""
        self._found[job.number] = job.actions, found, problem

    def settled(self, number: int) -> bool:
        """Whether the outline, or its problem, is that of all marks of the object."""
        return number in self._found and self._found[number][0] == self.actions_of(number)

    def proposal(self, number: int) -> np.ndarray | None:
        """``(H, W) bool``: the outline last found for an object that still has marks, None when there is none."""
        return self._found[number][1] if number in self._found and self.actions_of(number) else None

    def problem(self) -> str:
        """Why the marks of some object led to no outline, in words; empty when all did."""
        for number in self.numbers:
            if number in self._found and self._found[number][2]:
                return f"Object {number}: {self._found[number][2]}."
        return ""

    def labels(self) -> np.ndarray:
        """``(H, W) uint8``: 0 is background, else an object's id. Where two overlap, the one that was begun later."""
        labels = np.zeros(self.frame.shape[:2], np.uint8)
        for number in self.numbers:
            proposal = self.proposal(number)
            if proposal is not None:
                labels[proposal] = number
        return labels

    def _begun(self, number: int) -> bool:
        return any(action.kind != OUTSIDE for action in self.actions_of(number))

    def _within(self, x: int, y: int) -> Point:
        height, width = self.frame.shape[:2]
        return min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)


def paint(canvas: np.ndarray, stroke: Action, colour, scale: float = 1.0) -> None:
    """Draw a stroke into ``(H, W)`` or ``(H, W, 3)`` that is ``scale`` times as large as the camera image."""
    points = np.round(np.array(stroke.points) * scale).astype(np.int32)
    thickness = max(round((2 * stroke.radius + 1) * scale), 1)
    cv2.polylines(canvas, [points[:, None]], False, colour, thickness)
    if len(points) == 1 or (points == points[0]).all():
        cv2.circle(canvas, points[0].tolist(), thickness // 2, colour, -1)

"""What an operator has marked on a frozen frame: the marks of each object, and the outlines they lead to.

No ROS and no window in here. All coordinates are pixels of the camera image.
"""

from typing import Any

import cv2
import numpy as np

from fastgan_core.labels import bounding_box
from fastgan_core.selection.click import Looks
from fastgan_ros.operator.marks import BOX, CLICK, INSIDE, OUTSIDE, Action, Hints, Job, Point, paint

WHITE = 255  # no id to mark: a mask of 0 and 255 alone is taken for black and white
LAST_ID = WHITE - 1  # of those that are given to new objects
NEAR = 4  # a drag that stays within so many pixels is a click
MARGIN = 0.15  # about what a click found, for the box that strokes correct it in
CORE = 3  # pixels from its edge what a click found is not in doubt


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
        self._looks: dict[Action, Looks | None] = {}  # of clicks
        self._clicked: dict[Action, np.ndarray] = {}  # what clicks found

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

    def release(self, looks: Looks | None = None) -> bool:
        """End the drag. Returns whether it was a click on an object of which nothing was marked yet.

        Such a click asks for the object at that place; ``looks`` is how it looked before.
        """
        action, self.dragged = self.dragged, None
        if action is None:
            return False
        if action.kind != BOX or max(action.box[2:]) > NEAR:
            if action.kind != OUTSIDE:
                self.tool = None
            self._actions.append(action)
            return False
        if self._begun(self.current):  # a new box was wanted, and this is none
            return False
        click = Action(self.current, CLICK, action.points[:1], action.radius)
        self._looks[click] = looks
        self._actions.append(click)
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
            elif action.kind != CLICK:
                paint(painted, action, 1 if action.kind == INSIDE else 2)
            elif (found := self._clicked.get(action)) is not None:
                x, y, width, height = bounding_box(found)
                across, down = MARGIN * width + 2, MARGIN * height + 2
                box = x - across, y - down, width + 2 * across, height + 2 * down
                core = cv2.erode(found.astype(np.uint8), np.ones((2 * CORE + 1,) * 2, np.uint8))
                painted[core > 0] = 1
        return Hints(box, painted == 1, painted == 2)

    def next_job(self) -> Job | None:
        """The outline to find next, None when all are found."""
        for number in self.numbers:
            if self.settled(number):
                continue
            actions = self.actions_of(number)
            if len(actions) == 1 and actions[0] in self._clicked:  # strokes were taken back: what it had found
                self._found[number] = actions, self._clicked[actions[0]], ""
                continue
            for click in actions:
                if click.kind == CLICK and click not in self._clicked:
                    return Job(number, (click,), self.frame, None, click, self._looks[click])
            return Job(number, actions, self.frame, self.hints(number), None, None)
        return None

    def settle(self, job: Job, found: np.ndarray | None, problem: str) -> None:
        """Take in what a job found; marks that were made meanwhile bring the next job.

        A click that found nothing is forgotten, as if it had not been: a box may follow, or the same click again.
        """
        if job.click and found is None:
            self._actions = [action for action in self._actions if action != job.click]
            return
        self._found[job.number] = job.actions, found, problem
        if job.click:
            self._clicked[job.click] = found

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

    def fault(self) -> str:
        """Why the marks cannot be sent, in words; empty when they can."""
        if not self.numbers:
            return "Nothing is marked yet: drag a box around the object, or click on it."
        labels = self.labels()
        hidden = [number for number in self.numbers if not (labels == number).any()]
        return self.problem() or (f"Object {hidden[0]} is wholly under another one." if hidden else "")

    def labels(self) -> np.ndarray:
        """``(H, W)``: 0 is background, else an object's id. Where two overlap, the one that was begun later.

        uint8, or uint16 where an id needs it.
        """
        labels = np.zeros(self.frame.shape[:2], np.uint8 if max(self.numbers, default=0) < WHITE else np.uint16)
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

"""How each object looked, so that one click is enough to mark it again."""

import numpy as np

from fastgan_core.selection.click import Looks
from fastgan_ros.messages.pairing import Live
from fastgan_ros.operator.marking import Selection
from fastgan_ros.operator.tracker_link import Seen


class Remembered:
    """For each object that is followed, the last marks of the operator, else the last frame that it was seen in."""

    def __init__(self):
        self._marked: dict[int, Looks] = {}
        self._seen: dict[int, Live] = {}
        self._known: set[int] = set()
        self._last: Live | None = None

    def marked(self, selection: Selection) -> None:
        """The tracker took what was marked."""
        labels = selection.labels()
        for number in selection.numbers:
            self._marked[number] = Looks(selection.frame, labels == number)

    def update(self, objects: list[Seen], live: Live | None) -> None:
        """Take in what the tracker follows and what it sees."""
        known = {seen.number for seen in objects}
        for number in self._known - known:  # its id may be another object's soon
            self._marked.pop(number, None)
            self._seen.pop(number, None)
        self._known = known
        if live is None or live is self._last or live.labels is None:
            return
        self._last = live
        counts = np.bincount(live.labels.ravel())
        for seen in objects:
            if not seen.lost and seen.number < len(counts) and counts[seen.number]:
                self._seen[seen.number] = live

    def looks(self, number: int) -> Looks | None:
        """How an object looked; None: it is a new one, or was never in view."""
        if number not in self._known:
            return None
        if number in self._marked:
            return self._marked[number]
        live = self._seen.get(number)
        return live and Looks(live.rgb, live.labels == number)

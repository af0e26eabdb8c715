"""The objects that the tracker follows, and those being marked: their names, free ids, removal."""

import time

from fastgan_ros.operator.marking import LAST_ID, Selection
from fastgan_ros.operator.selection_panel import Row
from fastgan_ros.operator.tracker_link import TrackerLink

SURE = 3.0  # seconds within which a reset is to be asked for again

Words = tuple[str, bool]  # what to say, and whether it is a warning


class Roster:
    """`chosen` is the object that the operator chose while the picture is live; None: the next mark is a new one's."""

    def __init__(self, link: TrackerLink):
        self.chosen: int | None = None
        self._link = link
        self._coming: set[int] = set()  # sent, and not yet among the tracker's objects
        self._reset_asked = 0.0

    def rows(self, selection: Selection | None) -> list[Row]:
        """What the panel shows: lost objects first, for they need somebody and the panel is short."""
        rows = {seen.number: Row(seen.number, "lost" if seen.lost else "tracked") for seen in self._link.objects()}
        for number in selection.numbers if selection else []:
            rows.setdefault(number, Row(number, ""))
        return sorted(rows.values(), key=lambda row: (row.state != "lost", row.number))

    def lost(self, number: int) -> bool:
        """Whether the tracker has lost this object."""
        return any(seen.lost for seen in self._link.objects() if seen.number == number)

    def next_number(self, selection: Selection | None) -> int:
        """The lowest id that neither the tracker nor the selection has, nor one that is on its way to the tracker."""
        known = {seen.number for seen in self._link.objects()}
        self._coming -= known
        taken = known | self._coming | set(selection.numbers if selection else ())
        return next((number for number in range(1, LAST_ID) if number not in taken), LAST_ID)

    def sent(self, numbers: list[int]) -> None:
        """These were sent; the tracker takes seconds to run to the present with them."""
        self._coming.update(numbers)

    def refused(self, numbers: list[int]) -> None:
        """The tracker did not take these."""
        self._coming.difference_update(numbers)

    def remove(self) -> Words:
        """Ask the tracker to stop following the chosen object, or the only one."""
        known = [seen.number for seen in self._link.objects()]
        number = self.chosen or (known[0] if len(known) == 1 else None)
        if number is None:
            return "Which one? Press its number or click on its name, then D.", True
        self._coming.discard(number)
        self._link.requests.remove(number)
        self.chosen = None
        return f"Asked {self._link.tracker} to stop following object {number}.", False

    def reset(self) -> Words:
        """Ask the tracker to forget all objects, the second time within ``SURE`` seconds."""
        if time.monotonic() - self._reset_asked > SURE:
            self._reset_asked = time.monotonic()
            return "Press R once more to forget all objects.", True
        self._reset_asked = 0.0
        self._coming.clear()
        self._link.requests.reset()
        return f"Asked {self._link.tracker} to forget all objects.", False

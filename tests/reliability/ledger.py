"""What was sent and asked, and whether what comes back can be true."""

from collections import Counter

_KEPT = 2000  # frames whose results may still be under way


def _key(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class Ledger:
    """Knows each frame's stamp, and which ids the tracker may hold at any time.

    `states` are the sets of ids in the order of the requests: one when a request is made, one when it is
    answered. A result of a frame has the ids of a state that is not older than the last one answered when the
    frame was sent, and not older than that of the result before it: a mask from before a reset has neither.
    """

    def __init__(self):
        self.states: list[frozenset] = [frozenset()]
        self.problems: list[str] = []
        self.checked: Counter[str] = Counter()
        self._confirmed = 0  # index of the state of the last answer
        self._frames: dict[int, tuple[int, int]] = {}  # stamp: number, state confirmed when it was sent
        self._stamps: dict[int, object] = {}
        self._results: dict[int, dict] = {}
        self._last = self._at = 0

    def sent(self, number: int, stamp) -> None:
        """A frame goes out."""
        self._frames[_key(stamp)] = number, self._confirmed
        self._stamps[number] = stamp
        if len(self._frames) > _KEPT:
            del self._frames[next(iter(self._frames))]
            del self._stamps[next(iter(self._stamps))]

    def stamp(self, number: int):
        """The stamp of a frame."""
        return self._stamps[number]

    def asked(self, ids) -> None:
        """A request goes out after which the tracker may hold `ids`."""
        self.states.append(frozenset(ids))

    def answered(self, ids) -> None:
        """The request was answered: from now on the tracker holds `ids`."""
        self.states.append(frozenset(ids))
        self._confirmed = len(self.states) - 1

    def wrong(self, problem: str) -> None:
        """Note that something is not as it should be."""
        self.problems.append(problem)

    def number(self, header) -> int:
        """The number of the frame that a result belongs to; 0 for a stamp that no frame had."""
        found = self._frames.get(_key(header.stamp))
        if found is None or header.frame_id != str(found[0]):
            self.wrong(f"a result has the header of no frame: {header}")
            return 0
        return found[0]

    def objects(self, number: int, ids) -> None:
        """A list of objects came; they come in the order of the frames."""
        if not number:
            return
        if number <= self._last:
            self.wrong(f"the result of frame {number} came after that of frame {self._last}")
        self._last = number
        confirmed = self._frames[_key(self._stamps[number])][1]
        begin = max(confirmed, self._at)
        fits = (i for i in range(begin, len(self.states)) if self.states[i] == frozenset(ids))
        found = next(fits, None)
        if found is None:
            allowed = [sorted(s) for s in self.states[begin:]]
            self.wrong(f"frame {number} has objects {sorted(ids)}; after the answers so far only {allowed} can be")
        else:
            self._at = found
        self.checked["lists of objects"] += 1
        self._result(number, "ids", set(ids))

    def mask(self, number: int, labels) -> None:
        """A label image came."""
        if number:
            self.checked["masks"] += 1
            self.checked["masks with objects in them"] += bool(labels.any())
            self._result(number, "labels", set(labels[labels > 0].tolist()))
            self._result(number, "corner", not labels[:6, :6].any())

    def overlay(self, number: int, matches: bool) -> None:
        """An overlay came; `matches` says whether the frame's number is in its corner."""
        if number:
            self._result(number, "matches", matches)

    def _result(self, number: int, name: str, value) -> None:
        result = self._results.setdefault(number, {})
        result[name] = value
        if len(result) < 4:
            return
        del self._results[number]
        if not result["labels"] <= result["ids"]:
            self.wrong(f"the mask of frame {number} has ids {result['labels']}, its list {result['ids']}")
        if result["corner"]:  # an object there would be painted over the number
            self.checked["overlays whose pixels name their frame"] += 1
            if not result["matches"]:
                self.wrong(f"the overlay of frame {number} shows another frame")
        for old in [n for n in self._results if n < number - _KEPT]:
            del self._results[old]

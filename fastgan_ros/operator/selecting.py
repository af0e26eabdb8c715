"""What the operator's mouse and keys do: freezing, marking, sending, and what is said about it.

No window in here: select_reference.py hands events in and shows what comes out.
"""

import time
from concurrent.futures import Executor

from fastgan_core.errors import FastganError
from fastgan_core.tracking.history import SECOND
from fastgan_ros.messages.pairing import Live
from fastgan_ros.messages.stamps import nanoseconds
from fastgan_ros.operator.marking import WHITE, Selection
from fastgan_ros.operator.marks import BOX, INSIDE, OUTSIDE, Job
from fastgan_ros.operator.outliner import Outliner
from fastgan_ros.operator.remembered import Remembered
from fastgan_ros.operator.roster import Roster
from fastgan_ros.operator.selection_view import Shown, View
from fastgan_ros.operator.tracker_link import TrackerLink
from fastgan_ros.operator.tracker_requests import Answer

FRESH = 4.0  # seconds that words stay before trouble takes their place
_NO_ID = f"Object {WHITE} cannot be marked here: a mask of {WHITE} alone means black and white. D stops following it."
_WELCOME = "Drag a box around an object, or click on it. Space freezes the picture first."


class Selecting:
    """An operator at work. `pool` finds the outlines, so that the window never waits for one."""

    def __init__(self, link: TrackerLink, pool: Executor):
        self.view = View()
        self._link, self._outliner = link, Outliner(pool)
        self._selection: Selection | None = None
        self._sent: Selection | None = None  # the one whose answer is waited for
        self._roster = Roster(link)
        self._remembered = Remembered()
        self._quick = self._send_when_outlined = False  # with _quick the next click is sent once it is outlined
        self._live: Live | None = None
        self._frozen_at = 0.0
        self._said, self._warning, self._said_at = "", False, 0.0
        self._cursor, self._keys = None, True

    def press(self, x: int, y: int, beside: bool) -> None:
        """A button goes down in the window: on the object, or `beside` it."""
        number = self.view.object_at(x, y)
        if number is not None:
            self._pick(number)
        elif self.view.on_image(x, y) and not self._waits():
            if self._selection is None:
                self.freeze()
            if self._selection is not None:
                kind = OUTSIDE if beside else INSIDE
                self._selection.press(*self.view.to_image(x, y), kind, self.view.radius)

    def move(self, x: int, y: int) -> None:
        """The mouse is at this place in the window."""
        self._cursor = x, y
        if self._selection is not None:
            self._selection.move(*self.view.to_image(x, y))

    def release(self) -> None:
        """The button goes up."""
        if self._selection is None or not self._selection.dragged:
            return
        number = self._selection.current
        clicked = self._selection.release(self._remembered.looks(number))
        self._quick = self._quick and clicked
        self._send_when_outlined = self._quick
        if self._selection.next_job():
            self._say(f"Looking for the outline of object {number} ...")

    def key(self, name: str) -> None:
        """A key: a character in lower case, "enter" or "escape"."""
        if name == "h":
            self._keys = not self._keys
        elif name and name in "123456789":
            self._choose(int(name))
        elif self._selection is None:
            if name == " ":
                self.freeze()
            elif name == "d":
                self._say(*self._roster.remove())
            elif name == "r":
                self._say(*self._roster.reset())
        elif name in (" ", "escape"):
            self._go_live()
            self._say("")
        elif name in ("[", "]"):
            self.view.change_brush(1.25 if name == "]" else 0.8)
        elif not self._waits():
            self._edit(name)

    def tick(self) -> None:
        """Take in answers and outlines; to be called often."""
        while not self._link.requests.answers.empty():
            self._answered(self._link.requests.answers.get())
        if done := self._outliner.tick(self._selection):
            self._outlined(*done)

    def shown(self) -> Shown:
        """What is to be seen now."""
        trouble = self._link.trouble()
        try:
            self._live = self._link.pictures.live()
        except FastganError as error:
            trouble = str(error)
        self._remembered.update(self._link.objects(), self._live)
        words, warning = self._said or _WELCOME, self._warning
        if trouble and not self._selection and time.monotonic() - self._said_at > FRESH:
            words, warning = trouble, True
        frame, labels = (self._live.rgb, self._live.labels) if self._live else (None, None)
        current = self._selection.current if self._selection else self._roster.chosen or 0
        rows, age = self._roster.rows(self._selection), time.monotonic() - self._frozen_at
        return Shown(
            frame, labels, self._selection, current, rows, words, warning,
            self._link.requests.busy, self._keys, self._cursor, age, self._link.history,
        )  # fmt: skip

    def freeze(self, number: int | None = None) -> None:
        """Freeze the picture that is shown, to mark an object in it; None: the one chosen, or a new one."""
        if self._live is None:
            self._say("There is no picture to freeze yet.", warning=True)
            return
        number = number or self._roster.chosen or self._roster.next_number(self._selection)
        if number == WHITE:
            self._say(_NO_ID, warning=True)
            return
        self._frozen_at = time.monotonic()
        self._selection = Selection(self._live.rgb, self._live.header, number)
        self._say(f"Frozen. Drag a box around object {number}, or click on it.")

    def _go_live(self) -> None:
        self._selection, self._roster.chosen = None, None
        self._quick = self._send_when_outlined = False

    def _choose(self, number: int) -> None:
        self._quick = False
        if number == WHITE:  # it can be removed, while live
            self._roster.chosen = None if self._selection else number
            self._say(_NO_ID, warning=True)
        elif self._selection:
            self._selection.cancel()
            self._selection.current = number
            self._say(f"The next mark is for object {number}.")
        else:
            self._roster.chosen = number
            self._say(f"Object {number} is chosen: mark it again, or press D to stop following it.")

    def _pick(self, number: int) -> None:
        """A click on the name of an object."""
        self._choose(number)
        if self._roster.lost(number) and number != WHITE and not self._waits():
            if self._selection is None:
                self.freeze(number)
            self._quick = self._selection is not None and not self._selection.actions_of(number)
            if self._quick:
                self._say(f"Now click on object {number} in the picture: it is outlined and sent at once.")

    def _edit(self, name: str) -> None:
        chosen = self._selection
        if name == "enter":
            self._send()
        elif name == "z":
            if not chosen.undo():
                self._say("There is nothing to undo.")
            self._quick = self._send_when_outlined = False
        elif name == "n":
            self._choose(self._roster.next_number(chosen))
        elif name in ("b", "p"):
            chosen.tool = BOX if name == "b" else INSIDE
            what = "draws the box of" if name == "b" else "paints on"
            self._say(f"The next drag {what} object {chosen.current}.")

    def _outlined(self, job: Job, problem: str) -> None:
        chosen = self._selection
        # That of a click is in none of the marks any more.
        problem = (problem and f"Object {job.number}: {problem}.") or chosen.problem()
        if problem:
            self._say(problem, warning=True)
            self._send_when_outlined = False
        elif chosen.next_job() is None:
            self._say(
                f"Object {job.number} is outlined. Strokes correct it: left on the object, right beside it. "
                "Enter sends, N begins another object."
            )
            if self._send_when_outlined:
                self._send()

    def _send(self) -> None:
        chosen = self._selection
        self._send_when_outlined = self._quick = False
        if chosen.next_job():
            self._send_when_outlined = True
        elif fault := chosen.fault():
            self._say(fault, warning=True)
        elif self._sent is not None:
            self._say("The tracker has not answered the last request yet; then press Enter again.", warning=True)
        else:
            self._sent = chosen
            self._roster.sent(chosen.numbers)
            tracked = [seen.number for seen in self._link.objects()]
            self._link.requests.send(chosen.labels(), chosen.header, chosen.frame, self._kept(chosen), tracked)
            self._say("Sent; the tracker runs from this frame to the present ...")

    def _kept(self, chosen: Selection) -> bool:
        """Whether the tracker should still have the frozen frame, as far as is known here."""
        history, stamp = self._link.history, nanoseconds(chosen.header.stamp)
        if history == 0 or stamp == 0 or self._live is None:
            return False
        return history is None or nanoseconds(self._live.header.stamp) - stamp <= history * SECOND

    def _answered(self, answer: Answer) -> None:
        if answer.what == "send":
            sent, self._sent = self._sent, None
            if sent and not answer.success:
                self._roster.refused(sent.numbers)
            elif sent:
                self._remembered.marked(sent)
                if sent is self._selection:
                    self._go_live()
        self._say(answer.message, warning=not answer.success)

    def _waits(self) -> bool:
        return self._selection is not None and self._sent is self._selection

    def _say(self, words: str, warning: bool = False) -> None:
        self._said, self._warning, self._said_at = words, warning, time.monotonic()

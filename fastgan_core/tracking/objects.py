"""The tracker's state: a fixed amount per object, all objects in one batch."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F

from fastgan_core.tracking.evidence import colours, followed
from fastgan_core.tracking.network import VIEWS, Trust, Verdict

USUAL_RATE = 0.02  # weight of a new frame in the usual share: a memory of about 50 frames
VANISHED = 0.2  # an object that covers less than this part of its usual share is lost
# What may be a lost object that is back is followed, unseen, until it is sure enough or is not any more. The network
# is less sure of an object that it has to find by the reference alone than of one that it follows.
PROMISING_SCORE, REGAINED_SHARE = 0.1, 0.25


@dataclass(frozen=True)
class Objects:
    """N tracked objects; row n of each tensor belongs to ``ids[n]``."""

    ids: tuple[int, ...]
    size: tuple[int, int]  # (h, w) of the network's input
    state: Any  # the network's, see network.py
    usual: torch.Tensor  # (N,) share of the frame that each object covers, averaged over the frames that show it
    # Of each object where it was marked, and lately, see evidence.py: the last in VIEWS + 1.
    looks: torch.Tensor  # (N, VIEWS + 1, bins) colours
    features: torch.Tensor  # (N, VIEWS + 1, C) the network's own
    lost: torch.Tensor  # (N,) bool
    live: torch.Tensor  # (N,) bool; False for rows that only fill up a batch of a fixed size

    @classmethod
    def new(cls, ids, small: torch.Tensor, masks: torch.Tensor, state, features: torch.Tensor) -> "Objects":
        """Objects in their reference frame.

        Args:
            small: ``(h, w, 3) uint8``. masks: ``(N, 1, h, w)``. state, features: of :meth:`.network.Network.start`.
        """
        usual = masks.float().mean(dim=(1, 2, 3))
        no = torch.zeros_like(usual, dtype=torch.bool)
        known = marked(colours(small, masks)), marked(features)
        return cls(tuple(ids), tuple(small.shape[:2]), state, usual, *known, no, ~no)

    def seen_again(self, small: torch.Tensor, masks: torch.Tensor, state, features: torch.Tensor) -> "Objects":
        """The objects after each was marked once more; arguments as of new()."""
        return replace(
            self,
            state=state,
            usual=masks.float().mean(dim=(1, 2, 3)),
            looks=marked_again(self.looks, colours(small, masks)),
            features=marked_again(self.features, features),
            lost=torch.zeros_like(self.lost),
        )

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All state; row n of each belongs to ``ids[n]``."""
        return (*self.state, *(getattr(self, field.name) for field in fields(self)[3:]))

    def mapped(self, change: Callable[[torch.Tensor], torch.Tensor], ids: tuple[int, ...]) -> "Objects":
        """The objects whose tensors are what ``change`` makes of these."""
        changed = [change(tensor) for tensor in self.tensors()]
        count = len(self.state)
        return Objects(ids, self.size, type(self.state)(*changed[:count]), *changed[count:])

    def judged(self, scores: torch.Tensor, shares: torch.Tensor, threshold, trust: Trust) -> Verdict:
        """What to make of a frame.

        Args:
            scores: of :func:`.evidence.confidence`. shares: of :func:`fastgan_core.model.aggregation.won`.
            threshold: score under which an object is lost, a float or a tensor.
        """
        large = shares >= REGAINED_SHARE * self.usual
        gone = (scores < threshold) | (shares < VANISHED * self.usual)
        back = (scores >= threshold) & (scores >= trust.regained) & large
        lost = torch.where(self.lost, ~back, gone)
        return Verdict(lost, lost & (scores >= PROMISING_SCORE) & large, ~lost & (scores >= trust.sure))

    def advanced(self, state, shares: torch.Tensor, found, features, verdict: Verdict, rate: float) -> "Objects":
        """The objects after a frame.

        Args:
            state: the network's after it. shares: as of judged().
            found, features: colours ``(N, bins)`` and features ``(N, C)`` of what the masks cover.
            rate: of :func:`.evidence.followed`.
        """
        usual = torch.where(verdict.lost, self.usual, torch.lerp(self.usual, shares, USUAL_RATE))
        looks, features = (
            followed(known, new, verdict.sure, rate) for known, new in ((self.looks, found), (self.features, features))
        )
        return replace(self, state=state, usual=usual, looks=looks, features=features, lost=verdict.lost)

    def without(self, ids) -> "Objects | None":
        """The others; None when nothing is left."""
        rows = [row for row, number in enumerate(self.ids) if number not in set(ids)]
        return self._rows(rows) if rows else None

    def only(self, ids) -> "Objects":
        """Those with these ids, in their order."""
        return self._rows([self.ids.index(number) for number in ids])

    def _rows(self, rows: list[int]) -> "Objects":
        return self.mapped(lambda tensor: tensor[rows], tuple(self.ids[row] for row in rows))

    def joined(self, other: "Objects") -> "Objects":
        """Both sets of objects as one batch."""
        others = iter(other.tensors())
        return self.mapped(lambda tensor: torch.cat([tensor, next(others)]), self.ids + other.ids)

    def resized(self, size: tuple[int, int]) -> "Objects":
        """The same objects for another network size, after the camera changed its aspect."""
        return self if self.size == size else replace(self, size=size, state=self.state.resized(size))


def marked(look: torch.Tensor) -> torch.Tensor:
    """What is known of objects that were marked once, ``(N, VIEWS + 1, C)``, from what they look like there."""
    look = look[:, None]
    return torch.cat([F.pad(look, (0, 0, 0, VIEWS - 1)), look], dim=1)


def marked_again(known: torch.Tensor, look: torch.Tensor) -> torch.Tensor:
    """The same with another view of each: the oldest that was added gives way, the reference stays."""
    look = look[:, None]
    return torch.cat([known[:, :1], look, known[:, 1:-2], look], dim=1)

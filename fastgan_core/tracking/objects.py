"""The tracker's state: a fixed amount per object, all objects in one batch."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F

from fastgan_core.tracking.evidence import colours, followed
from fastgan_core.tracking.network import VIEWS, Verdict

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
    looks: torch.Tensor  # (N, VIEWS + 1, bins) colours of each object where it was marked, and lately, see evidence.py
    lost: torch.Tensor  # (N,) bool
    live: torch.Tensor  # (N,) bool; False for rows that only fill up a batch of a fixed size

    @classmethod
    def new(cls, ids, small: torch.Tensor, masks: torch.Tensor, state) -> "Objects":
        """Objects in their reference frame ``small (h, w, 3) uint8``, ``masks (N, 1, h, w)``."""
        usual = masks.float().mean(dim=(1, 2, 3))
        no = torch.zeros_like(usual, dtype=torch.bool)
        look = colours(small, masks)[:, None]
        looks = torch.cat([F.pad(look, (0, 0, 0, VIEWS - 1)), look], dim=1)
        return cls(tuple(ids), tuple(small.shape[:2]), state, usual, looks, no, ~no)

    def seen_again(self, small: torch.Tensor, masks: torch.Tensor, state) -> "Objects":
        """The objects after each was marked once more, with the network's state after it; arguments as of new()."""
        look = colours(small, masks)[:, None]
        looks = torch.cat([self.looks[:, :1], look, self.looks[:, 1:-2], look], dim=1)
        usual = masks.float().mean(dim=(1, 2, 3))
        return replace(self, state=state, usual=usual, looks=looks, lost=torch.zeros_like(self.lost))

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All state; row n of each belongs to ``ids[n]``."""
        return (*self.state, *(getattr(self, field.name) for field in fields(self)[3:]))

    def mapped(self, change: Callable[[torch.Tensor], torch.Tensor], ids: tuple[int, ...]) -> "Objects":
        """The objects whose tensors are what ``change`` makes of these."""
        changed = [change(tensor) for tensor in self.tensors()]
        count = len(self.state)
        return Objects(ids, self.size, type(self.state)(*changed[:count]), *changed[count:])

    def judged(self, scores: torch.Tensor, shares: torch.Tensor, threshold, regained: float, sure: float) -> Verdict:
        """What to make of a frame.

        Args:
            scores: of :func:`.evidence.confidence`. shares: of :func:`fastgan_core.model.aggregation.won`.
            threshold: score under which an object is lost, a float or a tensor.
            regained, sure: those with which it is found, and surely seen.
        """
        large = shares >= REGAINED_SHARE * self.usual
        gone = (scores < threshold) | (shares < VANISHED * self.usual)
        back = (scores >= threshold) & (scores >= regained) & large
        lost = torch.where(self.lost, ~back, gone)
        return Verdict(lost, lost & (scores >= PROMISING_SCORE) & large, ~lost & (scores >= sure))

    def advanced(self, state, shares: torch.Tensor, found: torch.Tensor, verdict: Verdict, rate: float) -> "Objects":
        """The objects after a frame.

        Args:
            state: the network's after it. shares: as of judged(). found: colours ``(N, bins)`` of what the masks cover.
            rate: of :func:`.evidence.followed`.
        """
        usual = torch.where(verdict.lost, self.usual, torch.lerp(self.usual, shares, USUAL_RATE))
        looks = followed(self.looks, found, verdict.sure, rate)
        return replace(self, state=state, usual=usual, looks=looks, lost=verdict.lost)

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

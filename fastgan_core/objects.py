"""The tracker's state: a fixed amount per object, all objects in one batch."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from fastgan_core.evidence import colours

USUAL_RATE = 0.02  # weight of a new frame in the usual share: a memory of about 50 frames
VANISHED = 0.2  # an object that covers less than this part of its usual share is lost
# What a lost object is taken back for: what else looks like it is smaller, and the network less sure of it.
REGAINED_SCORE, REGAINED_SHARE = 0.9, 0.25


@dataclass(frozen=True)
class Objects:
    """N tracked objects at the network's size ``(h, w)``; row n belongs to ``ids[n]``."""

    ids: tuple[int, ...]
    reference: torch.Tensor  # (N, C, h/32, w/32) features of each object's reference
    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, w4, h/4, w/4) last decoder feature of the last frame
    usual: torch.Tensor  # (N,) share of the frame that each object covers, averaged over the frames that show it
    look: torch.Tensor  # (N, bins) colours of each object in its reference, see evidence.py
    lost: torch.Tensor  # (N,) bool
    turn: torch.Tensor  # (N,) int32, frames since the reference
    live: torch.Tensor  # (N,) bool; False for rows that only fill up a batch of a fixed size

    @classmethod
    def new(cls, ids, small: torch.Tensor, reference: torch.Tensor, masks: torch.Tensor, memory) -> "Objects":
        """Objects in their reference frame ``small (h, w, 3) uint8``, ``masks (N, 1, h, w)``."""
        usual = masks.float().mean(dim=(1, 2, 3))
        look = colours(small, masks)
        lost = torch.zeros_like(usual, dtype=torch.bool)
        turn = torch.zeros_like(usual, dtype=torch.int32)
        return cls(tuple(ids), reference, masks, memory, usual, look, lost, turn, ~lost)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All state but the ids; row n of each belongs to ``ids[n]``."""
        return self.reference, self.previous, self.memory, self.usual, self.look, self.lost, self.turn, self.live

    def searching(self) -> "Objects":
        """For a frame: the references of lost objects are moved about it, a place each turn.

        The matching convolution sees three places to each side of where the object was in its
        reference, so one that comes back elsewhere is found when its reference is there; it stays
        there then.
        """
        height, width = self.reference.shape[-2:]
        turn = self.turn + 1
        # Right at each turn, down at every fourth: after eight turns it has been about everywhere.
        moved = self.reference.roll(width // 4, dims=3)
        moved = torch.where((turn % 4 == 0).view(-1, 1, 1, 1), moved.roll(height // 2, dims=2), moved)
        return replace(self, reference=torch.where(self.lost.view(-1, 1, 1, 1), moved, self.reference), turn=turn)

    def advanced(
        self, masks: torch.Tensor, memory: torch.Tensor, scores: torch.Tensor, shares: torch.Tensor, threshold
    ) -> "Objects":
        """The state after a frame.

        A lost object is looked for with its reference alone, as at the start of a clip: what was
        left of it when it vanished would hold the network to the wrong place.

        Args:
            masks: ``(N, 1, h, w)`` in [0, 1]. memory: the network's.
            scores: of :func:`fastgan_core.evidence.confidence`. shares: of :func:`won`.
            threshold: score under which an object is lost, a float or a tensor.
        """
        gone = (scores < threshold) | (shares < VANISHED * self.usual)
        back = (scores >= threshold) & (scores >= REGAINED_SCORE) & (shares >= REGAINED_SHARE * self.usual)
        lost = torch.where(self.lost, ~back, gone)
        seen = (~lost).view(-1, 1, 1, 1).to(memory.dtype)
        usual = torch.where(lost, self.usual, torch.lerp(self.usual, shares, USUAL_RATE))
        return replace(self, previous=masks.to(seen.dtype) * seen, memory=memory * seen, usual=usual, lost=lost)

    def without(self, ids) -> "Objects | None":
        """The others; None when nothing is left."""
        rows = [row for row, number in enumerate(self.ids) if number not in set(ids)]
        if not rows:
            return None
        kept = tuple(self.ids[row] for row in rows)
        return Objects(kept, *(state[rows] for state in self.tensors()))

    def joined(self, other: "Objects") -> "Objects":
        """Both sets of objects as one batch."""
        pairs = zip(self.tensors(), other.tensors(), strict=True)
        return Objects(self.ids + other.ids, *(torch.cat(pair) for pair in pairs))

    def resized(self, size: tuple[int, int]) -> "Objects":
        """The same objects for another network size, after the camera changed its aspect."""
        if self.previous.shape[-2:] == size:
            return self
        height, width = size

        def fit(x: torch.Tensor, stride: int) -> torch.Tensor:
            return F.interpolate(x, size=(height // stride, width // stride), mode="bilinear", align_corners=False)

        return replace(
            self, reference=fit(self.reference, 32), previous=fit(self.previous, 1), memory=fit(self.memory, 4)
        )


def aggregate(logits: torch.Tensor) -> torch.Tensor:
    """Resolve overlaps by soft aggregation of the odds: ``o_n / (1 + sum of o)``, the background's odds being 1.

    Args:
        logits: ``(N, 1, h, w)``, each object on its own.

    Returns:
        probabilities ``(N, 1, h, w)`` that sum to at most 1; for one object the plain sigmoid,
        which is what the network was trained to see as its previous mask.
    """
    background = torch.zeros_like(logits[:1])
    return torch.cat([background, logits]).softmax(dim=0)[1:]


def winners(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which object is the likeliest at each pixel of ``(N, h, w)``, and whether it is likelier than the background.

    Returns:
        index ``(h, w)`` in 0 .. N - 1 and inside ``(h, w) bool``.
    """
    best, index = masks.max(dim=0)
    return index, best > 1 - masks.sum(dim=0)


def won(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The pixels that each object of ``(N, 1, h, w)`` wins, and how sure and how large it is there.

    Returns:
        pixels ``(N, 1, h, w)``, 0 or 1; mean probability ``(N,)``, 0 for an object that wins none; share of the
        frame ``(N,)``.
    """
    index, inside = winners(masks[:, 0])
    rows = torch.arange(len(masks), device=masks.device).view(-1, 1, 1, 1)
    pixels = ((index == rows) & inside).to(masks.dtype)
    sureness = (masks * pixels).sum(dim=(1, 2, 3)) / pixels.sum(dim=(1, 2, 3)).clamp(min=1)
    return pixels, sureness, pixels.mean(dim=(1, 2, 3))

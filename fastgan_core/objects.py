"""The tracker's state: a fixed amount per object, all objects in one batch."""

from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F

from fastgan_core.evidence import colours

USUAL_RATE = 0.02  # weight of a new frame in the usual share: a memory of about 50 frames
VANISHED = 0.2  # an object that covers less than this part of its usual share is lost
# What may be a lost object that is back is followed, unseen, until it is sure enough or is not any more. The network
# is less sure of an object that it has to find by the reference alone than of one that it follows.
PROMISING_SCORE, REGAINED_SCORE, REGAINED_SHARE = 0.1, 0.8, 0.25
PLACES = 8  # about the frame, four in a row and two rows, at which a lost object is looked for


@dataclass(frozen=True)
class Objects:
    """N tracked objects at the network's size ``(h, w)``; row n belongs to ``ids[n]``."""

    ids: tuple[int, ...]
    reference: torch.Tensor  # (N, C, h/32, w/32) features of each object's reference
    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, w4, h/4, w/4) last decoder feature of the last frame
    last: torch.Tensor  # (N, 1, h, w) soft mask of the last frame in which it was surely seen
    usual: torch.Tensor  # (N,) share of the frame that each object covers, averaged over the frames that show it
    look: torch.Tensor  # (N, bins) colours of each object in its reference, see evidence.py
    lost: torch.Tensor  # (N,) bool
    trial: torch.Tensor  # (N,) bool; lost, but what may be the object is followed
    place: torch.Tensor  # (N,) int32, where about the frame the reference is put
    turn: torch.Tensor  # (N,) int32, frames in which it was looked for since it was lost
    live: torch.Tensor  # (N,) bool; False for rows that only fill up a batch of a fixed size

    @classmethod
    def new(cls, ids, small: torch.Tensor, reference: torch.Tensor, masks: torch.Tensor, memory) -> "Objects":
        """Objects in their reference frame ``small (h, w, 3) uint8``, ``masks (N, 1, h, w)``."""
        usual = masks.float().mean(dim=(1, 2, 3))
        no, zero = torch.zeros_like(usual, dtype=torch.bool), torch.zeros_like(usual, dtype=torch.int32)
        look = colours(small, masks)
        return cls(tuple(ids), reference, masks, memory, masks, usual, look, no, no.clone(), zero, zero.clone(), ~no)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All state but the ids; row n of each belongs to ``ids[n]``."""
        return tuple(getattr(self, field.name) for field in fields(self)[1:])

    def searching(self) -> "Objects":
        """What a frame is searched with; the state of the objects that are not lost, as it is.

        A lost object is looked for where it was last seen at every other turn, and with its reference alone
        elsewhere in between: the matching convolution sees three places of 1/32 to each side of where the object
        was in its reference, so one that comes back further away is found when its reference is put there.
        """
        elsewhere = self.turn % 2
        place = (
            torch.where(self.lost, self.place + elsewhere * (1 + self.turn // 2 % (PLACES - 1)), self.place) % PLACES
        )
        looking = (self.lost & ~self.trial).view(-1, 1, 1, 1)
        there = self.last * (1 - elsewhere).view(-1, 1, 1, 1).to(self.last.dtype)
        return replace(self, previous=torch.where(looking, there, self.previous), place=place)

    def placed(self) -> torch.Tensor:
        """The references, each at its place; what leaves the frame on one side comes in on the other."""
        height, width = self.reference.shape[-2:]
        right, down = self.place % 4 * (width // 4), self.place // 4 * (height // 2)
        rows = (torch.arange(height, device=down.device) - down.view(-1, 1)) % height
        columns = (torch.arange(width, device=right.device) - right.view(-1, 1)) % width
        cells = (rows[:, :, None] * width + columns[:, None]).view(-1, 1, height * width)
        flat = self.reference.flatten(2)
        return flat.gather(2, cells.expand_as(flat)).view_as(self.reference)

    def advanced(
        self, tried: torch.Tensor, masks: torch.Tensor, memory: torch.Tensor, scores: torch.Tensor, shares, threshold
    ) -> "Objects":
        """The state after a frame.

        Args:
            tried: places of :meth:`searching`. masks: ``(N, 1, h, w)`` in [0, 1]. memory: the network's.
            scores: of :func:`fastgan_core.evidence.confidence`. shares: of :func:`won`.
            threshold: score under which an object is lost, a float or a tensor.
        """
        large = shares >= REGAINED_SHARE * self.usual
        gone = (scores < threshold) | (shares < VANISHED * self.usual)
        back = (scores >= threshold) & (scores >= REGAINED_SCORE) & large
        lost = torch.where(self.lost, ~back, gone)
        trial = lost & (scores >= PROMISING_SCORE) & large
        # What is left of an object that vanished would hold the network to the wrong place.
        kept = (~lost | trial).view(-1, 1, 1, 1).to(memory.dtype)
        masks = masks.to(memory.dtype)
        sure = ~lost & (scores >= REGAINED_SCORE)
        return replace(
            self,
            previous=masks * kept,
            memory=memory * kept,
            last=torch.where(sure.view(-1, 1, 1, 1), masks, self.last),
            usual=torch.where(lost, self.usual, torch.lerp(self.usual, shares, USUAL_RATE)),
            lost=lost,
            trial=trial,
            place=torch.where(lost, self.place, tried),
            turn=torch.where(lost, self.turn + (self.lost & ~trial), 0),
        )

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
            self,
            reference=fit(self.reference, 32),
            previous=fit(self.previous, 1),
            memory=fit(self.memory, 4),
            last=fit(self.last, 1),
        )


def aggregate(logits: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Resolve overlaps by soft aggregation of the odds: ``o_n / (1 + sum of o)``, the background's odds being 1.

    Args:
        logits: ``(N, 1, h, w)``, each object on its own.
        lost: ``(N,) bool``, objects that are looked for: they may have what the others leave, and take nothing.

    Returns:
        probabilities ``(N, 1, h, w)``, those of the objects that are not lost sum to at most 1; for one object the
        plain sigmoid, which is what the network was trained to see as its previous mask.
    """
    odds = logits.clamp(max=60).exp()  # beyond that the sum of all would leave float32
    lost = lost.view(-1, 1, 1, 1)
    followed = odds.masked_fill(lost, 0).sum(dim=0, keepdim=True)
    return odds / (1 + torch.where(lost, odds.sum(dim=0, keepdim=True), followed))


def winners(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which object is the likeliest at each pixel of ``(N, h, w)``, and whether it is likelier than the background.

    Returns:
        index ``(h, w)`` in 0 .. N - 1 and inside ``(h, w) bool``.
    """
    best, index = masks.max(dim=0)
    return index, best > 1 - masks.sum(dim=0)


def won(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pixels that each object of ``(N, 1, h, w)`` wins, 0 or 1, and their share of the frame ``(N,)``."""
    index, inside = winners(masks[:, 0])
    rows = torch.arange(len(masks), device=masks.device).view(-1, 1, 1, 1)
    pixels = ((index == rows) & inside).to(masks.dtype)
    return pixels, pixels.mean(dim=(1, 2, 3))

"""The tracker's state: a fixed amount per object, all objects in one batch."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Objects:
    """N tracked objects at the network's size ``(h, w)``; row n belongs to ``ids[n]``."""

    ids: tuple[int, ...]
    reference: torch.Tensor  # (N, C, h/32, w/32) features of each object's reference
    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, w4, h/4, w/4) last decoder feature of the last frame

    def without(self, ids) -> "Objects | None":
        """The others; None when nothing is left."""
        rows = [row for row, number in enumerate(self.ids) if number not in set(ids)]
        if not rows:
            return None
        kept = tuple(self.ids[row] for row in rows)
        return Objects(kept, self.reference[rows], self.previous[rows], self.memory[rows])

    def joined(self, other: "Objects") -> "Objects":
        """Both sets of objects as one batch."""
        return Objects(
            self.ids + other.ids,
            torch.cat([self.reference, other.reference]),
            torch.cat([self.previous, other.previous]),
            torch.cat([self.memory, other.memory]),
        )

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


def mask_scores(masks: torch.Tensor) -> list[float]:
    """Mean probability of each object over the pixels that it wins; 0 for one that wins none. ``(N, 1, h, w)``."""
    masks = masks[:, 0]
    index, inside = winners(masks)
    won = torch.stack([(index == n) & inside for n in range(len(masks))]).float()
    return ((masks * won).sum(dim=(1, 2)) / won.sum(dim=(1, 2)).clamp(min=1)).tolist()

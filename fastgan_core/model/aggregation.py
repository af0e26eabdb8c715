"""Several objects in one frame: who has a pixel."""

import torch


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


def others(masks: torch.Tensor, dim: int) -> torch.Tensor:
    """For each object along ``dim`` the sum of all other masks, at most 1."""
    return (masks.sum(dim=dim, keepdim=True) - masks).clamp(0, 1)


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

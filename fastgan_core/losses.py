"""Supervised losses of the regressor (section 4.2)."""

import torch
import torch.nn.functional as F


def balanced_cross_entropy(logits: torch.Tensor, target: torch.Tensor, balance: float = 1.0) -> torch.Tensor:
    """Balanced binary cross-entropy, equation (2), as a mean over pixels and frames.

    ``-[beta Y log p + (1 - beta)(1 - Y) log(1 - p)]`` with ``beta = |Y-| / |Y|``, the
    share of pixels outside the object, of each frame on its own.

    Args:
        logits: ``(..., H, W) float``; every leading axis counts as a frame.
        target: same shape, 0 or 1.
        balance: 1 is equation (2). Less moves both weights towards 1/2 (0 is plain
            cross-entropy, halved): equation (2) marks a pixel from a posterior of
            ``1 - beta`` on, which leaks while a small network is still unsure.

    Returns:
        scalar.
    """
    beta = 1 - target.mean(dim=(-2, -1), keepdim=True)
    weight = torch.where(target > 0.5, beta, 1 - beta)
    weight = balance * weight + (1 - balance) * 0.5
    return F.binary_cross_entropy_with_logits(logits, target, weight=weight)


def dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """One minus the soft Dice coefficient per frame, averaged (Milletari et al. 2016).

    Not in the paper. It is the region measure itself, and makes up for a short
    training. ``logits``, ``target``: ``(..., H, W)``. Frames without the object are
    left to the cross-entropy: Dice has no gradient worth having there.
    """
    probability = logits.sigmoid()
    overlap = (probability * target).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    present = (target.sum(dim=(-2, -1)) > 0).to(logits.dtype)
    loss = (1 - 2 * overlap / total.clamp(min=1)) * present
    return loss.sum() / present.sum().clamp(min=1)

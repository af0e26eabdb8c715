"""The losses of section 4.2 and the tricks of section 5 that belong to them."""

import torch
import torch.nn.functional as F
from torch import nn


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
    left to the cross-entropy: Dice has no gradient worth having there. They count in the
    mean, which is then the same however a batch is spread over processes.
    """
    probability = logits.sigmoid()
    overlap = (probability * target).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    present = (target.sum(dim=(-2, -1)) > 0).to(logits.dtype)
    loss = (1 - 2 * overlap / total.clamp(min=1)) * present
    return loss.mean()


def critic_distance(critic: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The critic's estimate of the earth mover's distance, first line of equations (3) and (4).

    ``E[D(X Y)] - E[D(X Y^)]``. For D_S the batch axis holds the K frames of every clip, so the
    mean is also the 1/K sum of equation (3).

    Args:
        critic: D_S or D_T. real, fake: ``(B, C, H, W)``, images masked with the truth and the prediction.

    Returns:
        scalar; the critics maximise it, the regressor minimises it through ``fake``.
    """
    return critic(real).mean() - critic(fake).mean()


def gradient_penalty(critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """``E[(||grad D(x~)||_2 - 1)^2]``, second line of equations (3) and (4) without its weight lambda_gp.

    ``x~`` lies between ``real`` and ``fake``; the norm is over all of a sample's channels and pixels, of
    the gradient of its mean score (Gulrajani et al. 2017, algorithm 1).

    Args:
        critic: any differentiable map ``(B, C, H, W) -> (B, ...)``.
        real, fake: ``(B, C, H, W)``; no gradient flows into them.
        factor: ``(B, 1, 1, 1)`` in [0, 1], drawn uniformly: 0 is ``real``, 1 is ``fake``.

    Returns:
        scalar >= 0, differentiable in the critic's weights.
    """
    between = torch.lerp(real.detach(), fake.detach(), factor).requires_grad_()
    score = critic(between).reshape(len(real), -1).mean(dim=1).sum()
    (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def critic_loss(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, factor: torch.Tensor, weight: float = 10.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a critic minimises: the negative of equation (3) for D_S, of equation (4) for D_T.

    Args:
        weight: lambda_gp. The rest as for :func:`critic_distance` and :func:`gradient_penalty`.

    Returns:
        loss, distance, penalty before its weight; scalars.
    """
    distance = critic_distance(critic, real.detach(), fake.detach())
    penalty = gradient_penalty(critic, real, fake, factor)
    return weight * penalty - distance, distance, penalty


def overwrite_truth(truth: torch.Tensor, prediction: torch.Tensor, uncertainty: float = 0.25) -> torch.Tensor:
    """The truth with the prediction's own values where that is right (section 5).

    "we overwrite the ground truth pixel values with the values of the predicted masks that are correctly
    estimated with an uncertainty lower than 0.25": what the critics can tell apart is then where the
    prediction is wrong, not that it is soft.

    Args:
        truth: ``(...) float`` 0 or 1. prediction: same shape, in [0, 1].
        uncertainty: largest difference that counts as right.
    """
    return torch.where((truth - prediction).abs() < uncertainty, prediction.detach(), truth)


def noisy_truth(truth: torch.Tensor, prediction: torch.Tensor, noise: torch.Tensor, share: float = 1.0) -> torch.Tensor:
    """The truth with Gaussian noise of the prediction's statistics (section 5).

    "the ground truth masks are augmented by adding Gaussian noise with mean and variance equal to Y^
    statistics". The statistics are those of each frame, over its pixels.

    Args:
        truth, prediction: ``(..., H, W)``. noise: same shape, standard normal.
        share: part of the noise that is added; 1 is the paper's.
    """
    prediction = prediction.detach()
    mean = prediction.mean(dim=(-2, -1), keepdim=True)
    deviation = prediction.std(dim=(-2, -1), keepdim=True)
    return truth + share * (mean + deviation * noise)

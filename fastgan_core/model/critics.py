"""The critics D_S and D_T of section 4.1. They exist in training only."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

CRITIC_STRIDE = 64  # a score per patch: H / 2^6 x W / 2^6


class PatchCritic(nn.Module):
    """PatchGAN (Isola et al. 2017) of six strided convolutions: ``(B, C, H, W) -> (B, 1, H/64, W/64)``.

    Without normalisation: the gradient penalty is one of each sample on its own (Gulrajani et al. 2017,
    section 4). The spatial critic D_S has 3 input channels, ``X_t * Y_t``; the temporal critic D_T has 3 K,
    the K masked frames of a clip stacked.

    Args:
        channels: input channels.
        width: channels after the first convolution; they double up to eight times that.
    """

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        widths = [channels, *(width * min(2**i, 8) for i in range(6))]
        self.patches = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )
        self.score = nn.Conv2d(widths[-1], 1, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Unbounded scores of overlapping patches, ``(B, 1, H/64, W/64)``; higher is more like the truth."""
        for convolution in self.patches:
            x = F.leaky_relu(convolution(x), 0.2)
        return self.score(x)


def masked(frames: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """``X * Y``: every colour channel times the mask.

    Args:
        frames: ``(B, K, 3, H, W) float in [0, 1]``. masks: ``(B, K, 1, H, W) float``.

    Returns:
        ``(B, K, 3, H, W)``
    """
    return frames * masks


def spatial_input(clips: torch.Tensor) -> torch.Tensor:
    """Masked clips as D_S sees them, each frame on its own: ``(B, K, 3, H, W) -> (B K, 3, H, W)``."""
    return clips.flatten(0, 1)


def temporal_input(clips: torch.Tensor) -> torch.Tensor:
    """Masked clips as D_T sees them, the K frames stacked: ``(B, K, 3, H, W) -> (B, 3 K, H, W)``."""
    return clips.flatten(1, 2)

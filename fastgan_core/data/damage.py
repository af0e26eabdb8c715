"""What cameras and codecs do to a picture, on the device, for a batch of clips."""

import math

import torch
import torch.nn.functional as F

# JPEG's table for brightness (ITU T.81, annex K), which is coarse enough for colour here too.
JPEG = [
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
]  # fmt: skip
KERNEL = 9  # side of the blur's kernels, pixels


def recolour(frames: torch.Tensor, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Other light, white balance, contrast and saturation, the same in all frames, and a little drift over time.

    Args:
        frames: ``(B, T, 3, h, w)`` in [0, 1]. strength: ``(B,)``; 1 = gain 25 %.
    """
    clips, count = frames.shape[:2]

    def normal(*shape):
        drawn = torch.randn(clips, *shape, device=frames.device, generator=generator)
        return drawn * strength.view(-1, *[1] * len(shape))

    gain = (0.22 * normal(1, 1) + 0.1 * normal(1, 3) + 0.03 * normal(count, 1)).exp()
    contrast, saturation = (0.2 * normal(1, 1)).exp(), (0.4 * normal(1, 1)).exp().clamp(max=2.5)
    x = frames * gain[..., None, None]
    grey = x.mean(dim=2, keepdim=True)
    x = grey + (x - grey) * saturation[..., None, None]
    middle = x.mean(dim=(1, 2, 3, 4), keepdim=True)
    return (middle + (x - middle) * contrast[..., None, None] + 0.04 * normal(1, 1)[..., None, None]).clamp(0, 1)


def blur(frames: torch.Tensor, length: torch.Tensor, width: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Blur along a line of ``length`` pixels at ``angle`` radians, and across by ``width`` pixels; ``(B,)`` each."""
    clips, count, channels = frames.shape[:3]
    middle = torch.arange(KERNEL, device=frames.device) - KERNEL // 2
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    along, across = x * cos + y * sin, y * cos - x * sin
    # A standard deviation under half a pixel leaves the middle alone.
    deviation = torch.stack([length / math.sqrt(12) + width, width]).clamp(min=0.25).view(2, -1, 1, 1)
    kernel = torch.exp(-0.5 * ((along / deviation[0]) ** 2 + (across / deviation[1]) ** 2))
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    # Clips as the groups of one convolution.
    x = frames.flatten(1, 2).transpose(0, 1)  # (T * 3, B, h, w)
    x = F.pad(x, [KERNEL // 2] * 4, mode="replicate")
    x = F.conv2d(x, kernel[:, None].to(x.dtype), groups=clips)
    return x.transpose(0, 1).unflatten(1, (count, channels))


def compress(frames: torch.Tensor, coarseness: torch.Tensor) -> torch.Tensor:
    """What JPEG leaves of frames ``(B, T, 3, h, w)`` in [0, 1], sides multiples of 8.

    ``coarseness (B,)`` scales its table: 1 is a quality of 50, 0 leaves a frame as it is.
    """
    n = torch.arange(8, device=frames.device, dtype=frames.dtype)
    basis = torch.cos(math.pi / 8 * (n + 0.5) * n[:, None]) / 2
    basis[0] /= math.sqrt(2)
    blocks = frames.unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8))  # (B, T, 3, h/8, 8, w/8, 8)
    waves = torch.einsum("ai,...iwj,bj->...awb", basis, blocks, basis)
    table = torch.tensor(JPEG, device=frames.device, dtype=frames.dtype) / 255
    step = table[:, None] * coarseness.view(-1, *[1] * 6).clamp(min=1e-3)
    waves = (waves / step).round() * step
    return torch.einsum("ai,...awb,bj->...iwj", basis, waves, basis).flatten(-4, -3).flatten(-2).clamp(0, 1)


def noise(frames: torch.Tensor, deviation: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise, new in every frame, of each clip's standard deviation ``(B,)``."""
    drawn = torch.randn(frames.shape, device=frames.device, dtype=frames.dtype, generator=generator)
    return (frames + drawn * deviation.view(-1, 1, 1, 1, 1)).clamp(0, 1)

"""Layers of moving pictures drawn into frames, as batched tensor operations on whatever device holds them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass
class Path:
    """Where a layer's picture is seen, in every frame of a batch of clips.

    A view's place ``u`` (x, y in [-1, 1]) shows the picture's place ``turn @ (u + bend(u)) + shift``, in half shorter
    sides of the picture with its centre as origin.
    """

    turn: torch.Tensor  # (B, T, 2, 2)
    shift: torch.Tensor  # (B, T, 2)
    bend: torch.Tensor  # (B, T, 2, G, G), displacements in u on a grid over the view


def sample(pixels: torch.Tensor, extent: torch.Tensor, path: Path, size: int, padding: str) -> torch.Tensor:
    """Draw pictures along their paths.

    Args:
        pixels: ``(B, C, S, S) float``, or ``(B, T, C, S, S)`` where every frame has a picture of its own.
        extent: ``(B, 2)``, half width and height of the pictures in half shorter sides.
        padding: of ``grid_sample``: ``reflection`` or ``zeros``.

    Returns:
        ``(B, T, C, size, size)``
    """
    clips, frames = path.shift.shape[:2]
    middles = (torch.arange(size, device=pixels.device) + 0.5) * (2 / size) - 1
    places = torch.stack(torch.meshgrid(middles, middles, indexing="xy"))  # x, y
    bend = F.interpolate(path.bend.flatten(0, 1), size=(size, size), mode="bicubic", align_corners=True)
    places = (places + bend).flatten(2).unflatten(0, (clips, frames))  # (B, T, 2, size * size)
    places = path.turn @ places + path.shift[..., None]
    places = (places / extent[:, None, :, None]).transpose(2, 3)
    if pixels.dim() == 4:  # all frames of a clip as one tall picture, so that what is drawn is not copied for each
        grid = places.reshape(clips, frames * size, size, 2)
        drawn = F.grid_sample(pixels, grid, mode="bilinear", padding_mode=padding, align_corners=False)
        return drawn.unflatten(2, (frames, size)).transpose(1, 2)
    grid = places.reshape(clips * frames, size, size, 2)
    drawn = F.grid_sample(pixels.flatten(0, 1), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return drawn.unflatten(0, (clips, frames))


def soft(alpha: torch.Tensor) -> torch.Tensor:
    """An object's outline ``(B, T, 1, h, w)``, a pixel wide, as a lens would draw it."""
    return F.avg_pool2d(alpha.flatten(0, 1), 3, stride=1, padding=1, count_include_pad=False).view_as(alpha)


def paste(frames: torch.Tensor, masks: torch.Tensor, picture: torch.Tensor, alpha: torch.Tensor) -> tuple:
    """Put a layer before all that is there.

    Args:
        frames: ``(B, T, 3, h, w)``. masks: ``(B, T, O, h, w)``, what is seen of each object so far.
        picture: like frames. alpha: ``(B, T, 1, h, w)`` in [0, 1], where the layer covers.

    Returns:
        new frames and masks.
    """
    return torch.lerp(frames, picture, alpha), masks * (1 - alpha)

"""Random motion, smooth in time: where a camera looks and where objects go, for a batch of clips."""

import numpy as np


def drift(rng: np.random.Generator, frames: int, strength: np.ndarray, axes: int) -> np.ndarray:
    """``(B, frames, axes)``: paths that begin at 0, whose speed changes little from frame to frame.

    ``strength (B,)``: standard deviation of the speed on each axis.
    """
    clips = len(strength)
    start, change = rng.normal(size=(clips, 1, axes)), rng.normal(size=(clips, frames - 1, axes))
    speed = start + 0.5 * np.cumsum(change, axis=1)
    path = np.cumsum(speed * strength[:, None, None], axis=1)
    return np.concatenate([np.zeros((clips, 1, axes)), path], axis=1)


def bends(rng: np.random.Generator, frames: int, amount: np.ndarray, grid: int, change: float = 0.35) -> np.ndarray:
    """``(B, frames, 2, grid, grid)``: displacements that turn slowly into others, of standard deviation ``amount``."""
    clips = len(amount)
    field = rng.normal(size=(clips, 2, grid, grid))
    fields = []
    for _ in range(frames):
        fields.append(field)
        field = np.sqrt(1 - change**2) * field + change * rng.normal(size=field.shape)
    return np.stack(fields, axis=1) * amount[:, None, None, None, None]


def matrices(angle: np.ndarray, scale: np.ndarray, stretch: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """``(..., 2, 2)``: rotations by ``angle`` (radians) times scales; ``stretch`` > 1 is narrower, ``flip`` 1 or -1."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = scale * stretch * flip, scale / stretch
    return np.stack([np.stack([cos * x, -sin * y], -1), np.stack([sin * x, cos * y], -1)], -2)

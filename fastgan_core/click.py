"""The outline of an object from one click: the box about it whose outline depends least on the box."""

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.outline import SMALLEST, outline

SIDES = 0.12, 0.17, 0.24, 0.34, 0.48, 0.68  # of the boxes tried, relative to the smaller side of the image
AROUND = 1.1, 1.35, 1.7, 2.2  # the same relative to an object of known size; a click is hardly ever its middle
DOT = 0.06  # radius of what the click is sure of, relative to the smallest box
EDGE = 0.1  # an outline along more of its box's edge than this was cut off by it, or is the background

Box = tuple[int, int, int, int]


def outline_at(
    frame: np.ndarray, x: int, y: int, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, Box, np.ndarray]:
    """The object at a pixel.

    In a box that is too small the outline is that of a part, in one that is far too large often that of the
    background. In between there are boxes of different sizes with the same outline: the object.

    Args:
        frame: ``(H, W, 3) uint8 RGB``.
        size: width and height of the object in pixels, if it is known about.

    Returns:
        ``(H, W) bool``; the box ``x, y, width, height`` that it was found in; the dot ``(H, W) bool`` that was
        taken for granted. `outline` makes the same of these two.

    Raises:
        FastganError: there is nothing that stands out.
    """
    height, width = frame.shape[:2]
    across, down = size or (min(height, width),) * 2
    factors = AROUND if size else SIDES
    dot = np.zeros((height, width), np.uint8)
    cv2.circle(dot, (x, y), max(round(DOT * factors[0] * min(across, down)), 2), 1, -1)
    dot = dot > 0
    tried: list[tuple[np.ndarray, Box]] = []
    problem = None
    for factor in factors:
        box = _about(x, y, max(factor * across, 2 * SMALLEST), max(factor * down, 2 * SMALLEST), (height, width))
        try:
            tried.append((outline(frame, box, dot), box))
        except FastganError as error:
            problem = error
    if not tried:
        raise problem
    best, found = -1.0, tried[0]
    for smaller, larger in zip(tried, tried[1:] or tried, strict=False):
        agreement = _agreement(smaller[0], larger[0]) - max(_at_edge(*larger) - EDGE, 0)
        if agreement > best:
            best, found = agreement, larger
    return *found, dot


def _about(x: int, y: int, across: float, down: float, size: tuple[int, int]) -> Box:
    height, width = size
    left, top = max(round(x - across / 2), 0), max(round(y - down / 2), 0)
    return left, top, min(round(x + across / 2), width) - left, min(round(y + down / 2), height) - top


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def _at_edge(found: np.ndarray, box: Box) -> float:
    """The share of the box's edge that is object; where the box ends with the image, that is no fault."""
    x, y, width, height = box
    rows, columns = found.shape
    sides = [
        found[y, x : x + width] if y > 0 else None,
        found[y + height - 1, x : x + width] if y + height < rows else None,
        found[y : y + height, x] if x > 0 else None,
        found[y : y + height, x + width - 1] if x + width < columns else None,
    ]
    edge = [side for side in sides if side is not None]
    return float(np.concatenate(edge).mean()) if edge else 1.0

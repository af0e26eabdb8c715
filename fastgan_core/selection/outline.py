"""The outline of one object from a box or a few strokes: GrabCut, at a bounded size, around the box alone."""

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.labels import bounding_box, check_frame

SMALLEST = 8  # pixels: in a narrower box there is nothing to learn two colour models from
PIXELS = 320 * 240  # GrabCut works on no more than this, whatever the camera's size
MARGIN = 0.35  # of the box on each side, for the colours of the background
ROUNDS = 5  # the change after the fifth is a pixel here and there
PART = 0.15  # a part of this size relative to the largest one belongs to the object: something passes in front of it
SEED = 0.15  # half axes of the middle, relative to the box
FOUND = 0.02  # less than this share of the box is noise, not an object

Box = tuple[float, float, float, float]


def outline(
    frame: np.ndarray, box: Box | None = None, inside: np.ndarray | None = None, outside: np.ndarray | None = None
) -> np.ndarray:
    """The pixels of the object in a box, or of the object that strokes were painted on.

    The same arguments give the same outline.

    Args:
        frame: ``(H, W, 3) uint8 RGB``.
        box: ``x, y, width, height`` in pixels, closely around the object; what sticks out of the image is cut
            off. None: twice the extent of the strokes ``inside``, about them.
        inside: ``(H, W) bool``, strokes on the object; they belong to the result, and the box grows to hold them.
        outside: ``(H, W) bool``, strokes on the background; they do not belong to the result.

    Returns:
        ``(H, W) bool``, the largest part and what else is large or was painted on.

    Raises:
        FastganError: there is neither box nor stroke, the box is outside of the image, too small or has nothing
            around it, or nothing in it differs from its surroundings.
    """
    check_frame(frame)
    size = frame.shape[:2]
    inside, outside = _strokes(inside, size), _strokes(outside, size)
    inside = inside & ~outside
    left, top, right, bottom = _span(box, inside, size)
    pad_x, pad_y = (max(round(MARGIN * extent), SMALLEST) for extent in (right - left, bottom - top))
    x0, y0 = max(left - pad_x, 0), max(top - pad_y, 0)
    x1, y1 = min(right + pad_x, size[1]), min(bottom + pad_y, size[0])
    # From here on: coordinates of this part of the image, then of the part at the size that GrabCut works at.
    part = np.s_[y0:y1, x0:x1]
    hints = np.full((y1 - y0, x1 - x0), cv2.GC_BGD, np.uint8)
    hints[top - y0 : bottom - y0, left - x0 : right - x0] = cv2.GC_PR_FGD
    hints[outside[part]], hints[inside[part]] = cv2.GC_BGD, cv2.GC_FGD
    if not (hints == cv2.GC_BGD).any():
        raise FastganError(
            "the box covers the whole image, so there is no background to tell the object from: draw it closely "
            "around the object"
        )
    least = max(FOUND * (right - left) * (bottom - top), 16)
    found = cut(frame[part], hints)
    if found.sum() < least:
        # The colours of the object are around it too; its middle is then taken for granted.
        centre = (left + right) // 2 - x0, (top + bottom) // 2 - y0
        middle = cv2.ellipse(
            np.zeros_like(hints), centre, (round(SEED * (right - left)), round(SEED * (bottom - top))), 0, 0, 360, 1, -1
        )
        hints[(middle > 0) & (hints == cv2.GC_PR_FGD)] = cv2.GC_FGD
        found = cut(frame[part], hints)
    found = (found | inside[part]) & ~outside[part]
    found = parts(found, inside[part])
    if found.sum() < least:
        raise FastganError(
            "nothing in the box stands out from what is around it: draw the box closer around the object, or give "
            "a mask"
        )
    result = np.zeros(size, bool)
    result[part] = found
    return result


def _strokes(painted: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    if painted is None:
        return np.zeros(size, bool)
    if painted.shape != size or painted.dtype != bool:
        raise FastganError(f"strokes: expected {size} bool, the image's size, got {painted.shape} {painted.dtype}")
    return painted


def _span(box: Box | None, inside: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels of the image, right and bottom not included."""
    height, width = size
    x, y, across, down = bounding_box(inside)
    if box is None:
        if not across:
            raise FastganError("there is neither a box nor a stroke on the object: draw one of them")
        side = max(across, down, SMALLEST)
        box = x + across / 2 - side, y + down / 2 - side, 2 * side, 2 * side
    if not np.isfinite(box).all():
        raise FastganError(f"the box {box} is not made of numbers: give x, y, width and height in pixels")
    if min(box[2:]) < SMALLEST:
        raise FastganError(
            f"the box of {box[2]:g}x{box[3]:g} pixels is too small; it takes at least {SMALLEST}x{SMALLEST}: draw it "
            "around the whole object, or give a mask"
        )
    left, top = max(round(box[0]), 0), max(round(box[1]), 0)
    right, bottom = min(round(box[0] + box[2]), width), min(round(box[1] + box[3]), height)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        raise FastganError(
            f"the box at {box[0]:g}, {box[1]:g} of {box[2]:g}x{box[3]:g} pixels lies outside of the image of "
            f"{width}x{height}: x and y are its upper left corner, in pixels of the camera image"
        )
    if across:
        left, top = min(left, x), min(top, y)
        right, bottom = max(right, x + across), max(bottom, y + down)
    return left, top, right, bottom


def cut(frame: np.ndarray, hints: np.ndarray) -> np.ndarray:
    """GrabCut's foreground, ``(H, W) bool``, found at no more than ``PIXELS`` pixels."""
    height, width = hints.shape
    shrink = min((PIXELS / (height * width)) ** 0.5, 1.0)
    small = max(round(width * shrink), 1), max(round(height * shrink), 1)
    picture = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    labels = cv2.resize(hints, small, interpolation=cv2.INTER_NEAREST)
    if shrink < 1:
        # A thin stroke can fall between the pixels that are kept.
        for value in (cv2.GC_BGD, cv2.GC_FGD):
            share = cv2.resize((hints == value).astype(np.float32), small, interpolation=cv2.INTER_AREA)
            labels[share > 0.5 if value == cv2.GC_BGD else share > 0.2] = value
    if not np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).any() or not (labels == cv2.GC_BGD).any():
        return hints == cv2.GC_FGD
    cv2.setRNGSeed(0)  # of this thread; GrabCut begins with clusters at random
    cv2.grabCut(picture, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def parts(found: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The largest connected part, what else is large, and what was painted on."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = np.zeros(count, bool)
    if count > 1:
        keep[1:] = areas[1:] >= PART * areas[1:].max()
        keep[np.unique(parts[inside])] = True
        keep[0] = False
    return keep[parts]

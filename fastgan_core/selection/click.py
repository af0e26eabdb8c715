"""The outline of an object from one click on it, better where it is known how the object looked before."""

import contextlib
import itertools
from typing import NamedTuple

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.labels import bounding_box, check_frame
from fastgan_core.selection.outline import FOUND, SMALLEST, cut, outline, parts

SIDES = 0.12, 0.17, 0.24, 0.34, 0.48, 0.68  # of the boxes tried, relative to the smaller side of the image
AROUND = 1.5  # side of the box about an object of known size: a click is hardly ever its middle
DOT = 0.06  # radius of what the click is sure of, relative to the object or the smallest box
EDGE = 0.1  # an outline along more of its box's edge than this was cut off by it, or is the background
AGREED = 0.8  # intersection over union of the outlines in two boxes that are one object
BINS = 16, 24, 24  # of the colour histograms: lightness, a, b

Box = tuple[int, int, int, int]


class Looks(NamedTuple):
    """An object as it was seen in some frame."""

    frame: np.ndarray  # (H, W, 3) uint8 RGB
    mask: np.ndarray  # (H, W) bool


def outline_at(frame: np.ndarray, x: int, y: int, looks: Looks | None = None) -> np.ndarray:
    """The object at pixel ``x, y`` of ``(H, W, 3) uint8 RGB``, as ``(H, W) bool``.

    With ``looks``, GrabCut begins with the pixels whose colour was more frequent on the object than around it,
    in a box of its size about the click. Without, boxes of several sizes are tried. In one that is too small the
    outline is that of a part, in one that is far too large often that of the background; in between there are
    boxes of different sizes with the same outline: the object.

    Raises:
        FastganError: there is nothing that stands out.
    """
    check_frame(frame)
    if looks is not None and looks.mask.any():
        found = _alike(frame, x, y, looks)
        if found is not None:
            return found
    return _most_stable(frame, x, y)


def _alike(frame: np.ndarray, x: int, y: int, looks: Looks) -> np.ndarray | None:
    """By the colours that the object had; None when too little of them is there."""
    _, _, across, down = bounding_box(looks.mask)
    box = _about(x, y, max(AROUND * across, 2 * SMALLEST), max(AROUND * down, 2 * SMALLEST), frame.shape[:2])
    pad = SMALLEST + max(box[2:]) // 10
    part = np.s_[max(box[1] - pad, 0) : box[1] + box[3] + pad, max(box[0] - pad, 0) : box[0] + box[2] + pad]
    within = np.zeros(frame.shape[:2], bool)
    within[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    dot = _dot(x, y, min(across, down), frame.shape[:2])
    likely = cv2.blur(_likeness(np.ascontiguousarray(frame[part]), looks), (5, 5)) > 0
    hints = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    hints[~within[part]], hints[dot[part]] = cv2.GC_BGD, cv2.GC_FGD
    found = parts(cut(frame[part], hints) | dot[part], dot[part])
    if found.sum() < max(FOUND * box[2] * box[3], 2 * dot.sum()):
        return None
    result = np.zeros(frame.shape[:2], bool)
    result[part] = found
    return result


def _likeness(frame: np.ndarray, looks: Looks) -> np.ndarray:
    """``(H, W) float32``: over 0 where a pixel's colour was more frequent on the object than elsewhere."""
    before = _bins(looks.frame)
    counts = []
    for mask in (looks.mask, ~looks.mask):
        count = np.bincount(before[mask], minlength=int(np.prod(BINS))).reshape(BINS).astype(np.float32)
        for axis in (0, 1, 2) * 2:  # a colour that is nearly the same counts too
            padded = np.pad(count, [(1, 1) if a == axis else (0, 0) for a in range(3)])
            last = count.shape[axis]
            count = (padded.take(range(last), axis) + 2 * count + padded.take(range(2, last + 2), axis)) / 4
        counts.append(count.ravel() / max(count.sum(), 1) + 1e-6)
    return np.log(counts[0] / counts[1]).astype(np.float32)[_bins(frame)]


def _bins(frame: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).astype(np.int64)
    light, a, b = (lab[..., channel] * bins // 256 for channel, bins in enumerate(BINS))
    return (light * BINS[1] + a) * BINS[2] + b


def _most_stable(frame: np.ndarray, x: int, y: int) -> np.ndarray:
    side = min(frame.shape[:2])
    dot = _dot(x, y, SIDES[0] * side, frame.shape[:2])
    tried: list[tuple[np.ndarray, Box]] = []
    for share in SIDES:
        box = _about(x, y, max(share * side, 2 * SMALLEST), max(share * side, 2 * SMALLEST), frame.shape[:2])
        with contextlib.suppress(FastganError):
            tried.append((outline(frame, box, dot), box))
    best, found = AGREED, None
    for smaller, larger in itertools.pairwise(tried):
        shared, either = (smaller[0] & larger[0]).sum(), (smaller[0] | larger[0]).sum()
        agreement = shared / either - max(_at_edge(*larger) - EDGE, 0)
        if agreement > best and larger[0].sum() > 3 * dot.sum():
            best, found = agreement, larger[0]
    if found is None:
        raise FastganError("nothing at this place stands out from what is around it: drag a box around the object")
    return found


def _dot(x: int, y: int, side: float, size: tuple[int, int]) -> np.ndarray:
    dot = np.zeros(size, np.uint8)
    cv2.circle(dot, (x, y), max(round(DOT * side), 2), 1, -1)
    return dot > 0


def _about(x: int, y: int, across: float, down: float, size: tuple[int, int]) -> Box:
    height, width = size
    left, top = max(round(x - across / 2), 0), max(round(y - down / 2), 0)
    return left, top, min(round(x + across / 2), width) - left, min(round(y + down / 2), height) - top


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

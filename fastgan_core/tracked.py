"""What the tracker says about a frame."""

from dataclasses import dataclass

import numpy as np

from fastgan_core.labels import bounding_box

NOT_TRACKED = "There is nothing that this could be another view of"  # how the refusal of such a view begins
ONE_VIEW = "This network remembers one view of an object"  # how the refusal of another one begins


@dataclass(frozen=True)
class TrackedObject:
    """One object in one frame."""

    id: int
    score: float  # probability that the mask is on the object, 0 to 1, see tracking/evidence.py; 0 when there is none
    area: int  # pixels of the input image; 0 when lost
    box: tuple[int, int, int, int]  # x, y, width, height in pixels; zeros when lost
    state: str  # "tracked" | "lost"


@dataclass(frozen=True)
class Tracked:
    """The result of one frame."""

    labels: np.ndarray  # (H, W) uint8 (uint16 when an id is over 255), 0 = background; the input's size
    objects: tuple[TrackedObject, ...]
    epoch: int  # the tracker's epoch that it belongs to


def describe(labels: np.ndarray, ids: tuple[int, ...], scores: list[float], found: list[int]) -> tuple:
    """A :class:`TrackedObject` per id, measured on the label image at the frame's size."""
    result = []
    for n, number in enumerate(ids):
        mask = labels == number if n in found else None
        area = int(np.count_nonzero(mask)) if mask is not None else 0
        box = tuple(int(v) for v in bounding_box(mask)) if area else (0, 0, 0, 0)
        result.append(TrackedObject(number, float(scores[n]), area, box, "tracked" if area else "lost"))
    return tuple(result)

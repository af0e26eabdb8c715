"""Clips in which an object goes out of sight and comes back, with the truth of it: to measure lost and found.

Any annotated clip can be made into one: something passes in front of the object and stays there a while, or the
camera looks away.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fastgan_core.scenes.scene import Scene

LEAST = 0.3  # of the object in sight, from which on a tracker should have it


@dataclass(frozen=True)
class View:
    """One frame of a clip."""

    frame: np.ndarray  # (H, W, 3) uint8 RGB
    labels: np.ndarray  # (H, W) uint8: 1 where the object is seen
    seen: float  # share of the object that is in sight, 0 to 1

    @property
    def gone(self) -> bool:
        return self.seen == 0

    @property
    def there(self) -> bool:
        return self.seen >= LEAST


def drawn(seed: int, length: int = 150, width: int = 384, height: int = 288) -> Iterator[View]:
    """One round of the drawn scene, in which the object passes behind a tree."""
    scene = Scene(width, height, length, seed)
    for index in range(length):
        frame, labels = scene[index]
        yield View(frame, labels, 1 - scene.hidden(index))


def plain(frames: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[View]:
    """An annotated clip as it is."""
    for frame, labels in frames:
        yield View(frame, (labels > 0).astype(np.uint8), float(labels.any()))


def curtain(frames: list[tuple[np.ndarray, np.ndarray]], cover: np.ndarray, rng: np.random.Generator) -> Iterator[View]:
    """Something with the texture of the picture ``cover`` passes in front of the object and stays for a while.

    It comes from one side within five frames, moves with the object for 8 to 25, and goes on to the other side.
    """
    moment, stay = _when(rng, len(frames))
    across = _amounts(len(frames), moment, stay, 5)
    boxes = [cv2.boundingRect((labels > 0).astype(np.uint8)) for _, labels in frames]
    during = [boxes[i] for i in range(moment, moment + stay) if boxes[i][2]] or [boxes[0]]
    size = [int(1.3 * max(box[k] for box in during)) + 8 for k in (2, 3)]
    texture = cv2.GaussianBlur(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    side = rng.choice((-1, 1))
    box = during[0]
    for index, (frame, labels) in enumerate(frames):
        box = boxes[index] if boxes[index][2] else box
        height, width = labels.shape
        away = side * across[index] * (size[0] + box[2]) * 1.2
        left, top = int(box[0] + box[2] / 2 - size[0] / 2 + away), int(box[1] + box[3] / 2 - size[1] / 2)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size[0], width), min(top + size[1], height)
        whole = int((labels > 0).sum())
        picture, seen = frame.copy(), (labels > 0).astype(np.uint8)
        if abs(across[index]) < 1 and x0 < x1 and y0 < y1:
            picture[y0:y1, x0:x1] = texture[y0 - top : y1 - top, x0 - left : x1 - left]
            seen[y0:y1, x0:x1] = 0
        yield View(picture, seen, float(seen.sum() / whole) if whole else 0.0)


def away(frames: list[tuple[np.ndarray, np.ndarray]], other: np.ndarray, rng: np.random.Generator) -> Iterator[View]:
    """The camera turns to ``other``, a picture beside the clip's, for 8 to 25 frames, and back, in five frames each."""
    moment, stay = _when(rng, len(frames))
    turned = 1 - np.abs(_amounts(len(frames), moment, stay, 5))
    side = rng.choice((-1, 1))
    for (frame, labels), share in zip(frames, turned, strict=True):
        height, width = labels.shape
        seen = (labels > 0).astype(np.uint8)
        whole, shift = int(seen.sum()), round(float(share) * width)
        beside = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
        pair = (frame, beside) if side > 0 else (beside, frame)
        start = shift if side > 0 else width - shift
        picture = np.hstack(pair)[:, start : start + width].copy()
        blank = np.zeros_like(seen)
        seen = np.hstack((seen, blank) if side > 0 else (blank, seen))[:, start : start + width]
        yield View(picture, seen.copy(), float(seen.sum() / whole) if whole else 0.0)


def _when(rng: np.random.Generator, length: int) -> tuple[int, int]:
    """Index of the first frame without the object, and how many there are: about the middle of the clip."""
    stay = min(int(rng.integers(8, 26)), length // 3)
    return int(rng.integers(length // 4, max(length // 2, length // 4 + 1))), stay


def _amounts(length: int, moment: int, stay: int, ramp: int) -> np.ndarray:
    """Per frame: -1 before, 0 while the object is hidden, 1 after, and in between within ``ramp`` frames."""
    index = np.arange(length)
    before = np.clip((index - moment) / ramp, -1, 0)
    after = np.clip((index - (moment + stay - 1)) / ramp, 0, 1)
    return before + after

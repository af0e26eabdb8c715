"""All pictures of a training in one tensor, on the device: drawing a clip then waits for no file and no decoder."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from fastgan_core.data.packs import decoded, find_packs, read_pack
from fastgan_core.errors import FastganError

SMALLEST, LARGEST = 0.008, 0.75  # share of its picture that an object covers which is worth following


@dataclass
class Objects:
    """Every object of every picture, a row each. Lengths in half shorter sides of the picture, origin its centre."""

    picture: np.ndarray  # (n,) int, which picture
    number: np.ndarray  # (n,) int, its id in the picture's mask
    centre: np.ndarray  # (n, 2) x, y of its box
    reach: np.ndarray  # (n, 2) half its box's sides


@dataclass
class Bank:
    """Pictures, stretched to squares so that they share a tensor; sampling undoes it.

    ``sets`` maps a set's name to the rows of its stills, ``videos`` lists the rows of each video's frames in order.
    ``about`` has for each set the number of pictures and the checksums of its files.
    """

    pixels: torch.Tensor  # (n, 4, S, S) uint8: RGB and id
    extent: np.ndarray  # (n, 2) half width and height in half shorter sides, so one of them is 1
    objects: Objects
    sets: dict[str, np.ndarray]
    videos: list[np.ndarray]
    about: dict[str, dict]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.pixels)

    def rows_of(self, picture: int) -> np.ndarray:
        """Rows of ``objects`` that are in a picture."""
        return np.arange(self._first[picture], self._first[picture + 1])

    def row(self, picture: int, number: int) -> int:
        """The row of the object with id ``number`` in a picture, -1 where it is not seen well."""
        return next((int(r) for r in self.rows_of(picture) if self.objects.number[r] == number), -1)

    def __post_init__(self):
        self._first = np.searchsorted(self.objects.picture, np.arange(len(self.pixels) + 1))


def load_bank(folders: list[str | Path], side: int, device: torch.device, leave_out=()) -> Bank:
    """Read all packs of some folders.

    Args:
        side: S, pixels. leave_out: names of sets that are not wanted.

    Raises:
        FastganError: there are none, or one cannot be read.
    """
    blocks, extents, found, sets, videos, about = [], [], [], {}, [], {}

    def fit(image: np.ndarray, labels: np.ndarray):
        height, width = labels.shape
        size, how = (side, side), cv2.INTER_AREA if min(height, width) > side else cv2.INTER_LINEAR
        square = np.dstack(
            [cv2.resize(image, size, interpolation=how), cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)]
        )
        extent = np.array([width, height]) / min(height, width)
        return np.ascontiguousarray(square.transpose(2, 0, 1)), extent, boxes(labels, extent)

    count = 0
    for name, files in find_packs(folders).items():
        if name in leave_out:
            continue
        stills, frames, checksums, first = [], {}, [], count
        for path in files:
            pictures, checksum = read_pack(path)
            checksums.append(checksum)
            block = np.empty((len(pictures), 4, side, side), np.uint8)
            for row, (square, extent, objects) in enumerate(decoded(pictures, fit, len(os.sched_getaffinity(0)))):
                block[row] = square
                extents.append(extent)
                found += [(count, *entry) for entry in objects]
                video = pictures[row].video
                if video >= 0:
                    frames.setdefault(video, []).append(count)
                elif objects:
                    stills.append(count)
                count += 1
            blocks.append(torch.from_numpy(block).to(device))
        if stills:
            sets[name] = np.array(stills)
        videos += [np.array(rows) for rows in frames.values() if len(rows) > 3]
        about[name] = {"pictures": count - first, "sha256": checksums}
    if not sets:
        raise FastganError(
            "packs: no still in them has an object that covers between 0.8 % and 75 % of it; clips are made of such"
        )
    picture, number, x, y, right, down = (np.array(column) for column in zip(*found, strict=True))
    objects = Objects(picture, number, np.stack([x, y], 1), np.stack([right, down], 1))
    return Bank(torch.cat(blocks), np.array(extents), objects, sets, videos, about)


def boxes(labels: np.ndarray, extent: np.ndarray) -> list[tuple]:
    """``(id, x, y, half width, half height)`` of the objects of ``(H, W)`` ids that are worth following."""
    areas = np.bincount(labels.ravel()) / labels.size
    result = []
    for number in np.flatnonzero((areas > SMALLEST) & (areas < LARGEST)):
        if number:
            box = np.array(cv2.boundingRect((labels == number).view(np.uint8)), float)
            size = np.array(labels.shape[::-1])
            centre = ((box[:2] + box[2:] / 2) / size * 2 - 1) * extent
            result.append((int(number), *centre, *(box[2:] / size * extent)))
    return result

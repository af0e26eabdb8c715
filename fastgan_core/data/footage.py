"""Packs as videos and stills whose pictures are decoded when they are asked for, for clips that are composed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.data.packs import Packed, find_packs, read_pack
from fastgan_core.errors import FastganError


@dataclass
class Footage:
    """``about`` has for each set the number of pictures and the checksums of its files."""

    videos: list[Sequence]
    stills: dict[str, list[Packed]]
    about: dict[str, dict]

    @property
    def pictures(self) -> int:
        """How many there are, frames of videos included."""
        return sum(entry["pictures"] for entry in self.about.values())


def read_footage(folders: list[str | Path], leave_out=()) -> Footage:
    """All packs of some folders; sets named in ``leave_out`` are not wanted.

    Raises:
        FastganError: there are none, or one cannot be read.
    """
    videos, stills, about = [], {}, {}
    for name, files in find_packs(folders).items():
        if name in leave_out:
            continue
        pictures, checksums = [], []
        for path in files:
            more, checksum = read_pack(path)
            pictures += more
            checksums.append(checksum)
        frames: dict[int, list[Packed]] = {}
        for picture in pictures:
            frames.setdefault(picture.video, []).append(picture)
        if alone := frames.pop(-1, None):
            stills[name] = alone
        found = (_sequence(f"{name} {number}", shown) for number, shown in frames.items())
        videos += [video for video in found if video.starts and len(video) > 3]
        about[name] = {"pictures": len(pictures), "sha256": checksums}
    if not videos and not stills:
        raise FastganError("packs: no set is left; give at least one a weight over 0")
    return Footage(videos, stills, about)


def _sequence(name: str, frames: list[Packed]) -> Sequence:
    """A video whose objects are those of its first frame."""
    ids = np.unique(frames[0].load()[1])
    return Sequence(name, tuple(frames), {int(number): 0 for number in ids if number})

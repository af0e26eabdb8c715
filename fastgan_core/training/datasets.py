"""The data that a recipe names."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from fastgan_core.data.folders import (
    Pair,
    Preloaded,
    Sequence,
    davis_sequences,
    preload,
    still_pairs,
    youtube_vos_sequences,
)
from fastgan_core.errors import FastganError
from fastgan_core.training.recipe import Recipe


@dataclass
class Data:
    """Videos and stills to train on, videos to validate on.

    ``about`` says per source what was found: number of pictures and a checksum of their names and sizes.
    ``skipped`` names what was missing or broken.
    """

    sequences: list[Sequence] = field(default_factory=list)
    stills: list[tuple[list[Pair | Preloaded], float]] = field(default_factory=list)
    validation: list[Sequence] = field(default_factory=list)
    about: dict[str, dict] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """Annotated frames and stills: what one epoch has clips of."""
        return sum(map(len, self.sequences)) + sum(len(pairs) for pairs, _ in self.stills)


def load_data(recipe: Recipe) -> Data:
    """Find, and where the recipe says so preload, all pictures of a recipe.

    Raises:
        FastganError: a file or folder is missing or broken, and ``skip_broken`` is not set.
    """
    data = Data()
    skipped = data.skipped if recipe.skip_broken else None
    merged = recipe.davis_year == 2016
    if recipe.davis:
        root = Path(recipe.davis)
        found = davis_sequences(root, recipe.davis_split, merged=merged, skipped=skipped)
        data.about[f"{root} {recipe.davis_split}"] = fingerprint(pair for s in found for pair in s.frames)
        data.sequences += found
        if recipe.validate:
            data.validation = davis_sequences(root, recipe.validate, merged=merged, skipped=skipped)
    if recipe.youtube_vos:
        root = Path(recipe.youtube_vos)
        found = [s.annotated() for s in youtube_vos_sequences(root, recipe.youtube_vos_split, skipped)]
        data.about[f"{root} {recipe.youtube_vos_split}"] = fingerprint(pair for s in found for pair in s.frames)
        data.sequences += found
    for name, weight in recipe.stills.items():
        if weight > 0:
            pairs = still_pairs(Path(recipe.stills_root) / name, skipped)
            data.about[f"{recipe.stills_root}/{name}"] = fingerprint(pairs)
            data.stills.append((pairs, weight))
    if recipe.preload:
        side = recipe.preload
        data.sequences = [s for s in (_preloaded(s, side, skipped) for s in data.sequences) if s.starts]
        data.stills = [(preload(pairs, side, skipped), weight) for pairs, weight in data.stills]
        data.stills = [(pairs, weight) for pairs, weight in data.stills if pairs]
        if not data.pictures:
            raise FastganError(f"not one picture can be read, such as: {data.skipped[0]}")
    return data


def _preloaded(sequence: Sequence, side: int, skipped: list[str] | None) -> Sequence:
    frames = preload(sequence.frames, side, skipped)
    if len(frames) == len(sequence):
        return Sequence(sequence.name, tuple(frames), sequence.starts)
    # Some are gone: an object's reference is now the first frame that shows it.
    starts = {}
    for number in sequence.starts:
        shown = [i for i, frame in enumerate(frames) if (frame.load()[1] == number).any()]
        starts |= {number: shown[0]} if shown else {}
    return Sequence(sequence.name, tuple(frames), starts)


def fingerprint(pairs) -> dict:
    """Number of pictures, and a checksum of the names and sizes of their files."""
    digest, count = hashlib.sha256(), 0
    for pair in pairs:
        count += 1
        for file in (pair.image, pair.mask):
            if file is not None:
                digest.update(f"{file.parent.name}/{file.name} {file.stat().st_size}\n".encode())
    return {"pictures": count, "names_and_sizes_sha256": digest.hexdigest()}

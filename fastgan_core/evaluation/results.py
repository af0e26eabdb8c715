"""Masks of a method on disk: reading them to be scored, writing them as DAVIS and YouTube-VOS want them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.scoring import Prediction
from fastgan_core.media.masks import write_mask


def check_results(folder: Path, sequences: list[Sequence], counted: dict[str, list[int]]) -> Path:
    """The folder that holds ``<sequence>/<frame>.png``: ``folder``, or ``Annotations`` in it.

    Args:
        counted: for each sequence's name the indices of the frames that are to be scored.

    Raises:
        FastganError: what is missing, before minutes are spent on scoring the rest.
    """
    folder = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    for sequence in sequences:
        if counted[sequence.name] and not (folder / sequence.name).is_dir():
            raise FastganError(f"{folder / sequence.name}: sequence '{sequence.name}' is missing from the results")
        for index in counted[sequence.name]:
            path = result_path(folder, sequence, index)
            if not path.is_file():
                raise FastganError(f"{path}: this result is missing; write a PNG for every frame")
    return folder


def result_path(folder: Path, sequence: Sequence, index: int) -> Path:
    return folder / sequence.name / f"{sequence.frames[index].image.stem}.png"


def stored(folder: Path, sequence: Sequence, counted: list[int]) -> Iterator[Prediction]:
    """What ``folder/<sequence>/<frame>.png`` say; frames that are not ``counted`` need no file and are empty."""
    nothing = np.zeros((0, 0), np.uint8)
    for index, pair in enumerate(sequence.frames):
        if index not in counted:
            yield Prediction(nothing, nothing)
            continue
        path, truth = result_path(folder, sequence, index), pair.load_labels()
        labels = pair.load_labels(path)
        if labels.shape != truth.shape:
            sizes = f"{labels.shape[1]}x{labels.shape[0]} and its annotation {truth.shape[1]}x{truth.shape[0]}"
            raise FastganError(f"{path}: is {sizes} (width x height); write results at the annotations' size")
        yield Prediction(labels, truth)


def saved(
    predictions: Iterable[Prediction], folder: Path, sequence: Sequence, wanted: set[str] | None = None
) -> Iterator[Prediction]:
    """Pass predictions on and write ``folder/<sequence>/<frame>.png``, for all frames or those ``wanted`` (stems)."""
    (folder / sequence.name).mkdir(parents=True, exist_ok=True)
    for index, prediction in enumerate(predictions):
        path = result_path(folder, sequence, index)
        if wanted is None or path.stem in wanted:
            write_mask(path, prediction.labels)
        yield prediction


def submission_frames(root: Path, split: str, sequences: list[Sequence]) -> dict[str, set[str]]:
    """For each video the frames (stems) whose masks YouTube-VOS asks for, from the split's ``meta.json``.

    Raises:
        FastganError: one of them has no image.
    """
    videos = json.loads((root / split / "meta.json").read_text())["videos"]
    wanted = {}
    for sequence in sequences:
        frames = {frame for entry in videos[sequence.name]["objects"].values() for frame in entry["frames"]}
        missing = sorted(frames - {pair.image.stem for pair in sequence.frames})
        if missing:
            image = root / split / "JPEGImages" / sequence.name / f"{missing[0]}.jpg"
            raise FastganError(f"{image}: is missing, but meta.json asks for its mask; fetch the data set again")
        wanted[sequence.name] = frames
    return wanted

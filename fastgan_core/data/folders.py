"""Where training and test pictures come from: DAVIS and YouTube-VOS folders, folders of stills with masks."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.media.images import IMAGE_SUFFIXES, read_image
from fastgan_core.media.masks import read_mask


@dataclass(frozen=True)
class Pair:
    """An image file and the mask file that belongs to it (None: the frame is not annotated).

    ``merged``: all objects count as one, with id 1, as DAVIS 2016 has it.
    """

    image: Path
    mask: Path | None
    merged: bool = False

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """``(H, W, 3) uint8 RGB`` and ``(H, W)`` integer labels of the same size (all 0 without annotation)."""
        image = read_image(self.image)
        if self.mask is None:
            return image, np.zeros(image.shape[:2], np.uint8)
        labels = self.load_labels()
        if image.shape[:2] != labels.shape:
            raise FastganError(f"{self.mask}: size {labels.shape} differs from {image.shape[:2]} of {self.image}")
        return image, labels

    def load_labels(self, path: Path | None = None) -> np.ndarray:
        """``(H, W)`` integer labels alone, of this annotation or of another file that is to be read like it."""
        labels = read_mask(path or self.mask)
        return (labels > 0).astype(np.uint8) if self.merged else labels


def shrunk(image: np.ndarray, labels: np.ndarray, short_side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture ``(H, W, 3)`` and its ids ``(H, W)`` with a shorter side of at most so many pixels."""
    scale = min(1.0, short_side / min(labels.shape))
    size = tuple(max(1, round(side * scale)) for side in labels.shape[::-1])
    smaller = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), smaller


class Preloaded:
    """A pair kept in memory, made smaller: decoding is then no part of a training step."""

    def __init__(self, pair: Pair, short_side: int):
        self.mask = pair.mask
        self._image, self._labels = shrunk(*pair.load(), short_side)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        return self._image, self._labels


@dataclass(frozen=True)
class Sequence:
    """The frames of one video, in order, and its objects.

    ``starts``: for each object's id the index of the frame whose annotation is its reference.
    """

    name: str
    frames: tuple[Pair | Preloaded, ...]
    starts: dict[int, int] = field(default_factory=lambda: {1: 0})

    def __len__(self) -> int:
        return len(self.frames)

    def annotated(self) -> "Sequence":
        """The same video with its annotated frames alone."""
        kept = [i for i, frame in enumerate(self.frames) if frame.mask is not None]
        starts = {number: kept.index(start) for number, start in self.starts.items()}
        return Sequence(self.name, tuple(self.frames[i] for i in kept), starts)

    def backwards(self) -> "Sequence":
        """The annotated frames from the last to the first; an object's reference is its last annotation."""
        frames, starts = self.annotated().frames[::-1], {}
        for index, frame in enumerate(frames):
            seen = np.unique(frame.load()[1]).tolist()
            starts |= {number: index for number in self.starts if number in seen and number not in starts}
            if len(starts) == len(self.starts):
                break
        return Sequence(f"{self.name}-backwards", frames, starts)


def complain(problem: str, skipped: list[str] | None) -> None:
    """Raise FastganError, or note the problem where the caller wants what is broken skipped and counted."""
    if skipped is None:
        raise FastganError(problem)
    skipped.append(problem)


def davis_sequences(
    root: Path, split: str, resolution: str = "480p", merged: bool = True, skipped: list[str] | None = None
) -> list[Sequence]:
    """Sequences of a DAVIS 2016 or 2017 folder.

    Args:
        root: folder with ``JPEGImages/``, ``Annotations/`` and ``ImageSets/``.
        split: name of a file in ``ImageSets/``, such as ``train`` or ``val``. Its lines
            are image-mask pairs (2016) or names of sequences (2017).
        merged: all objects of a video as one (2016), or each on its own (2017).
        skipped: where to note what is missing, instead of raising FastganError with its name.
    """
    lists = sorted(root.glob(f"ImageSets/*/{split}.txt"))
    if not lists:
        raise FastganError(f"{root}: no ImageSets/*/{split}.txt there; is this a DAVIS folder?")
    names = []
    # A folder may hold the lists of both years, and 2016's under the names of resolutions.
    preferred = (resolution, "2016") if merged else ("2017",)
    chosen = next((file for name in preferred for file in lists if file.parent.name == name), lists[-1])
    for line in chosen.read_text(errors="replace").splitlines():
        if line.strip():
            first = line.split()[0]
            names.append(Path(first).parent.name if first.startswith("/") else first)
    if not names:
        raise FastganError(f"{chosen}: lists no sequences")
    sequences = []
    for name in dict.fromkeys(names):
        masks, frames = root / "Annotations" / resolution / name, []
        for image in sorted((root / "JPEGImages" / resolution / name).glob("*.jpg")):
            mask = masks / f"{image.stem}.png"
            if mask.exists():
                frames.append(Pair(image, mask, merged))
            else:
                complain(f"{mask}: the annotation of {image.name} is missing; fetch the data set again", skipped)
        if not frames:
            complain(f"{root}: sequence '{name}' of {split}.txt has no annotated frames", skipped)
            continue
        try:
            ids = [1] if merged else [int(i) for i in np.unique(frames[0].load_labels()) if i]
        except FastganError as error:
            complain(str(error), skipped)
            continue
        if ids:
            sequences.append(Sequence(name, tuple(frames), dict.fromkeys(ids, 0)))
        else:
            complain(f"{frames[0].mask}: no object in the first annotation, which is the reference", skipped)
    return _some(sequences, root)


def youtube_vos_sequences(root: Path, split: str, skipped: list[str] | None = None) -> list[Sequence]:
    """Sequences of a YouTube-VOS folder (Xu et al. 2018): every fifth frame, objects that may appear late.

    Args:
        root: folder that holds ``<split>/meta.json``, ``<split>/JPEGImages/<video>/*.jpg`` and
            ``<split>/Annotations/<video>/*.png``. Frames without a PNG are not annotated: in ``valid``
            there is one only where an object appears.
        split: ``train``, ``valid`` or ``test``.
        skipped: where to note what is missing, instead of raising FastganError with its name.
    """
    folder = root / split
    try:
        videos = json.loads((folder / "meta.json").read_text())["videos"]
        listed = {name: {int(i): entry["frames"][0] for i, entry in v["objects"].items()} for name, v in videos.items()}
    except FileNotFoundError:
        raise FastganError(f"{folder}/meta.json: there is no such file; is {root} a YouTube-VOS folder?") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FastganError(f"{folder}/meta.json: is damaged ({error!r}); fetch the data set again") from None
    sequences = []
    for name, objects in sorted(listed.items()):
        images = sorted((folder / "JPEGImages" / name).glob("*.jpg"))
        masks = {mask.stem: mask for mask in (folder / "Annotations" / name).glob("*.png")}
        index = {image.stem: i for i, image in enumerate(images)}
        starts = {}
        for number, first in objects.items():
            if first in index and first in masks:
                starts[number] = index[first]
            else:
                where = f"{folder}/Annotations/{name}/{first}.png"
                complain(f"{where}: the first frame or mask of object {number} is missing", skipped)
        if starts:
            frames = tuple(Pair(image, masks.get(image.stem)) for image in images)
            sequences.append(Sequence(name, frames, starts))
    return _some(sequences, folder)


def _some(sequences: list[Sequence], root: Path) -> list[Sequence]:
    if not sequences:
        raise FastganError(f"{root}: not one usable sequence")
    return sequences


def still_pairs(root: Path, skipped: list[str] | None = None) -> list[Pair]:
    """All pairs ``root/Images/x.jpg`` + ``root/Masks/x.png``; ``skipped`` as for :func:`davis_sequences`."""
    pairs = []
    for image in sorted((root / "Images").glob("*")):
        mask = root / "Masks" / f"{image.stem}.png"
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if mask.exists():
            pairs.append(Pair(image, mask))
        else:
            complain(f"{mask}: the mask of {image.name} is missing", skipped)
    if not pairs:
        raise FastganError(f"{root}: no Images/*.jpg with Masks/*.png of the same name")
    return pairs


def preload(pairs, short_side: int, skipped: list[str] | None = None) -> list[Preloaded]:
    """The pairs in memory; ``skipped`` as for :func:`davis_sequences`."""
    loaded = []
    for pair in pairs:
        try:
            loaded.append(Preloaded(pair, short_side))
        except FastganError as error:
            complain(str(error), skipped)
    return loaded

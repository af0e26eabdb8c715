"""Where training and test pictures come from: DAVIS folders and folders of stills with masks."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.masks import read_mask

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def read_image(path: Path) -> np.ndarray:
    """``(H, W, 3) uint8 RGB``. Raises FastganError naming the file when it cannot be decoded."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise FastganError(f"{path}: missing or not an image; remove it or fetch the data set again")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Pair:
    """An image file and the mask file that belongs to it."""

    image: Path
    mask: Path

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """``(H, W, 3) uint8 RGB`` and ``(H, W)`` integer labels of the same size."""
        image, mask = read_image(self.image), read_mask(self.mask)
        if image.shape[:2] != mask.shape:
            raise FastganError(f"{self.mask}: size {mask.shape} differs from {image.shape[:2]} of {self.image}")
        return image, mask


class Preloaded:
    """A pair kept in memory, made smaller: decoding is then no part of a training step."""

    def __init__(self, pair: Pair, short_side: int):
        image, mask = pair.load()
        scale = min(1.0, short_side / min(mask.shape))
        size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
        self._image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        return self._image, self._mask


@dataclass(frozen=True)
class Sequence:
    """The annotated frames of one video, in order."""

    name: str
    frames: tuple[Pair | Preloaded, ...]

    def __len__(self) -> int:
        return len(self.frames)


def davis_sequences(root: Path, split: str, resolution: str = "480p") -> list[Sequence]:
    """Sequences of a DAVIS 2016 or 2017 folder.

    Args:
        root: folder with ``JPEGImages/``, ``Annotations/`` and ``ImageSets/``.
        split: name of a file in ``ImageSets/``, such as ``train`` or ``val``. Its lines
            are image-mask pairs (2016) or names of sequences (2017).
    """
    lists = sorted(root.glob(f"ImageSets/*/{split}.txt"))
    if not lists:
        raise FastganError(f"{root}: no ImageSets/*/{split}.txt there; is this a DAVIS folder?")
    names = []
    for line in lists[-1].read_text(errors="replace").splitlines():
        if line.strip():
            first = line.split()[0]
            names.append(Path(first).parent.name if first.startswith("/") else first)
    sequences = []
    for name in dict.fromkeys(names):
        images = sorted((root / "JPEGImages" / resolution / name).glob("*.jpg"))
        masks = root / "Annotations" / resolution / name
        frames = tuple(Pair(i, masks / f"{i.stem}.png") for i in images if (masks / f"{i.stem}.png").exists())
        if not frames:
            raise FastganError(f"{root}: sequence '{name}' of {split}.txt has no annotated frames")
        sequences.append(Sequence(name, frames))
    if not sequences:
        raise FastganError(f"{lists[-1]}: lists no sequences")
    return sequences


def still_pairs(root: Path) -> list[Pair]:
    """All pairs ``root/Images/x.jpg`` + ``root/Masks/x.png``."""
    pairs = []
    for image in sorted((root / "Images").glob("*")):
        mask = root / "Masks" / f"{image.stem}.png"
        if image.suffix.lower() in IMAGE_SUFFIXES and mask.exists():
            pairs.append(Pair(image, mask))
    if not pairs:
        raise FastganError(f"{root}: no Images/*.jpg with Masks/*.png of the same name")
    return pairs

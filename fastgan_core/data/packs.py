"""Footage in a few files: pictures and masks as WebP bytes, so that a training set travels and is read at once.

A set is a folder of ``NAME-000.safetensors``, ``NAME-001.safetensors``, ... with ``data (bytes) uint8``, ``ends
(2 n) int64``, the ends of picture and mask by turns, and ``video (n) int32``, the number of the video that a picture
is a frame of, -1 for a still. The files' metadata say the format, the name and a checksum of the data.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastgan_core.data.folders import shrunk
from fastgan_core.errors import FastganError

FORMAT = "fastgan-pack-1"
LARGEST = 15_000_000  # bytes of a file


@dataclass(frozen=True)
class Packed:
    """A picture with its mask, still encoded."""

    picture: bytes
    mask: bytes
    video: int  # number of its video in the set, -1 for a still

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """``(H, W, 3) uint8 RGB`` and ``(H, W) uint8`` ids, 0 = background."""
        image = cv2.imdecode(np.frombuffer(self.picture, np.uint8), cv2.IMREAD_COLOR)
        labels = cv2.imdecode(np.frombuffer(self.mask, np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None or labels is None or image.shape[:2] != labels.shape:
            raise FastganError("a packed picture cannot be decoded; pack the footage again")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), labels


def encode(image: np.ndarray, labels: np.ndarray, short_side: int, quality: int, video: int = -1) -> Packed:
    """Shrink a picture ``(H, W, 3) uint8 RGB`` and its ids ``(H, W)`` to a shorter side, pixels, and encode both.

    ``quality`` is WebP's, 1 to 100; ids stay exact. Ids beyond 255 become background.
    """
    image, labels = shrunk(image, np.where(labels > 255, 0, labels).astype(np.uint8), short_side)
    picture = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    mask = cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return Packed(picture.tobytes(), mask.tobytes(), video)


def write_pack(folder: Path, name: str, pictures: Iterable[Packed]) -> int:
    """Write a set into ``folder``; returns the number of its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}-???.safetensors"):
        old.unlink()
    waiting, size, files, count = [], 0, 0, 0
    for picture in pictures:
        more = len(picture.picture) + len(picture.mask)
        if waiting and size + more > LARGEST:
            _write(folder / f"{name}-{files:03d}.safetensors", name, waiting)
            waiting, size, files = [], 0, files + 1
        waiting.append(picture)
        size, count = size + more, count + 1
    if waiting:
        _write(folder / f"{name}-{files:03d}.safetensors", name, waiting)
    return count


def _write(path: Path, name: str, pictures: list[Packed]) -> None:
    parts = [part for picture in pictures for part in (picture.picture, picture.mask)]
    data = b"".join(parts)
    tensors = {
        "data": torch.frombuffer(bytearray(data), dtype=torch.uint8),
        "ends": torch.tensor(np.cumsum([len(part) for part in parts])),
        "video": torch.tensor([picture.video for picture in pictures], dtype=torch.int32),
    }
    save_file(tensors, path, {"format": FORMAT, "name": name, "sha256": hashlib.sha256(data).hexdigest()})


def find_packs(folders: Iterable[str | Path]) -> dict[str, list[Path]]:
    """The files of each set in some folders, by the set's name.

    Raises:
        FastganError: there are none.
    """
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("*-???.safetensors")):
            found.setdefault(path.name.rsplit("-", 1)[0], []).append(path)
    if not found:
        names = ", ".join(map(str, folders))
        raise FastganError(f"packs: there are none in {names or 'no folder'}; make them with training/pack.py")
    return found


def read_pack(path: Path) -> tuple[list[Packed], str]:
    """The pictures of one file, and the checksum of its data.

    Raises:
        FastganError: it is missing, damaged or something else.
    """
    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise FastganError(f"{path}: is no pack of footage; make it with training/pack.py")
            checksum = file.metadata()["sha256"]
            data, ends, video = (file.get_tensor(name) for name in ("data", "ends", "video"))
    except (OSError, SafetensorError, KeyError) as error:
        raise FastganError(f"{path}: cannot be read ({error}); pack the footage again") from None
    data = data.tobytes()
    if hashlib.sha256(data).hexdigest() != checksum:
        raise FastganError(f"{path}: is damaged, its checksum is another; copy it again")
    starts = [0, *ends[:-1]]
    parts = [data[a:b] for a, b in zip(starts, ends, strict=True)]
    return [Packed(parts[2 * i], parts[2 * i + 1], int(v)) for i, v in enumerate(video)], checksum


def decoded(pictures: list[Packed], fit, threads: int) -> Iterator:
    """``fit(image, labels)`` of each picture, in order, on several threads."""
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda picture: fit(*picture.load()), pictures)

"""Frames from video files, folders and cameras; overlay videos."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.media.images import IMAGE_SUFFIXES, read_image


class Folder:
    """The images of a folder, sorted by name."""

    fps = 24.0

    def __init__(self, path: Path):
        self.files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not self.files:
            raise FastganError(f"{path}: no {' or '.join(IMAGE_SUFFIXES)} files in this folder")

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        for file in self.files:
            yield file.stem, read_image(file)


class Video:
    """A video file or a camera, decoded by OpenCV. A camera has no length and ends when it is unplugged."""

    def __init__(self, source: Path | int):
        self.source = source
        capture = self._open()
        self.fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
        self._length = 0 if isinstance(source, int) else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(self.source if isinstance(self.source, int) else str(self.source))
        if not capture.isOpened():
            what = f"camera {self.source}" if isinstance(self.source, int) else str(self.source)
            raise FastganError(f"{what}: cannot be opened as a video; check the path, or convert it to MP4 (H.264)")
        return capture

    def __len__(self) -> int:
        return max(0, self._length)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        capture, number = self._open(), 0
        try:
            while True:
                good, bgr = capture.read()
                if not good:
                    break
                yield f"{number:05d}", cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                number += 1
        finally:
            capture.release()
        if number == 0:
            raise FastganError(f"{self.source}: not one frame could be decoded")


def open_source(source: str | int) -> Folder | Video:
    """A video file, a folder of frames, or a camera index (an int, or digits that name no file).

    Returns:
        an iterable of ``(name, frame)``, frame ``(H, W, 3) uint8 RGB``, with ``fps`` and ``len()``
        (0 when unknown). It can be iterated again.
    """
    path = Path(str(source))
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Video(path)
    if str(source).isdecimal():
        return Video(int(source))
    raise FastganError(f"{source}: there is no such file, folder or camera index")


def is_bag(path: str | Path) -> bool:
    """Whether ``path`` looks like a recording of ROS: a folder of rosbag2, one of its files, or a ROS 1 bag."""
    path = Path(path)
    if path.is_dir():
        return (path / "metadata.yaml").exists() or any({".db3", ".mcap"} & set(p.suffixes) for p in path.iterdir())
    return path.is_file() and path.suffix in (".bag", ".db3", ".mcap")


class VideoWriter:
    """An MP4 of RGB frames; sides are cut to even numbers, as the codec wants. Usable with ``with``."""

    def __init__(self, path: str | Path, fps: float = 24.0):
        self.path, self.fps = Path(path), fps
        self._writer: cv2.VideoWriter | None = None
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, rgb: np.ndarray) -> None:
        """Append a frame, ``(H, W, 3) uint8 RGB``; later frames are resized to the first one's size."""
        if self._writer is None:
            self._size = (rgb.shape[1] // 2 * 2, rgb.shape[0] // 2 * 2)
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*"mp4v"), self.fps, self._size)
            if not self._writer.isOpened():
                raise FastganError(f"{self.path}: cannot be written as a video; use a name that ends in .mp4")
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            rgb = rgb[: self._size[1], : self._size[0]]
            if (rgb.shape[1], rgb.shape[0]) != self._size:
                rgb = cv2.resize(rgb, self._size)
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()

"""Streaming inference: a reference once, then a label image for every frame."""

import copy
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.device import DTYPES, choose_device, choose_precision
from fastgan_core.errors import FastganError
from fastgan_core.inputs import check_frame, check_labels, network_size
from fastgan_core.masks import bounding_box
from fastgan_core.model import STRIDE, FaSTGAN
from fastgan_core.objects import Objects, aggregate, mask_scores, winners
from fastgan_core.weights import load_weights


@dataclass(frozen=True)
class TrackedObject:
    """One object in one frame."""

    id: int
    score: float  # mean probability over the object's pixels, 0 to 1; 0 when it has none
    area: int  # pixels of the input image; 0 when lost
    box: tuple[int, int, int, int]  # x, y, width, height in pixels; zeros when lost
    state: str  # "tracked" | "lost"


@dataclass(frozen=True)
class Tracked:
    """The result of one frame."""

    labels: np.ndarray  # (H, W) uint8 (uint16 when an id is over 255), 0 = background; the input's size
    objects: tuple[TrackedObject, ...]
    epoch: int  # the tracker's epoch that it belongs to


class Tracker:
    """Tracks any number of objects through frames of any size.

    All state of a video lives here and none of it grows with the video. Methods may be called
    from several threads. ``epoch`` grows with every edit (reference, removal, reset): a result
    of an older epoch is about objects that are gone.

    Args:
        model: the regressor.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
        size: the network's input has the frame's aspect and the area of a square of this side
            (pixels, a multiple of 32). Larger is more exact and slower.
        max_objects: more ids than this are refused.
    """

    def __init__(
        self,
        model: FaSTGAN,
        device: str = "auto",
        precision: str = "auto",
        size: int = 384,
        max_objects: int = 32,
    ):
        if size % STRIDE or not STRIDE <= size <= 2048:
            raise FastganError(f"size: {size} is not a multiple of {STRIDE} between {STRIDE} and 2048")
        if not 1 <= max_objects <= 255:
            raise FastganError(f"max_objects: {max_objects} is not between 1 and 255")
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self._dtype = DTYPES[self.precision]
        # A copy: the caller's model keeps its device and precision.
        self._model = copy.deepcopy(model).eval().to(self.device, self._dtype, memory_format=torch.channels_last)
        self._side, self.max_objects = size, max_objects
        self.lost_threshold = 0.5
        self.size = (size, size)
        self._objects: Objects | None = None
        self._epoch = self._turn = 0
        self._lock = threading.Lock()

    @classmethod
    def from_weights(
        cls,
        path: str | Path = "",
        device: str = "auto",
        precision: str = "auto",
        size: int = 0,
        max_objects: int = 32,
    ) -> "Tracker":
        """A tracker with the weights of ``path`` ("" = the ones that ship); ``size`` 0 is the weights' own."""
        choose_precision(precision, choose_device(device))  # before seconds are spent on loading
        model, info = load_weights(path)
        return cls(model, device, precision, size or info.input_size, max_objects)

    @property
    def ids(self) -> tuple[int, ...]:
        objects = self._objects
        return objects.ids if objects else ()

    @property
    def epoch(self) -> int:
        return self._epoch

    def device_memory(self) -> int:
        """Bytes that torch holds on the device; 0 on a CPU."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0

    @torch.inference_mode()
    def set_reference(self, frame: np.ndarray, labels: np.ndarray, mode: str = "replace") -> list[int]:
        """Mark objects in a frame.

        Args:
            frame: ``(H, W, 3) uint8 RGB``.
            labels: ``(H, W)`` integer, 0 = background, id (1 to 65535) elsewhere.
            mode: ``replace`` drops all former objects; ``add`` keeps those whose ids are not in ``labels``.

        Returns:
            the ids that were set.

        Raises:
            FastganError: with what to do; the running tracks are untouched.
        """
        check_frame(frame)
        ids = check_labels(labels, frame.shape[:2])
        if mode not in ("replace", "add"):
            raise FastganError(f"mode: '{mode}' is not known; use 'replace' or 'add'")
        with self._lock:
            kept = self._objects.without(ids) if mode == "add" and self._objects else None
            count = len(ids) + (len(kept.ids) if kept else 0)
            if count > self.max_objects:
                raise FastganError(
                    f"{count} objects are more than the {self.max_objects} allowed; mark fewer, remove some, "
                    "or raise max_objects"
                )
            image = self._image(frame)
            size = tuple(image.shape[-2:])
            masks = torch.from_numpy(labels.astype(np.int32)).to(self.device)
            masks = torch.stack([masks == i for i in ids])[:, None].float()
            masks = F.interpolate(masks, size=size, mode="bilinear", antialias=True, align_corners=False)
            masks = masks.to(self._dtype)
            reference = self._model.encode_reference(image, masks)
            memory = self._model.initial_memory(len(ids), size, like=reference)
            usual = masks.float().mean(dim=(1, 2, 3))
            new = Objects(tuple(ids), reference, masks, memory, usual, lost=torch.zeros_like(usual, dtype=torch.bool))
            self._objects = kept.resized(size).joined(new) if kept else new
            self._epoch += 1
        return ids

    @torch.inference_mode()
    def step(self, frame: np.ndarray) -> Tracked:
        """Find all objects in the next frame, ``(H, W, 3) uint8 RGB``."""
        check_frame(frame)
        with self._lock:
            epoch = self._epoch
            if self._objects is None:
                return Tracked(np.zeros(frame.shape[:2], np.uint8), (), epoch)
            image = self._image(frame)
            self._turn += 1
            objects = self._objects.resized(tuple(image.shape[-2:])).searching(self._turn)
            logits, memory = self._model(image, objects.previous, objects.reference, objects.memory)
            masks = aggregate(logits.float())
            scores, shares = mask_scores(masks)
            self._objects = objects.advanced(masks, memory, scores, shares, self.lost_threshold)
            scores, found = scores.tolist(), (~self._objects.lost).nonzero().flatten().tolist()
            labels = self._labels(masks, found, objects.ids, frame.shape[:2])
        return Tracked(labels, describe(labels, objects.ids, scores, found), epoch)

    def remove(self, ids) -> list[int]:
        """Forget objects. Raises FastganError, and removes nothing, when an id is not tracked."""
        ids = [int(i) for i in ids]
        with self._lock:
            unknown = [i for i in ids if i not in self.ids]
            if unknown:
                raise FastganError(f"ids {unknown} are not tracked; tracked are {list(self.ids)}")
            if ids:
                self._objects = self._objects.without(ids)
                self._epoch += 1
        return ids

    def reset(self) -> None:
        """Forget all objects."""
        with self._lock:
            self._objects = None
            self._epoch += 1

    def _image(self, frame: np.ndarray) -> torch.Tensor:
        """The frame at the network's size on the device, ``(1, 3, h, w)`` in [0, 1]."""
        self.size = network_size(frame.shape[:2], self._side)
        image = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1)[None]
        if self.device.type != "cpu":  # the CPU resizes bytes, and faster than floats
            image = image.float()
        image = F.interpolate(image, size=self.size, mode="bilinear", antialias=True, align_corners=False)
        return image.float().div(255).to(self._dtype).contiguous(memory_format=torch.channels_last)

    def _labels(self, masks: torch.Tensor, found: list[int], ids: tuple[int, ...], size) -> np.ndarray:
        """Label image at the frame's size; soft masks are enlarged before the decision, for smooth contours."""
        kind = np.uint8 if max(ids) < 256 else np.uint16
        if not found:
            return np.zeros(size, kind)
        masks = F.interpolate(masks[found], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
        index, inside = winners(masks)
        table = torch.tensor([ids[n] for n in found], dtype=torch.int32, device=masks.device)
        return torch.where(inside, table[index], 0).cpu().numpy().astype(kind)


def describe(labels: np.ndarray, ids: tuple[int, ...], scores: list[float], found: list[int]) -> tuple:
    """A :class:`TrackedObject` per id, measured on the label image at the frame's size."""
    result = []
    for n, number in enumerate(ids):
        mask = labels == number if n in found else None
        area = int(np.count_nonzero(mask)) if mask is not None else 0
        box = tuple(int(v) for v in bounding_box(mask)) if area else (0, 0, 0, 0)
        result.append(TrackedObject(number, float(scores[n]), area, box, "tracked" if area else "lost"))
    return tuple(result)

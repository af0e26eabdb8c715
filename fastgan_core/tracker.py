"""Streaming inference: a reference once, then a label image for every frame."""

import copy
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.backends import TorchNetwork, open_network
from fastgan_core.device import price
from fastgan_core.errors import FastganError
from fastgan_core.graphs import LARGEST, Graphs
from fastgan_core.inputs import check_frame, check_labels, network_size
from fastgan_core.model import STRIDE, FaSTGAN
from fastgan_core.objects import Objects
from fastgan_core.step import advance, device_labels, host_labels, to_image
from fastgan_core.tracked import Tracked, describe
from fastgan_core.transfer import Transfer


@dataclass(frozen=True)
class Small:
    """A frame as the network sees it, on the device; made by :meth:`Tracker.shrink`."""

    pixels: torch.Tensor  # (h, w, 3) uint8 RGB
    size: tuple[int, int]  # (H, W) of the camera's frame, and of the label images that belong to it


class Tracker:
    """Tracks any number of objects through frames of any size.

    All state of a video lives here and none of it grows with the video. Methods may be called
    from several threads. ``epoch`` grows with every edit (reference, removal, reset): a result
    of an older epoch is about objects that are gone.

    Args:
        model: the regressor, or a network of :mod:`fastgan_core.backends`, which has its own device and precision.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
        size: the network's input has the frame's aspect and the area of a square of this side
            (pixels, a multiple of 32). Larger is more exact and slower.
        max_objects: more ids than this are refused.
        graphs: whether to use CUDA graphs on a GPU.
    """

    def __init__(
        self,
        model,
        device: str = "auto",
        precision: str = "auto",
        size: int = 384,
        max_objects: int = 32,
        graphs: bool = True,
    ):
        if size % STRIDE or not STRIDE <= size <= 2048:
            raise FastganError(f"size: {size} is not a multiple of {STRIDE} between {STRIDE} and 2048")
        if not 1 <= max_objects <= 255:
            raise FastganError(f"max_objects: {max_objects} is not between 1 and 255")
        self._network = TorchNetwork(model, device, precision) if isinstance(model, FaSTGAN) else model
        self.device, self.precision = self._network.device, self._network.precision
        self.backend = self._network.name
        self._side, self.max_objects = size, max_objects
        self.lost_threshold = 0.25
        self.size = (size, size)
        self._objects: Objects | None = None
        self._epoch = 0
        self._lock = threading.Lock()
        self._uploading = threading.Lock()
        self._transfer = Transfer(self.device)
        on_gpu = self.device.type == "cuda" and self.backend == "torch"
        self._graphs = Graphs(self._network) if on_gpu and graphs else None
        self._prepared: set[tuple] = set()  # what _prepare() was done for

    @classmethod
    def from_weights(
        cls,
        path: str | Path = "",
        device: str = "auto",
        precision: str = "auto",
        size: int = 0,
        max_objects: int = 32,
        backend: str = "auto",
    ) -> "Tracker":
        """A tracker with the weights of ``path`` ("" = the ones that ship); ``size`` 0 is the weights' own.

        ``backend`` is one of :data:`fastgan_core.backends.BACKENDS`; ``auto`` goes by the file's name.
        """
        network, info = open_network(path, backend, device, precision)
        return cls(network, size=size or info.input_size, max_objects=max_objects)

    @property
    def ids(self) -> tuple[int, ...]:
        objects = self._objects
        return objects.ids if objects else ()

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def price(self) -> str:
        """What the precision that was asked for costs on this device, in a sentence; "" when it is none to regret."""
        return price(self.precision, self.device)

    def device_memory(self) -> int:
        """Bytes that torch holds on the device, those that graphs work in included; 0 on a CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == "cuda" else 0

    @torch.inference_mode()
    def shrink(self, frame: "np.ndarray | Small") -> Small:
        """A frame ``(H, W, 3) uint8 RGB`` at the network's size. Does not wait for a step that is under way."""
        if isinstance(frame, Small):
            return frame
        check_frame(frame)
        with self._uploading:
            self.size = network_size(frame.shape[:2], self._side)
            image = self._transfer.up(frame).permute(2, 0, 1)[None]
            if self.device.type != "cpu":  # the CPU resizes bytes, and faster than floats
                image = image.float()
            image = F.interpolate(image, size=self.size, mode="bilinear", antialias=True, align_corners=False)
            if image.is_floating_point():
                image = image.round().to(torch.uint8)
                torch.cuda.current_stream(self.device).synchronize()  # the pinned memory is free again
        return Small(image[0].permute(1, 2, 0), tuple(frame.shape[:2]))

    @torch.inference_mode()
    def warm_up(self, size: tuple[int, int] = (480, 640)) -> None:
        """Do now what would make the first frame slow: kernels are chosen, a runtime compiles.

        Args:
            size: ``(H, W)`` of the frames that are expected. Those of another aspect, and CUDA graphs, take their
                time with the first such frame, if there are no objects yet.
        """
        small = self.shrink(np.zeros((*size, 3), np.uint8))
        with self._lock:
            if self._graphs is None:
                self._prepare(small, None)
            else:  # a graph of a size that may never come would keep its memory
                advance(self._network, small.pixels, self._stand_in(small.pixels), self.lost_threshold)

    @torch.inference_mode()
    def set_reference(self, frame: "np.ndarray | Small", labels: np.ndarray, mode: str = "replace") -> list[int]:
        """Mark objects in a frame.

        Args:
            frame: ``(H, W, 3) uint8 RGB``, or the result of :meth:`shrink`.
            labels: ``(H, W)`` integer, 0 = background, id (1 to 65535) elsewhere.
            mode: ``replace`` drops all former objects; ``add`` keeps those whose ids are not in ``labels``.

        Returns:
            the ids that were set.

        Raises:
            FastganError: with what to do; the running tracks are untouched.
        """
        small = self.shrink(frame)
        ids = check_labels(labels, small.size)
        if mode not in ("replace", "add"):
            raise FastganError(f"mode: '{mode}' is not known; use 'replace' or 'add'")
        with self._lock:
            self.check_room(ids, mode)
            kept = self._objects.without(ids) if mode == "add" and self._objects else None
            size = tuple(small.pixels.shape[:2])
            masks = torch.from_numpy(labels.astype(np.int32)).to(self.device)
            masks = torch.stack([masks == i for i in ids])[:, None].float()
            masks = F.interpolate(masks, size=size, mode="bilinear", antialias=True, align_corners=False)
            masks = masks.to(self._network.dtype)
            reference = self._network.encode_reference(to_image(small.pixels, masks.dtype), masks)
            new = Objects.new(ids, small.pixels, reference, masks, self._network.initial_memory(len(ids), size))
            objects = kept.resized(size).joined(new) if kept else new
            self._prepare(small, objects)  # before they are taken over: the memory may not suffice
            self._objects = objects
            self._epoch += 1
        return ids

    @torch.inference_mode()
    def step(self, frame: "np.ndarray | Small") -> Tracked:
        """Find all objects in the next frame, ``(H, W, 3) uint8 RGB`` or the result of :meth:`shrink`."""
        small = self.shrink(frame)
        with self._lock:
            epoch = self._epoch
            if self._objects is None:
                self._prepare(small, None)
                return Tracked(np.zeros(small.size, np.uint8), (), epoch)
            self._objects, labels, scores, found = self._run(small, self._objects)
            ids = self._objects.ids
        return Tracked(labels, describe(labels, ids, scores, found), epoch)

    def branch(self) -> "Tracker":
        """A tracker without objects on the same network; the two take turns on the device, step by step."""
        other = copy.copy(self)
        other._objects = None
        other._graphs = None  # a graph holds the state of one tracker
        return other

    @torch.inference_mode()
    def adopt(self, branch: "Tracker", frame: "np.ndarray | Small", mode: str, epoch: int) -> list[int]:
        """Take over the objects of a :meth:`branch` in the state that they are in.

        Args:
            frame: one as the next ones will be, so that the next step is not slow. mode: as of the reference.
            epoch: of this tracker when the two parted.

        Raises:
            FastganError: objects were set, removed or reset since ``epoch``; nothing is taken over then.
        """
        small = self.shrink(frame)
        with self._lock:
            if self._epoch != epoch:
                raise FastganError(
                    "The objects were changed by another request while this one caught up with the camera, and that "
                    "one stands; send this one again if it still applies."
                )
            new = branch._objects
            self.check_room(new.ids, mode)
            kept = self._objects.without(new.ids) if mode == "add" and self._objects else None
            objects = kept.resized(tuple(new.previous.shape[-2:])).joined(new) if kept else new
            self._prepare(small, objects)
            self._objects = objects
            self._epoch += 1
        return list(new.ids)

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

    def check_room(self, ids, mode: str) -> None:
        """Raise FastganError when ``ids``, set with ``mode``, would be more objects than are allowed."""
        count = len(set(ids) | set(self.ids)) if mode == "add" else len(ids)
        if count > self.max_objects:
            raise FastganError(
                f"{count} objects are more than the {self.max_objects} allowed; mark fewer, remove some, "
                "or raise max_objects"
            )

    def _run(self, frame: Small, objects: Objects) -> tuple[Objects, np.ndarray, list[float], list[int]]:
        """The state after a frame, its label image ``(H, W)``, scores, and the rows that are not lost."""
        small, size = frame.pixels, frame.size
        objects = objects.resized(tuple(small.shape[:2]))
        wide = max(objects.ids) > 255
        kind = torch.int32 if wide else torch.uint8
        if self.device.type == "cpu":
            objects, masks, scores = advance(self._network, small, objects, self.lost_threshold)
            found = (~objects.lost).nonzero().flatten().tolist()
            return objects, host_labels(masks.numpy(), found, objects.ids, size), scores.tolist(), found
        result = None
        if self._graphs is not None and self._graphs.usable:
            result = self._graphs(small, objects, self.lost_threshold, size, kind)
        if result is None:
            objects, masks, scores = advance(self._network, small, objects, self.lost_threshold)
            ids = torch.tensor(objects.ids, dtype=kind, device=self.device)
            labels = device_labels(masks, objects.lost, ids, size)
            result = objects, labels, torch.stack([scores, objects.lost.to(scores.dtype)])
        objects, *results = result
        labels, (scores, lost) = self._transfer.down(*results)
        labels = labels.astype(np.uint16) if wide else labels
        return objects, labels, scores.tolist(), np.flatnonzero(lost == 0).tolist()

    def _prepare(self, frame: Small, objects: Objects | None) -> None:
        """Run what the next frame needs, so that that one is not slow; no state changes.

        Once there are objects only graphs are worth it: their reference has chosen and compiled the rest.
        """
        if self._graphs is None and objects is not None:
            return
        ids = objects.ids if objects else (1,)  # where there are none yet, as if one were set
        # Only graphs hold the label image, whose size is the camera's.
        size = frame.size if self._graphs is not None else None
        wanted = (len(ids), max(ids) > 255, tuple(frame.pixels.shape), size)
        if wanted in self._prepared:
            return
        self._run(frame, objects or self._stand_in(frame.pixels))
        if len(self._prepared) >= LARGEST:  # as many as there are graphs
            self._prepared.clear()
        self._prepared.add(wanted)

    def _stand_in(self, small: torch.Tensor) -> Objects:
        """State of an object that is nowhere, to run the network with."""
        size = tuple(small.shape[:2])
        mask = torch.zeros(1, 1, *size, dtype=self._network.dtype, device=self.device)
        reference = self._network.encode_reference(to_image(small, mask.dtype), mask)
        return Objects.new((1,), small, reference, mask, self._network.initial_memory(1, size))

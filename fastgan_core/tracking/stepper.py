"""How frames are run on a device: uploads, CUDA graphs, label images."""

import threading
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.errors import FastganError
from fastgan_core.labels import check_frame
from fastgan_core.model import STRIDE
from fastgan_core.running.device import price
from fastgan_core.running.transfer import Transfer
from fastgan_core.tracking.graphs import LARGEST, Graphs
from fastgan_core.tracking.network import Network
from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.step import advance, device_labels, host_labels, to_image


@dataclass(frozen=True)
class Small:
    """A frame as the network sees it, on the device; made by :meth:`Tracker.shrink`."""

    pixels: torch.Tensor  # (h, w, 3) uint8 RGB
    size: tuple[int, int]  # (H, W) of the camera's frame, and of the label images that belong to it


class Stepper:
    """Runs a network over frames. It holds no objects: a state comes in and the next one goes out.

    Args:
        size, graphs: as of :class:`fastgan_core.tracking.tracker.Tracker`.
    """

    def __init__(self, network: Network, size: int, graphs: bool):
        if size % STRIDE or not STRIDE <= size <= 2048:
            raise FastganError(f"size: {size} is not a multiple of {STRIDE} between {STRIDE} and 2048")
        self._network = network
        self.device, self.precision, self.backend = network.device, network.precision, network.name
        self._side, self.size = size, (size, size)
        self.lost_threshold = 0.25
        self._lock = threading.Lock()
        self._uploading = threading.Lock()
        self._transfer = Transfer(self.device)
        on_gpu = self.device.type == "cuda" and self.backend == "torch"
        self._graphs = Graphs(network) if on_gpu and graphs else None
        self._prepared: set[tuple] = set()  # what _prepare() was done for

    @property
    def price(self) -> str:
        """What the precision that was asked for costs on this device, in a sentence; "" when it is none to regret."""
        return price(self.precision, self.device)

    @torch.inference_mode()
    def shrink(self, frame: "np.ndarray | Small") -> Small:
        """A frame ``(H, W, 3) uint8 RGB`` at the network's size.

        Waits for no step that is under way on a CPU; on a GPU for the work that was queued there before.
        """
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

    def device_memory(self) -> int:
        """Bytes that torch holds on the device, those that graphs work in included; 0 on a CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == "cuda" else 0

    def _run(self, frame: Small, objects: Objects) -> tuple[Objects, np.ndarray, list[float], list[int]]:
        """The state after a frame, its label image ``(H, W)``, scores, and the rows that are not lost."""
        small, size = frame.pixels, frame.size
        objects = objects.resized(tuple(small.shape[:2]))
        wide = max(objects.ids) > 255
        kind = torch.int32 if wide else torch.uint8
        if self.device.type == "cpu":
            objects, logits, scores = advance(self._network, small, objects, self.lost_threshold)
            found = (~objects.lost).nonzero().flatten().tolist()
            return objects, host_labels(logits.numpy(), found, objects.ids, size), scores.tolist(), found
        result = None
        if self._graphs is not None and self._graphs.usable:
            result = self._graphs(small, objects, self.lost_threshold, size, kind)
        if result is None:
            objects, logits, scores = advance(self._network, small, objects, self.lost_threshold)
            ids = torch.tensor(objects.ids, dtype=kind, device=self.device)
            labels = device_labels(logits, objects.lost, ids, size)
            result = objects, labels, torch.stack([scores, objects.lost.to(scores.dtype)])
        objects, *results = result
        labels, (scores, lost) = self._transfer.down(*results)
        labels = labels.astype(np.uint16) if wide else labels
        return objects, labels, scores.tolist(), np.flatnonzero(lost == 0).tolist()

    def _prepare(self, frame: Small, objects: Objects | None) -> None:
        """Run what the next frame needs, so that that one is not slow; no state changes.

        Once there are objects only graphs are worth it: what else is compiled, :meth:`Tracker.set_reference` had made.
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

    def _marked(self, small: torch.Tensor, ids, masks: torch.Tensor, known: Objects | None = None) -> Objects:
        """Objects in their reference frame ``small (h, w, 3) uint8``, ``masks (N, 1, h, w)`` in [0, 1].

        ``known``: the same objects, where this is not their first reference.
        """
        masks = masks.to(self._network.dtype)
        image = to_image(small, masks.dtype)
        if known:
            return known.seen_again(small, masks, *self._network.add_view(image, masks, known.state))
        return Objects.new(ids, small, masks, *self._network.start(image, masks))

    def _stand_in(self, small: torch.Tensor) -> Objects:
        """State of an object that is nowhere, to run the network with."""
        return self._marked(small, (1,), torch.zeros(1, 1, *small.shape[:2], device=self.device))


def network_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """``(h, w)``, multiples of 32 with about the frame's aspect and the area of a square of ``side``."""
    height, width = size
    ratio = (height / width) ** 0.5
    # The short side cannot go under 32, so without a limit a line of a million pixels would become a huge input.
    longest = max(STRIDE, side * side // STRIDE // STRIDE * STRIDE)
    sides = (round(side * factor / STRIDE) * STRIDE for factor in (ratio, 1 / ratio))
    return tuple(min(max(STRIDE, length), longest) for length in sides)

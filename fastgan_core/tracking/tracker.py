"""Streaming inference: a reference once, then a label image for every frame."""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.errors import FastganError
from fastgan_core.labels import check_labels
from fastgan_core.tracked import NOT_TRACKED, Tracked, describe
from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.opening import open_network, runnable
from fastgan_core.tracking.stepper import Small, Stepper

MODES = "replace", "add", "more"  # of a reference


class Tracker(Stepper):
    """Tracks any number of objects through frames of any size.

    All state of a video lives here and none of it grows with the video. Methods may be called
    from several threads. ``epoch`` grows with every edit (reference, removal, reset): a result
    of an older epoch is about objects that are gone.

    Args:
        model: one of :mod:`fastgan_core.model`, or a network that :mod:`.opening` made, which has its own device and
            precision.
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
        if not 1 <= max_objects <= 255:
            raise FastganError(f"max_objects: {max_objects} is not between 1 and 255")
        if isinstance(model, torch.nn.Module):
            model = runnable(model, model.variant, "torch", device, precision)
        super().__init__(model, size, graphs)
        self.max_objects = max_objects
        self._objects: Objects | None = None
        self._epoch = 0

    @classmethod
    def from_weights(
        cls,
        path: str | Path = "",
        device: str = "auto",
        precision: str = "auto",
        size: int = 0,
        max_objects: int = 32,
        backend: str = "auto",
        large: bool = False,
    ) -> "Tracker":
        """A tracker with the weights of ``path`` ("" = the ones that ship); ``size`` 0 is the weights' own.

        Those have two, the larger of which is taken on a GPU, and anywhere with ``large``. ``backend`` is one of
        :data:`fastgan_core.running.choices.BACKENDS`; ``auto`` goes by the file's name.
        """
        opened, info = open_network(path, backend, device, precision)
        own = info.large_size if large else info.size_on(opened.device)
        return cls(opened, size=size or own, max_objects=max_objects)

    @property
    def ids(self) -> tuple[int, ...]:
        objects = self._objects
        return objects.ids if objects else ()

    @property
    def epoch(self) -> int:
        return self._epoch

    @torch.inference_mode()
    def set_reference(self, frame: "np.ndarray | Small", labels: np.ndarray, mode: str = "replace") -> list[int]:
        """Mark objects in a frame.

        Args:
            frame: ``(H, W, 3) uint8 RGB``, or the result of :meth:`shrink`.
            labels: ``(H, W)`` integer, 0 = background, id (1 to 65535) elsewhere.
            mode: ``replace`` drops all former objects; ``add`` keeps those whose ids are not in ``labels``; ``more``
                gives objects that are tracked another view, from which they are followed on: their first references
                stay, and those of the views that were added later until there are more than :data:`.network.VIEWS`.

        Returns:
            the ids that were set.

        Raises:
            FastganError: with what to do; the running tracks are untouched.
        """
        small = self.shrink(frame)
        ids = check_labels(labels, small.size)
        if mode not in MODES:
            raise FastganError(f"mode: '{mode}' is not known; use {', '.join(map(repr, MODES))}")
        size = tuple(small.pixels.shape[:2])
        self.check_room(ids, mode)  # before anything is compiled for it
        self._network.prepare(len(ids), size)
        self._expect(ids, mode, size)
        with self._lock:
            self.check_room(ids, mode)
            masks = torch.from_numpy(labels.astype(np.int32)).to(self.device)
            masks = torch.stack([masks == i for i in ids])[:, None].float()
            masks = F.interpolate(masks, size=size, mode="bilinear", antialias=True, align_corners=False)
            known = self._objects.only(ids).resized(size) if mode == "more" else None
            self._take(small, self._marked(small.pixels, ids, masks, known), mode)
        return ids

    def _expect(self, ids, mode: str, size: tuple[int, int]) -> None:
        """Have compiled what a step needs once ``ids`` are set. Not while the lock is held: frames go on meanwhile."""
        self._network.prepare(len(ids) if mode == "replace" else len({*ids, *self.ids}), size)

    def _take(self, frame: Small, new: Objects, mode: str) -> None:
        """Have new objects in the place of all, or of those with their ids."""
        kept = self._objects.without(new.ids) if mode != "replace" and self._objects else None
        objects = kept.resized(new.size).joined(new) if kept else new
        self._prepare(frame, objects)  # before they are taken over: the memory may not suffice
        self._objects = objects
        self._epoch += 1

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

    def branch(self, ids=()) -> "Tracker":
        """A tracker with some of the objects on the same network; the two take turns on the device, step by step."""
        other = copy.copy(self)
        with self._lock:
            other._objects = self._objects.only(ids) if ids else None
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
        self._expect(branch.ids, mode, branch._objects.size)
        with self._lock:
            if self._epoch != epoch:
                raise FastganError(
                    "The objects were changed by another request while this one caught up with the camera, and that "
                    "one stands; send this one again if it still applies."
                )
            new = branch._objects
            self.check_room(new.ids, mode)
            self._take(small, new, mode)
        return list(new.ids)

    def remove(self, ids) -> list[int]:
        """Forget objects. Raises FastganError, and removes nothing, when an id is not tracked."""
        ids = [int(i) for i in ids]
        objects = self._objects
        left = set(objects.ids).difference(ids) if objects else ()
        if left:
            self._network.prepare(len(left), objects.size)
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
        """Raise FastganError when ``ids`` cannot be set with ``mode``: too many objects, or a view of none."""
        if mode == "more" and (unknown := [i for i in ids if i not in self.ids]):
            raise FastganError(
                f"{NOT_TRACKED}: ids {unknown} are not tracked, tracked are {list(self.ids)}. Use the mode add for new "
                "objects"
            )
        count = len(set(ids) | set(self.ids)) if mode != "replace" else len(ids)
        if count > self.max_objects:
            raise FastganError(
                f"{count} objects are more than the {self.max_objects} allowed; mark fewer, remove some, "
                "or raise max_objects"
            )

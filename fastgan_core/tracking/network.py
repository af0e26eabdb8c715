"""What the tracker asks of a network, whichever it is and whatever runs it."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from fastgan_core.errors import FastganError
from fastgan_core.tracked import ONE_VIEW

VIEWS = 4  # of an object, at most: its reference and those that were added later


def fit(x: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
    """A part of a state, ``(N, C, ...)`` at 1/``stride`` of the network's input, for an input of another ``(h, w)``."""
    there = size[0] // stride, size[1] // stride
    return F.interpolate(x, size=there, mode="bilinear", align_corners=False)


class Verdict(NamedTuple):
    """What the tracker makes of the masks of a frame, ``(N,) bool`` each."""

    lost: torch.Tensor
    promising: torch.Tensor  # lost, but the mask may be the object's
    sure: torch.Tensor  # not lost, and beyond doubt


class Network(ABC):
    """A network with what it keeps of each object: an opaque state.

    A state is a named tuple of tensors with a row for each object, whose size does not depend on how long a video is,
    and has ``resized((h, w))``, the state of the same objects at another size of the network's input. Nothing here
    waits for the device or branches on what is in a tensor: CUDA graphs capture it.

    Args:
        runner: what runs it, see :mod:`fastgan_core.running.backends`.
    """

    # Scores from which on a lost object is found, and one that is followed is surely seen, and the weight of a frame in
    # what is known of an object lately (evidence.py). These are for a network of which colours alone are checked.
    regained, sure, follows = 0.8, 0.8, 0.0

    def __init__(self, runner):
        self.runner = runner
        self.name, self.variant = runner.name, runner.variant
        self.device, self.dtype, self.precision = runner.device, runner.dtype, runner.precision

    def prepare(self, count: int, size: tuple[int, int]) -> None:
        """Do now what would make the first step with so many objects slow, at an input of ``(h, w)``."""
        if prepare := getattr(self.runner, "prepare", None):
            prepare(count, size)

    @abstractmethod
    def start(self, image: torch.Tensor, masks: torch.Tensor) -> Any:
        """The state of objects in their reference frame.

        Args:
            image: ``(1, 3, h, w)`` in [0, 1], h and w multiples of 32. masks: ``(N, 1, h, w)`` in [0, 1].
        """

    def add_view(self, image: torch.Tensor, masks: torch.Tensor, state: Any) -> Any:
        """The state of the same objects after each was marked once more, in another frame.

        Args:
            image, masks: as of :meth:`start`. state: of these objects, at the size of the masks.

        Raises:
            FastganError: the network remembers one view of an object alone.
        """
        raise FastganError(
            f"{ONE_VIEW}: {self.variant} has one reference of each. Use the mode add, which puts the new one in the "
            "place of the old, or the network lite"
        )

    @abstractmethod
    def step(self, image: torch.Tensor, state: Any, lost: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Look at the next frame.

        Args:
            image: ``(1, 3, h, w)`` in [0, 1]. lost: ``(N,) bool``, objects that take nothing from the others.

        Returns:
            logits ``(N, 1, h, w)``, each object on its own, and what :meth:`keep` needs of the frame.
        """

    def resemblance(self, state: Any, seen: Any, pixels: torch.Tensor) -> torch.Tensor:
        """How much what masks cover is like the objects where they were marked, in the network's own features.

        Args:
            state, seen: what was given to :meth:`step`, and its second result.
            pixels: ``(N, 1, h, w)``, 1 where an object is, else 0.

        Returns:
            ``(N,)`` from 0 to 1, NaN where there is nothing to tell it by: a network without features of the frame.
        """
        return torch.full_like(pixels[:, 0, 0, 0], torch.nan)

    @abstractmethod
    def keep(self, state: Any, seen: Any, masks: torch.Tensor, verdict: Verdict) -> Any:
        """The state after a frame.

        Args:
            state, seen: what was given to :meth:`step`, and its second result.
            masks: ``(N, 1, h, w) float32`` in [0, 1], overlaps resolved.
        """

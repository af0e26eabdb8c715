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


class Trust(NamedTuple):
    """How a network's scores are taken."""

    regained: float  # score from which on a lost object is found
    sure: float  # score from which on one that is followed is surely seen
    follows: float  # weight of a frame in what is known of an object lately, see evidence.py


class Network(ABC):
    """A network with what it keeps of each object: an opaque state.

    A state is a named tuple of tensors with a row for each object, whose size does not depend on how long a video is,
    and has ``resized((h, w))``, the state of the same objects at another size of the network's input. Nothing here
    waits for the device or branches on what is in a tensor: CUDA graphs capture it.

    Args:
        runner: what runs it, see :mod:`fastgan_core.running.backends`.
    """

    trust = Trust(regained=0.8, sure=0.8, follows=0.0)  # for a network of which colours alone are checked

    def __init__(self, runner):
        self.runner = runner
        self.name, self.variant = runner.name, runner.variant
        self.device, self.dtype, self.precision = runner.device, runner.dtype, runner.precision

    def prepare(self, count: int, size: tuple[int, int]) -> None:
        """Do now what would make the first step with so many objects slow, at an input of ``(h, w)``."""
        if prepare := getattr(self.runner, "prepare", None):
            prepare(count, size)

    @abstractmethod
    def start(self, image: torch.Tensor, masks: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """The state of objects in their reference frame, and their features there.

        Args:
            image: ``(1, 3, h, w)`` in [0, 1], h and w multiples of 32. masks: ``(N, 1, h, w)`` in [0, 1].

        Returns:
            the state, and as :meth:`features`.
        """

    def add_view(self, image: torch.Tensor, masks: torch.Tensor, state: Any) -> tuple[Any, torch.Tensor]:
        """The state of the same objects after each was marked once more, in another frame, and their features there.

        Args:
            image, masks: as of :meth:`start`. state: of these objects, at the size of the masks.

        Returns:
            as of :meth:`start`.

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
            logits of each object on its own, ``(N, 1, ...)`` at the input's resolution or a coarser one, and what
            :meth:`keep` needs of the frame.
        """

    def features(self, seen: Any, pixels: torch.Tensor) -> torch.Tensor:
        """What objects are told apart by, in the network's own features of the frame.

        Args:
            seen: second result of :meth:`step`. pixels: weight of each pixel, ``(N, 1, ...)`` at the resolution of
                the input or of the logits.

        Returns:
            ``(N, C) float32`` as of :func:`.evidence.embedding`; C is 0 for a network that has no such features.
        """
        return pixels.new_zeros(len(pixels), 0)

    @abstractmethod
    def keep(self, state: Any, seen: Any, masks: torch.Tensor, verdict: Verdict) -> Any:
        """The state after a frame.

        Args:
            state, seen: what was given to :meth:`step`, and its second result.
            masks: as the logits of :meth:`step`, float32 in [0, 1], overlaps resolved.
        """

"""Clips that loader processes compose on the CPU, in batches of the kind that is drawn on the device."""

import dataclasses

import cv2
import torch

from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.composing import ClipOptions
from fastgan_core.data.footage import Footage
from fastgan_core.data.loader import load_clips, on_device
from fastgan_core.data.synthesis import Clips
from fastgan_core.training.lite.recipe import Stretch

ENDLESS = 10**9  # clips; a run ends by its minutes


class Composed:
    """Batches for a stretch, with one object a clip or two.

    Args:
        weights: of the sets of stills; what is not named has 1.
        seed: two with the same give the same clips.
        workers: loader processes; 0 = clips are composed when they are asked for.
    """

    def __init__(
        self,
        footage: Footage,
        options: ClipOptions,
        weights: dict[str, float],
        stretch: Stretch,
        seed: int,
        workers: int,
        device: torch.device,
    ):
        cv2.setNumThreads(1)  # the loader processes inherit it; there are as many of them as a recipe wants
        options = dataclasses.replace(options, video_share=stretch.video)
        stills = [(pictures, weights.get(name, 1.0)) for name, pictures in footage.stills.items()]
        size, frames, objects = stretch.size, stretch.frames, stretch.objects
        clips = ClipDataset(footage.videos, stills, size, frames, ENDLESS, options, seed, objects)
        pinned = device.type == "cuda"
        self._batches = load_clips(clips, range(ENDLESS), stretch.clips, workers, pinned)
        self._device = device

    def take(self) -> Clips:
        """The next batch."""
        return as_clips(on_device(next(self._batches), self._device))


def as_clips(batch: dict[str, torch.Tensor]) -> Clips:
    """A batch of :class:`ClipDataset`, once it is on the device, as the clips that `lite` is unrolled over."""
    return Clips(batch["frames"], batch["masks"], batch["there"])

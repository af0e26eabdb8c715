"""Training clips: K frames of one object or two, a reference of it, and the mask to start from."""

import sys

import numpy as np
import torch
from torch.utils.data import Dataset

from fastgan_core.data import augment
from fastgan_core.data.composing import PREVIOUS, REFERENCE, ClipOptions, Composer, Layers
from fastgan_core.data.folders import Pair, Sequence
from fastgan_core.errors import FastganError

LEAST = 0.003  # share of the reference that a second object covers


class ClipDataset(Dataset):
    """Clips from videos and from stills, see :mod:`fastgan_core.data.composing`.

    Args:
        sequences: annotated videos; may be empty.
        stills: ``(pairs, weight)`` for each set of stills; may be empty.
        size: side of the clips, pixels.
        frames: K, target frames per clip.
        length: clips per epoch; clip ``i`` depends on ``(seed, i)`` alone, so a run can resume anywhere.
        objects: O, 1 or 2; the second is the one that passes behind the first, where there is one.
    """

    def __init__(
        self,
        sequences: list[Sequence],
        stills: list[tuple[list[Pair], float]],
        size: int,
        frames: int,
        length: int,
        options: ClipOptions,
        seed: int = 0,
        objects: int = 1,
    ):
        self.options, self.length, self.seed, self.objects = options, length, seed, objects
        self._composer = Composer(sequences, stills, size, frames + 2, options)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """
        Returns:
            frames ``(K + 1, 3, S, S) uint8`` and masks ``(K + 1, O, S, S) float 0 or 1``, the
            reference first; previous ``(O, S, S) float in [0, 1]``, the masks before the first target;
            there ``(O,) bool``, whether there is such an object; seed, for what is random about the
            clip later; skipped, how many draws met a broken file.

        Raises:
            FastganError: a file is missing or broken, and ``skip_broken`` is not set.
        """
        for skipped in range(100):
            rng = np.random.default_rng((self.seed, index, skipped) if skipped else (self.seed, index))
            try:
                clip = self._tensors(rng, self._composer.compose(rng))
            except FastganError as error:
                if not self.options.skip_broken:
                    raise
                print(f"skipped: {error}", file=sys.stderr, flush=True)
            else:
                return clip | {"seed": int(rng.integers(2**62)), "skipped": skipped}
        raise FastganError("a hundred draws in a row met broken files; fetch the data set again")

    def _tensors(self, rng: np.random.Generator, clip: Layers) -> dict[str, torch.Tensor]:
        masks = [clip.masks]
        if self.objects > 1:
            masks.append(clip.rival or [np.zeros_like(mask) for mask in clip.masks])
        previous = [one[PREVIOUS] for one in masks]
        for number, mask in enumerate(previous):
            if rng.random() < self.options.rough:
                previous[number] = augment.rough_mask(rng, mask)
        # As at test time, where tracking starts in the reference frame.
        if rng.random() < self.options.start_at_reference and clip.masks[PREVIOUS].any():
            for layer in (clip.frames, *masks):
                layer[REFERENCE] = layer[PREVIOUS]
        frames = clip.frames
        if self.options.colour:
            colour = augment.Colour(rng, self.options.colour)
            frames = augment.camera_defects(rng, [colour(f) for f in frames])
        for layer in (frames, *masks):
            del layer[PREVIOUS]
        marked = torch.from_numpy(np.stack([np.stack(one) for one in masks], axis=1) > 0.5)
        there = marked[REFERENCE].float().mean(dim=(1, 2)) > LEAST
        there[0] = True  # the reference that a clip is about
        return {
            "frames": torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous(),
            "masks": (marked & there[:, None, None]).float(),
            "previous": torch.from_numpy(np.stack(previous).astype(np.float32)) * there[:, None, None],
            "there": there,
        }

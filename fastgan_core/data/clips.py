"""Training clips: K frames of one object, a reference of it, and the mask to start from."""

import sys

import numpy as np
import torch
from torch.utils.data import Dataset

from fastgan_core.data import augment
from fastgan_core.data.composing import PREVIOUS, REFERENCE, ClipOptions, Composer, Layers
from fastgan_core.data.folders import Pair, Sequence
from fastgan_core.errors import FastganError


class ClipDataset(Dataset):
    """Clips from videos and from stills, see :mod:`fastgan_core.data.composing`.

    Args:
        sequences: annotated videos; may be empty.
        stills: ``(pairs, weight)`` for each set of stills; may be empty.
        size: side of the clips, pixels.
        frames: K, target frames per clip.
        length: clips per epoch; clip ``i`` depends on ``(seed, i)`` alone, so a run can resume anywhere.
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
    ):
        self.options, self.length, self.seed = options, length, seed
        self._composer = Composer(sequences, stills, size, frames + 2, options)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """
        Returns:
            frames ``(K + 1, 3, S, S) uint8`` and masks ``(K + 1, 1, S, S) float 0 or 1``, the
            reference first; previous ``(1, S, S) float in [0, 1]``, the mask before the first target;
            seed, for what is random about the clip later; skipped, how many draws met a broken file.

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
        previous = clip.masks[PREVIOUS]
        if rng.random() < self.options.rough:
            previous = augment.rough_mask(rng, previous)
        # As at test time, where tracking starts in the reference frame.
        if rng.random() < self.options.start_at_reference and clip.masks[PREVIOUS].any():
            clip.frames[REFERENCE], clip.masks[REFERENCE] = clip.frames[PREVIOUS], clip.masks[PREVIOUS]
        frames = clip.frames
        if self.options.colour:
            colour = augment.Colour(rng, self.options.colour)
            frames = augment.camera_defects(rng, [colour(f) for f in frames])
        del frames[PREVIOUS], clip.masks[PREVIOUS]
        return {
            "frames": torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous(),
            "masks": torch.from_numpy(np.stack(clip.masks) > 0.5)[:, None].float(),
            "previous": torch.from_numpy(previous.astype(np.float32))[None],
        }

"""Batches of clips from loader processes."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from fastgan_core.data.clips import ClipDataset
from fastgan_core.errors import FastganError


def load_clips(
    clips: ClipDataset, chosen: list[int], batch: int, workers: int, pin_memory: bool = False
) -> Iterator[dict[str, torch.Tensor]]:
    """The clips of the indices ``chosen``, in this order, ``batch`` at a time.

    Raises:
        FastganError: a file cannot be read. A loader process reports it as a traceback; the sentence is its end.
    """
    loader = DataLoader(
        clips,
        batch,
        sampler=chosen,
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        pin_memory=pin_memory,
    )
    try:
        yield from loader
    except FastganError as error:
        last = str(error).strip().splitlines()[-1]
        raise FastganError(last.removeprefix("fastgan_core.errors.FastganError: ")) from None


def on_device(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """A batch of :class:`ClipDataset` on the device, its frames as floats in [0, 1]."""
    names = "frames", "masks", "previous", "there"
    moved = {name: batch[name].to(device, non_blocking=True) for name in names}
    return batch | moved | {"frames": moved["frames"].float().div(255)}

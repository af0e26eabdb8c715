"""Averaged weights, which track better than the newest."""

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``model`` after its ``step``-th step; counts and the like are copied.

    The memory is short at first, so that the average does not hold on to the start.
    """
    decay = min(decay, step / (step + 10))
    pairs = list(zip(average.state_dict().values(), model.state_dict().values(), strict=True))
    moving = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_([mean for mean, _ in moving], [value for _, value in moving], 1 - decay)
    for mean, value in pairs:
        if not mean.is_floating_point():
            mean.copy_(value)

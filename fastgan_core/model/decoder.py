"""Feature matching, refinement and the temporal skip connection of section 4.1."""

import torch
import torch.nn.functional as F
from torch import nn


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


class GlobalConvolution(nn.Module):
    """Large-kernel convolution (Peng et al. 2017) as the sum of two separable paths.

    It looks for the reference's features around each place of the target frame.
    ``(B, inputs, h, w) -> (B, outputs, h, w)``.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 7):
        super().__init__()
        tall, wide = (size, 1), (1, size)
        pad_tall, pad_wide = (size // 2, 0), (0, size // 2)
        self.left = nn.Sequential(
            nn.Conv2d(inputs, outputs, tall, padding=pad_tall), nn.Conv2d(outputs, outputs, wide, padding=pad_wide)
        )
        self.right = nn.Sequential(
            nn.Conv2d(inputs, outputs, wide, padding=pad_wide), nn.Conv2d(outputs, outputs, tall, padding=pad_tall)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.left(x) + self.right(x)


class Residual(nn.Module):
    """Pre-activation residual block without normalisation. Keeps the shape."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.conv2 = conv3x3(width, width), conv3x3(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Refinement(nn.Module):
    """Upsample the coarser decoder feature by two and merge the encoder's skip into it.

    ``(B, coarse, h, w), (B, skip, 2h, 2w) -> (B, width, 2h, 2w)``
    """

    def __init__(self, skip: int, coarse: int, width: int):
        super().__init__()
        self.skip = conv3x3(skip, width)
        self.skip_residual = Residual(width)
        self.project = nn.Identity() if coarse == width else nn.Conv2d(coarse, width, kernel_size=1)
        self.residual = Residual(width)

    def forward(self, coarse: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        up = F.interpolate(self.project(coarse), size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.residual(self.skip_residual(self.skip(skip)) + up)


class Decoder(nn.Module):
    """From the features of both streams to the mask of the current frame.

    Args:
        channels: the encoder's channels at 1/4, 1/8, 1/16, 1/32.
        widths: the decoder's channels at 1/4, 1/8, 1/16, 1/32.
    """

    def __init__(self, channels: tuple[int, ...], widths: tuple[int, ...]):
        super().__init__()
        c4, c8, c16, c32 = channels
        w4, w8, w16, w32 = widths
        self.match = nn.Sequential(GlobalConvolution(2 * c32, w32), Residual(w32))
        self.refine16 = Refinement(c16, w32, w16)
        self.refine8 = Refinement(c8, w16, w8)
        self.refine4 = Refinement(c4, w8, w4)
        # "we reduce the number of channels in the previous frame feature map by a factor
        # of 1/8 with a 3x3 convolution"
        self.temporal_skip = conv3x3(w4, w4 // 8)
        self.predict = conv3x3(w4 + w4 // 8, 1)

    def forward(
        self, target: tuple[torch.Tensor, ...], reference: torch.Tensor, memory: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Args:
            target: the target stream's features at 1/4 to 1/32, ``(B, C, H/s, W/s)``.
            reference: the reference stream's features at 1/32, ``(B, C, H/32, W/32)``.
            memory: last decoder feature of the previous frame, ``(B, w4, H/4, W/4)``.

        Returns:
            logits ``(B, 1, H/4, W/4)`` and this frame's last decoder feature.
        """
        f4, f8, f16, f32 = target
        x = self.match(torch.cat([f32, reference], dim=1))
        x = self.refine4(self.refine8(self.refine16(x, f16), f8), f4)
        past = self.temporal_skip(memory)
        return self.predict(F.relu(torch.cat([x, past], dim=1))), x

"""The default network: one pass over the image for all objects, attention over a finite memory of each.

From the paper (section 4.1) it has the temporal skip and the refinement with the encoder's skips; in place of the
siamese streams it has what came after: an encoder of the image alone, and values that are read by the likeness of
their keys (Oh et al. 2019; squared distance as in Cheng et al. 2021). The previous mask is one of those values, not an
input of the decoder, which would hold on to its own mistakes.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fastgan_core.model.decoder import conv3x3
from fastgan_core.model.lite_encoder import Convolution, LiteEncoder

KEY, VALUE = 64, 128  # channels of a memory's cells
MERGED = math.log(4)  # what a cell that stands for four has more, so that it is read as often as they would be
WIDTHS = (32, 64, 128)  # of the decoder at 1/4, 1/8, 1/16
FAR = -4096.0  # for -inf, which times 0 is no number; with the queries' factor it is one in half precision too
HALF = 16  # channels of the image at 1/2, where values begin; masks come in at 1/4


class Features(NamedTuple):
    """What is known of a frame before any object; the first axis of all is the frame's."""

    key: torch.Tensor  # (B, KEY, H/16, W/16), what memories are asked with and kept under
    coarse: torch.Tensor  # (B, 128, H/16, W/16), for the decoder
    value: torch.Tensor  # (B, VALUE, H/16, W/16), the frame's part of a value
    quarter: torch.Tensor  # (B, 32, H/4, W/4), the same, where masks come in
    skip8: torch.Tensor  # (B, 64, H/8, W/8)
    skip4: torch.Tensor  # (B, 32, H/4, W/4)


class Lite(nn.Module):
    """``Y_t = phi(X_t, memory)`` for N objects of one frame, or of each frame of a batch.

    Rows of objects are ordered by frame: with B frames and N rows each frame has N / B objects. Stateless.
    """

    variant = "lite"

    def __init__(self):
        super().__init__()
        self.encoder = LiteEncoder()
        c4, c8, c16, c32 = self.encoder.channels
        w4, w8, w16 = WIDTHS
        self.lateral16, self.lateral32 = nn.Conv2d(c16, w16, 1), nn.Conv2d(c32, w16, 1)
        self.context = Separable(w16)
        self.key16, self.key32 = nn.Conv2d(c16, KEY, 1), nn.Conv2d(c32, KEY, 1)
        # A convolution over a frame's and an object's features is the sum of two, and the frame's is done once.
        self.frame_coarse, self.object_coarse = nn.Conv2d(w16, w16, 1), nn.Conv2d(VALUE, w16, 1)
        self.frame_half, self.frame_quarter, self.object_quarter = halving(3, HALF), halving(HALF, w4), conv3x3(2, w4)
        self.eighth, self.sixteenth = halving(w4, w8), halving(w8, w8)
        self.frame_value, self.object_value = nn.Conv2d(w16, VALUE, 1), nn.Conv2d(w8, VALUE, 1)
        self.value, self.refine16 = Separable(VALUE), Separable(w16)
        self.skip8, self.up8, self.refine8 = nn.Conv2d(c8, w8, 1), nn.Conv2d(w16, w8, 1), Separable(w8)
        self.skip4, self.up4, self.refine4 = nn.Conv2d(c4, w4, 1), nn.Conv2d(w8, w4, 1), Separable(w4)
        self.temporal_skip = conv3x3(w4, w4 // 4)  # section 4.1, where it is an eighth of 256
        self.predict = conv3x3(w4 + w4 // 4, 1)

    def encode(self, image: torch.Tensor) -> Features:
        """Features of frames ``(B, 3, H, W) float in [0, 1]``, H and W multiples of 32."""
        f4, f8, f16, f32 = self.encoder(image)
        x = self.context(self.lateral16(f16) + enlarged(self.lateral32(f32), f16))
        return Features(
            self.key16(f16) + enlarged(self.key32(f32), f16),
            self.frame_coarse(x),
            self.frame_value(x),
            self.frame_quarter(F.relu(self.frame_half(image - 0.5))),
            self.skip8(f8),
            self.skip4(f4),
        )

    def remember(self, frame: Features, masks: torch.Tensor) -> torch.Tensor:
        """Values of objects in a frame, to be kept with the frame's key.

        Args:
            masks: ``(N, 2, H/4, W/4) float in [0, 1]``: each object's mask, and that of all the others.

        Returns:
            ``(N, VALUE, H/16, W/16)``
        """
        count = masks.shape[0]
        x = F.relu(self.object_quarter(masks) + each(frame.quarter, count))
        for halve in (self.eighth, self.sixteenth):
            x = F.relu(halve(x))
        return self.value(self.object_value(x) + each(frame.value, count))

    def read(self, frame: Features, keys: torch.Tensor, values: torch.Tensor, absent: torch.Tensor) -> torch.Tensor:
        """Values of the memory, weighted by how alike their keys are to each cell of the frame.

        Args:
            keys: ``(N, T * cells, KEY)``, cells = H/16 * W/16, as :func:`cells` gives them.
            values: ``(N, T * cells, VALUE)``. absent: ``(N, T * cells)``, 0, ``MERGED`` for a cell that stands for
                four, or -inf where there is no memory.

        Returns:
            ``(N, VALUE, H/16, W/16)``
        """
        query = cells(each(frame.key, keys.shape[0])).expand(keys.shape[0], -1, -1)
        # -|k - q|^2 without the part that a softmax over the memory cancels. What remains of |k|^2 is in channels of
        # its own, in two parts because it is large for half precision: no mask of cells * memory is made.
        scale = math.sqrt(KEY)
        length = -keys.float().square().sum(dim=2) / scale
        coarse = length.to(keys.dtype)
        fine = (length - coarse.float()).to(keys.dtype)
        keys = torch.cat([keys, torch.stack([coarse, fine, absent.clamp(min=FAR)], dim=2)], dim=2)
        query = torch.cat([2 * query, torch.full_like(query[..., :3], scale)], dim=2)
        if not (torch.jit.is_tracing() or torch.compiler.is_exporting()):
            # PyTorch's fused attention takes keys as wide as values; other runtimes would only compute more.
            query, keys = (F.pad(x, (0, VALUE - KEY - 3)) for x in (query, keys))
        query, keys, values = (x[:, None] for x in (query, keys, values))
        found = F.scaled_dot_product_attention(query, keys, values, scale=1 / scale)[:, 0]
        return found.transpose(1, 2).unflatten(2, frame.key.shape[-2:])

    def decode(self, frame: Features, found: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From what was read to the masks.

        Args:
            found: result of :meth:`read`.
            memory: second result for the frame before, or :meth:`initial_memory`.

        Returns:
            logits ``(N, 1, H/4, W/4)``, and the last decoder feature ``(N, 32, H/4, W/4)``.
        """
        count = found.shape[0]
        x = self.refine16(self.object_coarse(found) + each(frame.coarse, count))
        x = self.refine8(enlarged(self.up8(x), frame.skip8) + each(frame.skip8, count))
        x = self.refine4(enlarged(self.up4(x), frame.skip4) + each(frame.skip4, count))
        return self.predict(F.relu(torch.cat([x, self.temporal_skip(memory)], dim=1))), x

    def initial_memory(self, batch: int, size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        """The temporal skip before the first frame: zeros ``(batch, 32, H/4, W/4)``."""
        return like.new_zeros(batch, WIDTHS[0], size[0] // 4, size[1] // 4)


class Separable(nn.Module):
    """Residual block: each channel is convolved on its own, then each cell through twice as many channels."""

    def __init__(self, width: int):
        super().__init__()
        self.around = Convolution(width, width, 5, groups=width)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.narrow(F.relu(self.widen(self.around(x))))


def halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def cells(x: torch.Tensor) -> torch.Tensor:
    """``(N, C, h, w)`` as ``(N, h * w, C)``, the form in which keys and values are kept."""
    return x.flatten(2).transpose(1, 2)


def each(frames: torch.Tensor, count: int) -> torch.Tensor:
    """``(B, ...)`` of frames for ``count`` rows of objects; a single frame is left to broadcasting."""
    return frames if frames.shape[0] in (1, count) else frames.repeat_interleave(count // frames.shape[0], dim=0)


def quartered(masks: torch.Tensor) -> torch.Tensor:
    """Masks ``(..., H, W)`` at a quarter of the side, where they come in."""
    return F.avg_pool2d(masks, 4)


def merged(x: torch.Tensor) -> torch.Tensor:
    """Keys or values ``(N, C, h, w)`` with one cell for each four."""
    return F.avg_pool2d(x, 2)


def enlarged(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """``x`` at the height and width of ``like``."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)

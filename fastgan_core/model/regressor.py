"""The segmentation regressor phi of section 4.1."""

import torch
import torch.nn.functional as F
from torch import nn

from fastgan_core.errors import FastganError
from fastgan_core.model.decoder import Decoder
from fastgan_core.model.encoder import Encoder

STRIDE = 32  # sides of the network's input are multiples of this


# Channels of the decoder at 1/4, 1/8, 1/16, 1/32, by the encoder's architecture.
WIDTHS = {
    "resnet50": (256, 256, 256, 256),  # the paper's
    "resnet18": (64, 64, 128, 128),  # real time on small machines
}


class FaSTGAN(nn.Module):
    """``Y_t = phi(X_t, M_n, Y_{t-1})``: the mask of one object in the current frame.

    The module holds no state of a video: the reference's features and the temporal
    skip's memory are passed in and out. All objects of a frame are one batch.
    """

    def __init__(self, variant: str = "resnet18", imagenet: bool = False):
        super().__init__()
        if variant not in WIDTHS:
            raise FastganError(f"there is no variant '{variant}'; choose one of {', '.join(WIDTHS)}")
        self.variant = variant
        self.encoder = Encoder(variant, imagenet)
        self.decoder = Decoder(self.encoder.channels, WIDTHS[variant])
        self.frozen_batchnorm = imagenet

    def train(self, mode: bool = True) -> "FaSTGAN":
        super().train(mode)
        if self.frozen_batchnorm:
            # Statistics of a pretrained encoder are better than those of a handful of clips.
            for module in self.encoder.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def encode_reference(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Features of the reference ``M_n``; they depend on it alone: once per object, not per frame.

        Args:
            image: ``(1 or B, 3, H, W) float in [0, 1]``. mask: ``(B, 1, H, W) float in [0, 1]``.

        Returns:
            ``(B, C, H/32, W/32)``
        """
        return self.encoder(image, mask)[-1]

    def initial_memory(self, batch: int, size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        """The temporal skip's memory before the first frame, the same in training and at test time.

        Returns:
            zeros ``(batch, w4, H/4, W/4)`` on the device and with the dtype of ``like``.
        """
        height, width = size
        return like.new_zeros(batch, WIDTHS[self.variant][0], height // 4, width // 4)

    def forward(
        self, image: torch.Tensor, previous: torch.Tensor, reference: torch.Tensor, memory: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step for a batch of objects (or of clips, in training).

        Args:
            image: current frame ``X_t``, ``(1 or B, 3, H, W) float in [0, 1]``, H and W multiples of 32.
            previous: soft mask ``Y_{t-1}``, ``(B, 1, H, W) float in [0, 1]``.
            reference: result of :meth:`encode_reference`, ``(B, C, H/32, W/32)``.
            memory: second result of the previous step, or :meth:`initial_memory`.

        Returns:
            logits ``(B, 1, H, W)`` whose sigmoid is ``Y_t``, and the memory for the next step.
        """
        logits, memory = self.decoder(self.encoder(image, previous), reference, memory)
        return self.enlarged(logits, image), memory

    @staticmethod
    def enlarged(logits: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """The decoder's logits ``(B, 1, H/4, W/4)`` at the image's size."""
        return F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)

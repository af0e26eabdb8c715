"""The siamese encoder phi_E of section 4.1."""

import torch
import torchvision
from torch import nn

# Channels of layer1..layer4, that is, of the features at 1/4, 1/8, 1/16 and 1/32 of the input.
CHANNELS = {"resnet18": (64, 128, 256, 512), "resnet50": (256, 512, 1024, 2048)}


class Encoder(nn.Module):
    """ResNet whose stem takes a mask as fourth channel; one set of weights for both streams.

    The target stream sees ``(X_t, Y_{t-1})``, the reference stream ``M_n = (X_0, Y_0)``.
    The mask has a stem of its own whose output is added before the batch norm: the
    same as one 4-channel convolution, but the pretrained RGB filters stay as they are.

    Args:
        arch: ``resnet18`` or ``resnet50``.
        imagenet: start from torchvision's ImageNet weights (downloaded by torchvision).
    """

    def __init__(self, arch: str, imagenet: bool = False):
        super().__init__()
        net = torchvision.models.get_model(arch, weights="DEFAULT" if imagenet else None)
        self.channels = CHANNELS[arch]
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        self.conv1_mask = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        # Normalisation lives in the model, so nobody can forget it or do it twice.
        for name, values in (("mean", [0.485, 0.456, 0.406]), ("std", [0.229, 0.224, 0.225])):
            # On the CPU also where the rest is made on "meta", for no checkpoint holds them.
            self.register_buffer(name, torch.tensor(values, device="cpu").view(1, 3, 1, 1), persistent=False)

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features of an image-mask pair.

        Args:
            image: ``(1 or B, 3, H, W) float in [0, 1]``, RGB. With one image and B masks
                the RGB half of the stem is computed once.
            mask: ``(B, 1, H, W) float in [0, 1]``, soft or hard.

        Returns:
            Features at 1/4, 1/8, 1/16 and 1/32, each ``(B, C, H/s, W/s)``.
        """
        x = self.conv1((image - self.mean) / self.std) + self.conv1_mask(mask)
        x = self.maxpool(self.relu(self.bn1(x)))
        f4 = self.layer1(x)
        f8 = self.layer2(f4)
        f16 = self.layer3(f8)
        return f4, f8, f16, self.layer4(f16)

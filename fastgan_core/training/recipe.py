"""Recipes: everything a training run depends on, as validated YAML."""

import contextlib
import dataclasses
import difflib
import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fastgan_core.errors import FastganError
from fastgan_core.model import STRIDE, VARIANTS


@dataclass
class Phase:
    """A stretch of training at one resolution."""

    steps: int  # optimiser steps, >= 1
    size: int  # side of the clips, pixels, a multiple of 32
    batch: int  # clips per step
    frames: int = 4  # K, target frames per clip; the gradient runs through all of them


@dataclass
class Recipe:
    """One training run. Paths are relative to the working directory."""

    phases: list[Phase]
    variant: str = "resnet18"  # resnet18 | resnet50
    backbone: str = ""  # "", "imagenet" (through torchvision), or a file of training/backbone.py
    init: str = ""  # a FaSTGAN checkpoint to start from
    davis: str = ""  # a DAVIS folder; "" = no videos
    davis_split: str = "train"  # file in ImageSets
    stills_root: str = ""  # a folder of sets, each with Images/ and Masks/
    stills: dict[str, float] = field(default_factory=dict)  # set: weight
    video_share: float = 0.45  # share of clips that come from videos, 0 to 1
    preload: int = 0  # keep all pictures in memory, with this shorter side in pixels; 0 = read them each time
    optimizer: str = "adamw"  # adamw | adam
    lr: float = 6e-4  # peak learning rate of the decoder
    encoder_lr: float = 3e-4  # peak learning rate of the encoder
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    weight_decay: float = 0.01
    warmup: int = 200  # steps from zero to the peak
    schedule: str = "cosine"  # cosine | polynomial (power 0.9), to zero at the last step
    balance: float = 1.0  # 1 = equation (2), 0 = plain cross-entropy
    dice: float = 0.0  # weight of the Dice loss beside the cross-entropy
    clip_gradient: float = 1.0  # largest gradient norm; 0 = no limit
    ema: float = 0.998  # decay of the averaged weights that are saved; 0 = none
    precision: str = "bf16"  # fp32 | bf16
    freeze_batchnorm: bool = True  # keep the backbone's statistics
    workers: int = 1  # loader processes
    save_every: int = 100  # steps between checkpoints
    seed: int = 0
    licence: str = ""  # note on the data that is stored in the weights

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)


CHOICES = {
    "variant": tuple(VARIANTS),
    "optimizer": ("adam", "adamw"),
    "schedule": ("cosine", "polynomial"),
    "precision": ("fp32", "bf16"),
}


RANGES = {
    "steps": (1, math.inf),
    "batch": (1, math.inf),
    "frames": (1, math.inf),
    "video_share": (0, 1),
    "preload": (0, 4096),
    "lr": (0, 10),
    "encoder_lr": (0, 10),
    "weight_decay": (0, 1),
    "warmup": (0, math.inf),
    "balance": (0, 1),
    "dice": (0, math.inf),
    "clip_gradient": (0, math.inf),
    "ema": (0, 1),
    "workers": (0, 64),
    "save_every": (1, math.inf),
    "seed": (0, 2**31),
}


def name_of(kind: Any) -> str:
    """How a field's type is called in a message: ``float``, ``dict[str, float]``."""
    return str(kind) if typing.get_origin(kind) else kind.__name__


def fits(value: Any, kind: Any) -> bool:
    """Whether a YAML value can stand for a field of this type; an integer can for a float, true cannot for 1."""
    origin = typing.get_origin(kind)
    if origin:
        if type(value) is not origin:
            return False
        columns = (value.keys(), value.values()) if origin is dict else (value,)
        return all(
            fits(member, wanted)
            for column, wanted in zip(columns, typing.get_args(kind), strict=True)
            for member in column
        )
    return type(value) is kind or (kind is float and type(value) is int)


def build(cls: type, values: Any, where: str):
    """``cls(**values)`` with unknown, missing and mistyped keys refused in words."""
    if not isinstance(values, dict):
        raise FastganError(f"{where}: expected keys and values, got {type(values).__name__}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; known keys: {', '.join(fields)}"
            raise FastganError(f"{where}: unknown key '{key}'{hint}")
        if fields[key].type is float and isinstance(values[key], str):
            with contextlib.suppress(ValueError):  # YAML takes 6e-4, which has no point, for text
                values[key] = float(values[key])
        value = values[key]
        if not fits(value, fields[key].type):
            raise FastganError(f"{where}: {key} is {value!r}, which is not of type {name_of(fields[key].type)}")
        if fields[key].type is float:
            values[key] = float(value)
        low, high = RANGES.get(key, (-math.inf, math.inf))
        if key in RANGES and not low <= values[key] <= high:
            raise FastganError(f"{where}: {key} is {value}; it must lie between {low} and {high}")
        if key in CHOICES and value not in CHOICES[key]:
            raise FastganError(f"{where}: {key} is '{value}'; choose one of {', '.join(CHOICES[key])}")
    try:
        return cls(**values)
    except TypeError as error:
        raise FastganError(f"{where}: {error}".replace("__init__() ", "")) from None


def from_dict(values: Any, where: str = "recipe") -> Recipe:
    """A validated recipe. Raises FastganError naming the key and, for a typo, the nearest known one."""
    if not isinstance(values, dict) or not isinstance(values.get("phases"), list) or not values["phases"]:
        raise FastganError(f"{where}: 'phases' must list at least one phase with steps, size and batch")
    values = dict(values)
    values["phases"] = [build(Phase, p, f"{where}: phases[{i}]") for i, p in enumerate(values["phases"])]
    recipe = build(Recipe, values, where)
    for i, phase in enumerate(recipe.phases):
        if phase.size < STRIDE or phase.size % STRIDE:
            raise FastganError(f"{where}: phases[{i}]: size is {phase.size}, which is not a multiple of {STRIDE}")
    if len(recipe.betas) != 2:
        raise FastganError(f"{where}: betas is {recipe.betas}; Adam takes two, such as [0.9, 0.999]")
    if not recipe.davis and not any(weight > 0 for weight in recipe.stills.values()):
        raise FastganError(f"{where}: no data; set 'davis', or 'stills_root' and 'stills' with weights over 0")
    return recipe


def load_recipe(path: str | Path, overrides: list[str] = ()) -> Recipe:
    """Read a YAML recipe; ``overrides`` are ``key=value`` with YAML values."""
    try:
        values = yaml.safe_load(Path(path).read_text())
        for override in overrides:
            key, found, value = override.partition("=")
            if not found or not isinstance(values, dict):
                raise FastganError(f"--set {override}: write it as key=value")
            values[key] = yaml.safe_load(value)
    except FileNotFoundError:
        raise FastganError(f"{path}: there is no such recipe") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FastganError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return from_dict(values, str(path))

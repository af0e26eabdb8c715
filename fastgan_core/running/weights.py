"""Checkpoints: safetensors with the variant, input size, recipe and licence note inside. Never pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastgan_core.errors import FastganError
from fastgan_core.model import STRIDE, VARIANTS, FaSTGAN, Lite, build

FORMAT = "fastgan-1"
SHIPPED = Path(__file__).parents[1] / "checkpoints" / "lite.safetensors"


@dataclass(frozen=True)
class WeightsInfo:
    """What a checkpoint says of itself."""

    path: Path
    variant: str
    input_size: int  # side of the square whose area the network's input has, pixels
    recipe: dict[str, Any]
    licence: str

    @property
    def large_size(self) -> int:
        """The same where there is time for more; that of another size than its variant's usual one has no other."""
        usual = VARIANTS[self.variant]
        return usual.large_size if self.input_size == usual.input_size else self.input_size

    def size_on(self, device: torch.device) -> int:
        """The variant's side on a device, or the one size that these weights have."""
        usual = VARIANTS[self.variant]
        return usual.size_on(device) if self.input_size == usual.input_size else self.input_size


def save_weights(
    path: str | Path,
    model: FaSTGAN | Lite,
    input_size: int | None = None,
    recipe: dict[str, Any] | None = None,
    licence: str = "",
) -> None:
    """Write a model in half precision (it tracks the same and is half the size).

    The file appears whole or not at all.
    """
    path = Path(path)
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    metadata = {
        "format": FORMAT,
        "variant": model.variant,
        "input_size": str(input_size or VARIANTS[model.variant].input_size),
        "recipe": json.dumps(recipe or {}),
        "licence": licence,
    }
    partial = path.with_suffix(".partial")
    save_file(state, partial, metadata)
    partial.replace(path)


def load_weights(path: str | Path = "") -> tuple[FaSTGAN | Lite, WeightsInfo]:
    """Read a checkpoint into a float32 model on the CPU, in evaluation mode.

    Args:
        path: a file of :func:`save_weights`; empty for the one that ships.

    Raises:
        FastganError: the file is missing, truncated, foreign, or does not fit its variant.
    """
    shipped, path = not path, Path(path) if path else SHIPPED
    if not path.is_file():
        hint = "the installation is incomplete" if shipped else "leave it empty for the weights that ship"
        raise FastganError(f"weights: there is no file {path}; {hint}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise FastganError(f"weights: {path} is not a FaSTGAN checkpoint; make one with 'fastgan train'")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        info = told(path, metadata)
    except FastganError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise FastganError(
            f"weights: {path} is damaged or not safetensors ({error}); copy it again or train anew"
        ) from None
    with torch.device("meta"):  # drawing random weights takes longer than reading those of the file
        model = build(info.variant)
    reason = _misfit(state, model.state_dict())
    if reason:
        raise FastganError(f"weights: {path} does not fit the variant {info.variant}: {reason}")
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    model.load_state_dict(state, assign=True)
    return model.eval(), info


def told(path: Path, metadata: dict[str, str]) -> WeightsInfo:
    """What a file's metadata say, checked.

    Raises:
        KeyError, ValueError, RecursionError: something is missing or cannot be read.
        FastganError: it can be read and is not possible.
    """
    recipe, size = json.loads(metadata["recipe"]), int(metadata["input_size"])
    info = WeightsInfo(path, metadata["variant"], size, recipe, metadata.get("licence", ""))
    if info.variant not in VARIANTS:
        raise FastganError(f"weights: {path} is of the variant '{info.variant[:40]}'; known are {', '.join(VARIANTS)}")
    if size % STRIDE or not STRIDE <= size <= 2048 or not isinstance(recipe, dict):
        raise FastganError(
            f"weights: {path} says input size {size}, which is not a multiple of {STRIDE} between {STRIDE} and 2048, "
            "or has a recipe that is none; make it anew"
        )
    return info


def _misfit(state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> str:
    """Why tensors cannot be those of a model, or ""."""
    missing, strange = [n for n in wanted if n not in state], [n for n in state if n not in wanted]
    if missing:
        return f"{len(missing)} of {len(wanted)} tensors are missing, {missing[0]} among them"
    if strange:
        return f"{len(strange)} tensors are not the model's, {strange[0]} among them"
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            return f"{name} has shape {tuple(value.shape)} where {tuple(wanted[name].shape)} is due"
        if not torch.isfinite(value).all():
            return f"{name} has values that are no finite numbers"
    return ""

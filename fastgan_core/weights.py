"""Checkpoints: safetensors with the variant, input size, recipe and licence note inside. Never pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastgan_core.errors import FastganError
from fastgan_core.model import VARIANTS, FaSTGAN

FORMAT = "fastgan-1"
SHIPPED = Path(__file__).parent / "checkpoints" / "resnet18.safetensors"


@dataclass(frozen=True)
class WeightsInfo:
    """What a checkpoint says of itself."""

    path: Path
    variant: str
    input_size: int  # side of the square whose area the network's input has, pixels
    recipe: dict[str, Any]
    licence: str


def save_weights(
    path: str | Path,
    model: FaSTGAN,
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


def load_weights(path: str | Path = "") -> tuple[FaSTGAN, WeightsInfo]:
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
        info = WeightsInfo(
            path,
            metadata["variant"],
            int(metadata["input_size"]),
            json.loads(metadata["recipe"]),
            metadata.get("licence", ""),
        )
    except FastganError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise FastganError(
            f"weights: {path} is damaged or not safetensors ({error}); copy it again or train anew"
        ) from None
    model = FaSTGAN(info.variant)
    try:
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise FastganError(f"weights: {path} does not fit the variant {info.variant}: {reason}") from None
    return model.eval(), info

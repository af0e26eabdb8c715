"""What a run needs to go on exactly where it was: one safetensors file, written whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastgan_core.errors import FastganError

Modules = dict[str, torch.nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]


def save_state(path: Path, modules: Modules, optimizers: Optimizers, numbers: dict[str, float]) -> None:
    """Write networks, the optimisers' moments, and numbers, by their names."""
    state = {f"{part}.{k}": v for part, module in modules.items() for k, v in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{name}.{number}.{k}": v for k, v in values.items()}
    partial = path.with_suffix(".partial")
    save_file({k: v.contiguous() for k, v in state.items()}, partial, {k: repr(v) for k, v in numbers.items()})
    partial.replace(path)


def load_state(path: Path, modules: Modules, optimizers: Optimizers, numbers: Iterable[str]) -> dict[str, float]:
    """The reverse of :func:`save_state`; returns the numbers of these names.

    Raises:
        FastganError: the file is damaged or of another recipe.
    """
    try:
        # On the CPU, where Adam keeps its step counts; the networks and moments move to their device below.
        with safe_open(path, framework="pt") as file:
            told = {name: float(file.metadata()[name]) for name in numbers}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        for name, module in modules.items():
            module.load_state_dict(part(f"{name}."))
        for name, optimizer in optimizers.items():
            moments: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in part(f"optimizer.{name}.").items():
                number, _, moment = key.partition(".")
                moments.setdefault(int(number), {})[moment] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise FastganError(f"{path} is damaged ({reason}); remove it to start anew") from None
    return told

"""What a run needs to go on exactly where it was: one safetensors file, written whole or not at all."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastgan_core.errors import FastganError
from fastgan_core.model import FaSTGAN
from fastgan_core.training.stages import Stage


def save_state(path: Path, stage: Stage, average: FaSTGAN, numbers: dict[str, float]) -> None:
    """Write the networks, the optimisers' moments and the numbers ``step`` and ``best``."""
    modules = {"model": stage.model, "critics": stage.critics}
    if average is not stage.model:
        modules["average"] = average
    state = {f"{part}.{k}": v for part, module in modules.items() for k, v in module.state_dict().items()}
    for name, optimizer in stage.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{name}.{number}.{k}": v for k, v in values.items()}
    partial = path.with_suffix(".partial")
    save_file({k: v.contiguous() for k, v in state.items()}, partial, {k: repr(v) for k, v in numbers.items()})
    partial.replace(path)


def load_state(path: Path, stage: Stage, average: FaSTGAN) -> dict[str, float]:
    """The reverse of :func:`save_state`; returns the numbers.

    Raises:
        FastganError: the file is damaged or of another recipe.
    """
    try:
        # On the CPU, where Adam keeps its step counts; the networks and moments move to their device below.
        with safe_open(path, framework="pt") as file:
            numbers = {k: float(file.metadata()[k]) for k in ("step", "best")}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        stage.model.load_state_dict(part("model."))
        if average is not stage.model:
            average.load_state_dict(part("average."))
        stage.critics.load_state_dict(part("critics."))
        for name, optimizer in stage.optimizers.items():
            moments: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in part(f"optimizer.{name}.").items():
                number, _, moment = key.partition(".")
                moments.setdefault(int(number), {})[moment] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise FastganError(f"{path} is damaged ({reason}); remove it to start anew") from None
    return numbers

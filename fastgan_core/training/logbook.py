"""What a run writes down: a progress bar, ``log.jsonl``, TensorBoard, and how it was made."""

import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import yaml
from tqdm import tqdm

from fastgan_core.errors import FastganError
from fastgan_core.media.painting import overlay
from fastgan_core.training.datasets import Data
from fastgan_core.training.distributed import world
from fastgan_core.training.recipe import Recipe


class Logbook:
    """Measures of a run, kept in its folder. A run that goes on leaves no line twice.

    Args:
        folder: the run's folder. recipe: what is trained. step: steps done so far.
    """

    def __init__(self, folder: Path, recipe: Recipe, step: int):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise FastganError("TensorBoard is missing; run: pip install tensorboard") from None
        self.file = folder / "log.jsonl"
        if self.file.exists():  # steps after the checkpoint will be done again
            lines = [line for line in self.file.read_text().splitlines() if line.endswith("}")]
            self.file.write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step))
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self.bar = tqdm(total=recipe.steps, initial=step, unit="step", disable=None, dynamic_ncols=True)

    def scalars(self, step: int, values: dict[str, float], show: str = "loss") -> None:
        """Write measures of a step; ``show`` is the one that the progress bar has beside it."""
        with open(self.file, "a") as log:
            log.write(json.dumps({"step": step} | {k: float(f"{v:.6g}") for k, v in values.items()}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        self.board.flush()
        if show in values:
            self.bar.set_postfix({show: f"{values[show]:.4f}"})
        if self.bar.disable and (step % 50 == 0 or step == self.bar.total or show not in values):
            words = " ".join(f"{k} {v:.4g}" for k, v in values.items())
            print(f"step {step}/{self.bar.total} {words}", flush=True)

    def clip(self, step: int, clip: dict[str, torch.Tensor]) -> None:
        """A picture of a batch's first clip: the reference and the truth above, the prediction below."""
        frames = [_bytes(f) for f in clip["frames"][0]]
        truth = [_label(m) for m in clip["masks"][0]]
        found = [_label(clip["previous"][0]), *(_label(m) for m in clip["prediction"][0])]
        above, below = ([overlay(f, m) for f, m in zip(frames, masks, strict=True)] for masks in (truth, found))
        picture = np.vstack([np.hstack(above), np.hstack(below)])
        self.board.add_image("clip", picture, step, dataformats="HWC")

    def close(self) -> None:
        self.board.close()
        self.bar.close()


def _bytes(frame: torch.Tensor) -> np.ndarray:
    """``(3, S, S)`` in [0, 1] -> ``(S, S, 3) uint8``."""
    return np.ascontiguousarray((frame * 255).round().byte().permute(1, 2, 0).cpu().numpy())


def _label(mask: torch.Tensor) -> np.ndarray:
    """``(1, S, S)`` in [0, 1] -> ``(S, S) uint8`` 0 or 1."""
    return (mask[0] > 0.5).byte().cpu().numpy()


def write_about(folder: Path, recipe: Recipe, data: Data, device: torch.device, step: int) -> None:
    """``recipe.yaml``, resolved, and ``about.json``: with which data, and since which step with which code."""
    (folder / "recipe.yaml").write_text(yaml.safe_dump(asdict(recipe), sort_keys=False))
    file = folder / "about.json"
    about = json.loads(file.read_text()) if step and file.exists() else {"data": data.about, "sessions": []}
    about["sessions"].append(session(device, step) | {"skipped": data.skipped})
    file.write_text(json.dumps(about, indent=1))


def session(device: torch.device, step: int) -> dict:
    """What a part of a run, from a step on, was made with."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "from_step": step,
        "code": code_version(),
        "command": sys.argv,
        "device": gpu or f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads",
        "processes": world(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def check_same_data(data: Data, file: Path) -> None:
    """Raise FastganError when a run would go on with other data than it began with."""
    try:
        before = dict(json.loads(file.read_text())["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FastganError(f"{file}: cannot be read ({error!r}); choose another --output") from None
    changed = sorted(name for name in before.keys() | data.about.keys() if before.get(name) != data.about.get(name))
    if changed:
        raise FastganError(
            f"{changed[0]} is not what {file.parent} began with; bring it back, or choose another --output"
        )


def code_version() -> str:
    """The commit of this code, marked where it was changed since; the package's version outside of git."""
    from importlib import metadata

    here = Path(__file__).parent
    try:
        git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        try:
            return metadata.version("fastgan_ros")
        except metadata.PackageNotFoundError:
            return "unknown"

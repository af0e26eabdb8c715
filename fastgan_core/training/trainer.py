"""The training loop: batches in, measures and checkpoints out. What a step does is in stages.py."""

import copy
import dataclasses
import math
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
import yaml

from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.loader import load_clips
from fastgan_core.errors import FastganError
from fastgan_core.model import VARIANTS
from fastgan_core.running.device import choose_training_precision, price
from fastgan_core.running.weights import save_weights
from fastgan_core.training.checkpoint import load_state, save_state
from fastgan_core.training.clock import Clock
from fastgan_core.training.datasets import Data, load_data
from fastgan_core.training.denormals import taken_as_zero
from fastgan_core.training.distributed import rank, wait_for_all, world
from fastgan_core.training.logbook import Logbook, check_same_data, write_about
from fastgan_core.training.moving_average import follow
from fastgan_core.training.recipe import Recipe
from fastgan_core.training.stages import Stage

# What may differ when a run goes on: it changes no result.
FREE = {"workers", "save_every", "pictures_every"}
STATE = "state.safetensors"


class Trainer:
    """One run of a recipe in a folder; a run that was stopped goes on from its last checkpoint.

    The folder holds ``recipe.yaml`` (resolved), ``about.json`` (code, data, machine), ``log.jsonl`` and
    ``tensorboard/`` (measures), ``state.safetensors`` (to go on), ``weights.safetensors`` (the newest, to
    track with) and ``best.safetensors`` (the best on the validation set).

    Args:
        recipe: what to train. output: the run's folder. device: where; see :mod:`.distributed` for several.
    """

    def __init__(self, recipe: Recipe, output: Path, device: torch.device):
        # Loaders are forked, and a forked OpenCV waits for ever for threads that its parent had.
        cv2.setNumThreads(1)
        self.output, self.device = output, device
        self.data = load_data(recipe)
        if self.data.skipped and rank() == 0:
            print(f"skipped {len(self.data.skipped)} files, such as: {self.data.skipped[0]}", flush=True)
        if self.data.validation and not any(len(s) > 2 for s in self.data.validation):
            raise FastganError(f"validate: the videos of '{recipe.validate}' have no frame between first and last")
        self.recipe = resolve(recipe, self.data, self._precision(recipe.precision))
        self.stage = Stage(self.recipe, device)
        self.average = copy.deepcopy(self.stage.model) if recipe.ema else self.stage.model
        self.step, self.best = 0, -1.0
        self._begin()

    def _precision(self, asked: str) -> str:
        """The precision of the run; ``auto`` is decided once, where the run begins, for it is part of the recipe."""
        if asked == "auto" and (self.output / STATE).exists():
            asked = read_recipe(self.output / "recipe.yaml").get("precision", asked)
        chosen = choose_training_precision(asked, self.device)
        if rank() == 0 and (sentence := price(chosen, self.device)):
            print(sentence, flush=True)
        return chosen

    def _begin(self) -> None:
        state = self.output / STATE
        if state.exists():
            check_same_recipe(self.recipe, self.output / "recipe.yaml")
            check_same_data(self.data, self.output / "about.json")
            numbers = load_state(state, self._modules(), self.stage.optimizers, ("step", "best"))
            self.step, self.best = int(numbers["step"]), numbers["best"]
            if rank() == 0:
                print(f"goes on from step {self.step}", flush=True)
        wait_for_all()
        if rank() == 0:
            self.output.mkdir(parents=True, exist_ok=True)
            write_about(self.output, self.recipe, self.data, self.device, self.step)
        wait_for_all()

    def rate(self, step: int) -> float:
        """Learning rate at a step as a share of its peak: warm-up, constant, then down to zero."""
        recipe = self.recipe
        if step < recipe.warmup:
            return (step + 1) / recipe.warmup
        start = max(recipe.warmup, recipe.constant * recipe.steps)
        left = 1 - max(0.0, step - start) / max(1.0, recipe.steps - start)
        return left**recipe.power if recipe.schedule == "polynomial" else 0.5 - 0.5 * math.cos(math.pi * left)

    def batches(self):
        """This process's batches from the current step to the end, phase by phase.

        Every step has ``critic_steps`` batches in the second stage; without critics the last of them alone
        is drawn, so that runs with and without critics see the same clips.
        """
        first, recipe = 0, self.recipe
        draws = recipe.critic_steps if recipe.stage == "adversarial" else 1
        for number, phase in enumerate(recipe.phases):
            done = max(0, self.step - first)
            first += phase.steps
            if done >= phase.steps:
                continue
            clips = ClipDataset(
                self.data.sequences, self.data.stills, phase.size, phase.frames,
                length=phase.steps * draws * phase.batch, options=recipe, seed=recipe.seed * 1000 + number,
            )  # fmt: skip
            chosen = [
                (step * draws + turn) * phase.batch + place
                for step in range(done, phase.steps)
                for turn in range(draws - self.stage.turns, draws)
                for place in range(rank(), phase.batch, world())
            ]
            yield from load_clips(
                clips, chosen, phase.batch // world(), recipe.workers, pin_memory=self.device.type == "cuda"
            )

    @taken_as_zero()
    def run(self) -> None:
        """Train to the end of the recipe."""
        if self.step >= self.recipe.steps:
            if rank() == 0:
                print(f"{self.output}: this run is finished; its weights are in weights.safetensors", flush=True)
            return
        logbook = Logbook(self.output, self.recipe, self.step) if rank() == 0 else None
        batches, clock = self.batches(), Clock()

        def draw() -> dict[str, torch.Tensor]:
            with clock.waiting():
                batch = next(batches)
            clock.clips += len(batch["frames"]) * world()
            clock.skipped += int(batch["skipped"].sum())
            return batch

        while self.step < self.recipe.steps:
            measures, clip = self.train_step(draw)
            clock.add(measures)
            last = self.step == self.recipe.steps
            if logbook:
                logbook.bar.update()
                every = self.recipe.pictures_every
                if every and (self.step % every == 0 or last):
                    logbook.clip(self.step, clip)
                if self.step % 10 == 0 or last:
                    logbook.scalars(self.step, clock.take() | {"rate": self.rate(self.step - 1)})
            if self.step % self.recipe.save_every == 0 or last:
                self.save()
            every = self.recipe.validate_every
            if self.data.validation and (last or (every and self.step % every == 0)):
                self.validate(logbook)
        if logbook:
            logbook.close()
        wait_for_all()

    def train_step(self, draw) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """One step of the stage, at its learning rate, and of the averaged weights."""
        self.stage.set_rate(self.rate(self.step))
        measures, clip = self.stage.step(draw)
        self.step += 1
        if self.recipe.ema:
            follow(self.average, self.stage.model, self.recipe.ema, self.step)
        return measures, clip

    def validate(self, logbook: Logbook | None) -> None:
        """Track the validation sequences with the newest weights; keep them if they are the best so far."""
        if logbook:
            from fastgan_core.evaluation.scoring import validate
            from fastgan_core.tracking.tracker import Tracker

            tracker = Tracker(self.average, str(self.device), size=VARIANTS[self.recipe.variant].input_size)
            scores = validate(tracker, self.data.validation)
            logbook.scalars(self.step, {f"validation/{k}": v for k, v in scores.items()})
            if scores["J&F-Mean"] > self.best:
                self.best = scores["J&F-Mean"]
                self._save_weights("best.safetensors")
                self._save_state()
        wait_for_all()

    def save(self) -> None:
        """Write weights and state; each file appears whole or not at all."""
        if rank() == 0:
            self._save_weights("weights.safetensors")
            self._save_state()
        wait_for_all()

    def _modules(self) -> dict[str, torch.nn.Module]:
        averaged = {"average": self.average} if self.recipe.ema else {}
        return {"model": self.stage.model, "critics": self.stage.critics} | averaged

    def _save_state(self) -> None:
        numbers = {"step": self.step, "best": self.best}
        save_state(self.output / STATE, self._modules(), self.stage.optimizers, numbers)

    def _save_weights(self, name: str) -> None:
        recipe = asdict(self.recipe) | {"trained_steps": self.step}
        save_weights(self.output / name, self.average, recipe=recipe, licence=self.recipe.licence)


def resolve(recipe: Recipe, data: Data, precision: str) -> Recipe:
    """The recipe with its precision, epochs turned into steps, and every batch divided by the processes."""
    phases = []
    for i, phase in enumerate(recipe.phases):
        if phase.batch % world():
            raise FastganError(f"phases[{i}]: batch is {phase.batch}, which {world()} processes cannot share evenly")
        # Critics take batches too; an epoch counts all of them.
        clips = phase.batch * (recipe.critic_steps if recipe.stage == "adversarial" else 1)
        steps = phase.steps or math.ceil(phase.epochs * data.pictures / clips)
        phases.append(dataclasses.replace(phase, steps=steps, epochs=0.0))
    return dataclasses.replace(recipe, phases=phases, precision=precision)


def read_recipe(file: Path) -> dict:
    """The recipe that a run's folder holds, as it was written there."""
    try:
        return dict(yaml.safe_load(file.read_text()))
    except (OSError, yaml.YAMLError, ValueError, TypeError) as error:
        raise FastganError(f"{file}: cannot be read ({error}); choose another --output") from None


def check_same_recipe(recipe: Recipe, file: Path) -> None:
    """A run is one recipe from its first step to its last; only what changes no result may change."""
    before, now = read_recipe(file), asdict(recipe)
    changed = [k for k in now if now[k] != before.get(k) and k not in FREE]
    if changed:
        raise FastganError(
            f"{file.parent} holds a run with another recipe ({', '.join(changed)} differ); "
            "choose another --output, or set them back"
        )

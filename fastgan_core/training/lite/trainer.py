"""The loop: draws clips, steps, averages, saves, until the session's minutes are over."""

import copy
import dataclasses
import json
import math
import time
from pathlib import Path

import torch
import yaml

from fastgan_core.data.bank import load_bank
from fastgan_core.data.footage import read_footage
from fastgan_core.data.synthesis import Clips, Mix, Synthesis
from fastgan_core.errors import FastganError
from fastgan_core.running.device import choose_training_precision, price
from fastgan_core.running.weights import save_weights
from fastgan_core.training.checkpoint import load_state, save_state
from fastgan_core.training.denormals import taken_as_zero
from fastgan_core.training.distributed import world
from fastgan_core.training.lite.ahead import Ahead
from fastgan_core.training.lite.composed import Composed
from fastgan_core.training.lite.recipe import LiteRecipe, Stretch
from fastgan_core.training.lite.start import build, encoder_and_rest
from fastgan_core.training.lite.unroll import clip_loss, unroll
from fastgan_core.training.logbook import session
from fastgan_core.training.moving_average import follow

STATE = "state.safetensors"
REPORT = 50  # steps between lines of the log; only there does the loop wait for the device


class LiteTrainer:
    """One run in a folder, over one or several sessions.

    A session trains for ``budget`` minutes and takes the run to the share ``until`` of its whole; learning rates
    follow that share, so a run always ends at zero. The folder holds ``recipe.yaml``, ``about.json``, ``log.jsonl``,
    ``weights.safetensors`` (the averaged weights, to track with) and ``state.safetensors`` (to go on).
    """

    def __init__(self, recipe: LiteRecipe, output: Path, device: torch.device):
        if world() > 1:
            raise FastganError("stretches: such a run is one process; start it with 'fastgan train', without torchrun")
        self.recipe, self.output, self.device = recipe, output, device
        torch.manual_seed(recipe.seed)
        torch.set_float32_matmul_precision("high")
        self.precision = choose_training_precision(recipe.precision, device)
        if sentence := price(self.precision, device):
            print(sentence, flush=True)
        left_out = [name for name, weight in recipe.weights.items() if weight == 0]
        begin = time.monotonic()
        if recipe.composed:
            self.footage = read_footage(recipe.packs, left_out)
        else:
            self.footage = load_bank(recipe.packs, recipe.side, device, left_out)
        print(f"{self.footage.pictures} pictures, read in {time.monotonic() - begin:.0f} s", flush=True)
        self.model = build(recipe).to(device, memory_format=torch.channels_last)
        encoder, rest = encoder_and_rest(self.model)
        groups = [{"params": rest, "peak": recipe.lr}]
        if recipe.encoder_lr:
            groups.append({"params": encoder, "peak": recipe.encoder_lr})
        self.model.encoder.learn_from(recipe.encoder_from if recipe.encoder_lr else None)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=device.type == "cuda")
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.step, self.progress = 0, 0.0
        self._begin()

    def _begin(self) -> None:
        state = self.output / STATE
        self.output.mkdir(parents=True, exist_ok=True)
        about = self.output / "about.json"
        sessions = []
        if state.exists():
            numbers = load_state(state, self._modules(), {"adamw": self.optimizer}, ("step", "progress"))
            self.step, self.progress = int(numbers["step"]), numbers["progress"]
            sessions = json.loads(about.read_text())["sessions"] if about.exists() else []
            print(f"goes on from step {self.step}, {self.progress:.0%} of the run", flush=True)
        if self.progress >= self.recipe.until:
            raise FastganError(
                f"{self.output}: this run is at {self.progress:.0%}, and until says {self.recipe.until:.0%}; "
                "set until higher, or choose another --output"
            )
        made_with = {"precision": self.precision, "data": self.footage.about}
        sessions.append(session(self.device, self.step) | made_with)
        about.write_text(json.dumps({"sessions": sessions}, indent=1))
        recipe = dataclasses.asdict(self.recipe)
        (self.output / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))

    @taken_as_zero()
    def run(self) -> None:
        """Train for the session's minutes."""
        recipe = self.recipe
        begin, first, start = time.monotonic(), self.progress, self.step
        saved, losses, clips_seen, reported = begin, [], 0, begin
        stretch, source = None, None
        while True:
            now = time.monotonic()
            share = (now - begin) / (60 * recipe.budget)
            if share >= 1:
                break
            self.progress = first + (recipe.until - first) * share
            if stretch is not recipe.stretch_at(self.progress):
                stretch = recipe.stretch_at(self.progress)
                source = self._source(stretch)
            losses.append(self.train_step(source.take(), stretch))
            clips_seen += stretch.clips
            if (self.step - start) % REPORT == 0:
                self._report(losses, clips_seen, reported, stretch)
                losses, clips_seen, reported = [], 0, time.monotonic()
            if now - saved > 60 * recipe.save_every:
                self.save()
                saved = time.monotonic()
        self.progress = recipe.until
        if losses:
            self._report(losses, clips_seen, reported, stretch)
        self.save()

    def _source(self, stretch: Stretch) -> Ahead | Composed:
        recipe, seed = self.recipe, self.recipe.seed + 1000 * self.step
        if recipe.composed:
            how = recipe.composed, recipe.weights, stretch, seed, recipe.workers
            return Composed(self.footage, *how, self.device)
        mix = Mix(**{field.name: getattr(recipe, field.name) for field in dataclasses.fields(Mix)})
        synthesis = Synthesis(self.footage, mix, recipe.weights, seed, stretch.video)
        return Ahead(synthesis, stretch, self.device)

    def train_step(self, clips: Clips, stretch: Stretch) -> torch.Tensor:
        """One step of the optimiser; returns loss and IoU, still on the device."""
        recipe, device = self.recipe, self.device
        forget = torch.rand(stretch.frames, stretch.clips * stretch.objects, device=device) < recipe.forget
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = unroll(self.model, clips, forget)
        # At first all pixels count, and fewer and fewer after the first tenth of the run.
        hard = 1 - (1 - recipe.hard) * min(1.0, max(0.0, (self.progress - 0.1) / 0.4))
        loss, iou = clip_loss(logits, clips, hard, recipe.dice, recipe.balance)
        rate = self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.clip_gradient:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_gradient)
        self.optimizer.step()
        self.step += 1
        follow(self.average, self.model, recipe.ema, self.step)
        return torch.stack([loss.detach(), iou])

    def rate(self) -> float:
        """Learning rate as a share of its peak: warm-up in steps, then a cosine over the whole run."""
        warm = min(1.0, (self.step + 1) / self.recipe.warmup) if self.recipe.warmup else 1.0
        return warm * (0.5 + 0.5 * math.cos(math.pi * self.progress))

    def _report(self, losses: list, clips: int, since: float, stretch: Stretch) -> None:
        loss, iou = torch.stack(losses).mean(dim=0).tolist()
        seconds = time.monotonic() - since
        line = {
            "step": self.step, "progress": round(self.progress, 4), "loss": round(loss, 5), "iou": round(iou, 4),
            "clips_per_second": round(clips / seconds, 1), "size": stretch.size, "rate": round(self.rate(), 5),
        }  # fmt: skip
        if self.device.type == "cuda":
            line["memory_gb"] = round(torch.cuda.max_memory_allocated(self.device) / 1e9, 1)
        with open(self.output / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        print(" ".join(f"{name} {value}" for name, value in line.items()), flush=True)

    def save(self) -> None:
        """Write weights and state; each file appears whole or not at all."""
        recipe = dataclasses.asdict(self.recipe) | {"trained_steps": self.step}
        save_weights(self.output / "weights.safetensors", self.average, recipe=recipe, licence=self.recipe.licence)
        numbers = {"step": self.step, "progress": self.progress}
        save_state(self.output / STATE, self._modules(), {"adamw": self.optimizer}, numbers)

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model, "average": self.average}

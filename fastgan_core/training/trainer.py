"""The loop of the first training stage: the regressor alone, with the mask fed back over K frames."""

import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.folders import Sequence, davis_sequences, preload, still_pairs
from fastgan_core.device import choose_device
from fastgan_core.errors import FastganError
from fastgan_core.losses import balanced_cross_entropy, dice_loss
from fastgan_core.model import VARIANTS, FaSTGAN
from fastgan_core.training.recipe import Recipe
from fastgan_core.weights import load_weights, save_weights


def unroll(model: FaSTGAN, frames: torch.Tensor, reference_mask: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """Run the regressor over a clip as the tracker does, each soft mask fed into the next step.

    Args:
        frames: ``(B, K + 1, 3, S, S) float in [0, 1]``, the reference frame first.
        reference_mask: ``(B, 1, S, S)``. previous: ``(B, 1, S, S)``, the mask before the first target.

    Returns:
        logits ``(B, K, 1, S, S) float32``. Nothing is detached: what happens at t is also
        judged by what it leads to at t + 1 (section 5, back-propagation through time).
    """
    frames = [f.contiguous(memory_format=torch.channels_last) for f in frames.unbind(1)]
    reference = model.encode_reference(frames[0], reference_mask)
    memory = model.initial_memory(len(previous), previous.shape[-2:], like=reference)
    outputs = []
    for frame in frames[1:]:
        logits, memory = model(frame, previous, reference, memory)
        outputs.append(logits.float())
        previous = outputs[-1].sigmoid()
    return torch.stack(outputs, dim=1)


def build_model(recipe: Recipe) -> FaSTGAN:
    """The regressor with the weights that the recipe starts from."""
    if recipe.init:
        model = load_weights(recipe.init)[0]
        if model.variant != recipe.variant:
            raise FastganError(f"init: {recipe.init} holds a {model.variant}, the recipe asks for {recipe.variant}")
    else:
        model = FaSTGAN(recipe.variant, imagenet=recipe.backbone == "imagenet")
        if recipe.backbone not in ("", "imagenet"):
            try:
                missing = model.encoder.load_state_dict(load_file(recipe.backbone), strict=False)
                fits = not missing.unexpected_keys and set(missing.missing_keys) == {"conv1_mask.weight"}
            except (OSError, SafetensorError, RuntimeError):
                fits = False
            if not fits:
                raise FastganError(
                    f"backbone: {recipe.backbone} is missing or not a {recipe.variant}; make it with "
                    "training/backbone.py, or set backbone to 'imagenet' or ''"
                )
    # Statistics that were never learnt are not worth freezing.
    model.frozen_batchnorm = recipe.freeze_batchnorm and bool(recipe.backbone or recipe.init)
    return model.to(memory_format=torch.channels_last)


class Trainer:
    """One run of a recipe in a folder; a run that was stopped goes on from its last checkpoint.

    The folder holds ``recipe.json``, ``log.jsonl`` (a line per ten steps),
    ``state.safetensors`` (to resume) and ``weights.safetensors`` (to track with).
    """

    def __init__(self, recipe: Recipe, output: Path, device: str = "auto"):
        self.recipe, self.output, self.device = recipe, output, choose_device(device)
        output.mkdir(parents=True, exist_ok=True)
        self._check_same_recipe()
        (output / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1))
        torch.manual_seed(recipe.seed)
        # Loaders are forked, and a forked OpenCV waits for ever for threads that its parent had.
        cv2.setNumThreads(1)
        self.sequences = davis_sequences(Path(recipe.davis), recipe.davis_split) if recipe.davis else []
        self.stills = [(still_pairs(Path(recipe.stills_root) / n), w) for n, w in recipe.stills.items() if w > 0]
        self.model = build_model(recipe).to(self.device).train()
        if recipe.preload:
            side = recipe.preload
            self.sequences = [Sequence(s.name, tuple(preload(s.frames, side)), s.starts) for s in self.sequences]
            self.stills = [(preload(pairs, side), weight) for pairs, weight in self.stills]
        self.average = {k: v.detach().clone().float() for k, v in self.model.state_dict().items()}
        engine = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        groups = [
            {"params": list(self.model.encoder.parameters()), "peak": recipe.encoder_lr},
            {"params": list(self.model.decoder.parameters()), "peak": recipe.lr},
        ]
        self.optimizer = engine(groups, recipe.lr, tuple(recipe.betas), weight_decay=recipe.weight_decay)
        self.step = 0
        self._resume()

    def rate(self, step: int) -> float:
        """Learning rate at a step as a share of its peak."""
        recipe = self.recipe
        if step < recipe.warmup:
            return (step + 1) / recipe.warmup
        left = 1 - (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        return left**0.9 if recipe.schedule == "polynomial" else 0.5 - 0.5 * math.cos(math.pi * left)

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Supervised loss of a batch of clips."""
        batch = {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}
        masks = batch["masks"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            logits = unroll(self.model, batch["frames"].float().div(255), masks[:, 0], batch["previous"])
        targets = masks[:, 1:]
        loss = balanced_cross_entropy(logits, targets, self.recipe.balance)
        if self.recipe.dice:
            loss = loss + self.recipe.dice * dice_loss(logits, targets)
        return loss

    def train_step(self, batch: dict[str, torch.Tensor]) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self.rate(self.step)
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip_gradient:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_gradient)
        self.optimizer.step()
        self.step += 1
        # A short memory at first, so that the average does not hold on to the start.
        decay = min(self.recipe.ema, self.step / (self.step + 10))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value.float(), 1 - decay)
        return loss.item()

    def batches(self):
        """Batches from the current step to the end, phase by phase."""
        first = 0
        for number, phase in enumerate(self.recipe.phases):
            done = max(0, self.step - first)
            first += phase.steps
            if done >= phase.steps:
                continue
            clips = ClipDataset(
                self.sequences, self.stills, phase.size, phase.frames, self.recipe.video_share,
                length=phase.steps * phase.batch, seed=self.recipe.seed * 1000 + number,
            )  # fmt: skip
            yield from DataLoader(
                clips,
                phase.batch,
                sampler=range(done * phase.batch, len(clips)),
                num_workers=self.recipe.workers,
                prefetch_factor=3 if self.recipe.workers else None,
                worker_init_fn=_quiet_worker,
            )

    def run(self) -> None:
        """Train to the end of the recipe."""
        start, waited, losses, mark = time.time(), 0.0, [], time.time()
        for batch in self.batches():
            waited += time.time() - mark
            losses.append(self.train_step(batch))
            if self.step % 10 == 0:
                line = {
                    "step": self.step,
                    "loss": round(sum(losses) / len(losses), 4),
                    "seconds_per_step": round((time.time() - start) / len(losses), 3),
                    "waiting": round(waited / (time.time() - start), 3),
                    "size": batch["frames"].shape[-1],
                }
                with open(self.output / "log.jsonl", "a") as log:
                    log.write(json.dumps(line) + "\n")
                if self.step % 50 == 0:
                    print(f"step {self.step}/{self.recipe.steps} {line}", flush=True)
                start, waited, losses = time.time(), 0.0, []
            if self.step % self.recipe.save_every == 0 or self.step == self.recipe.steps:
                self.save()
            mark = time.time()

    def save(self) -> None:
        """Write weights and state; each file appears whole or not at all."""
        model = FaSTGAN(self.recipe.variant)
        model.load_state_dict(self.average if self.recipe.ema else self.model.state_dict())
        save_weights(
            self.output / "weights.safetensors",
            model,
            input_size=VARIANTS[self.recipe.variant].input_size,
            recipe={**asdict(self.recipe), "trained_steps": self.step},
            licence=self.recipe.licence,
        )
        state = {f"model.{k}": v.contiguous() for k, v in self.model.state_dict().items()}
        state |= {f"average.{k}": v.contiguous() for k, v in self.average.items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{k}": v.contiguous() for k, v in values.items()}
        partial = self.output / "state.partial"
        save_file(state, partial, {"step": str(self.step)})
        partial.replace(self.output / "state.safetensors")

    def _check_same_recipe(self) -> None:
        """A run is one recipe from its first step to its last; only what changes no result may change."""
        file = self.output / "recipe.json"
        if not (self.output / "state.safetensors").exists() or not file.exists():
            return
        before, now = json.loads(file.read_text()), json.loads(json.dumps(asdict(self.recipe)))
        changed = [k for k in now if now[k] != before.get(k) and k not in ("workers", "save_every")]
        if changed:
            raise FastganError(
                f"{self.output} holds a run with another recipe ({', '.join(changed)} differ); "
                "choose another --output, or set them back"
            )

    def _resume(self) -> None:
        path = self.output / "state.safetensors"
        if not path.exists():
            return
        try:
            state = load_file(path, device=str(self.device))
        except (OSError, SafetensorError) as error:
            raise FastganError(f"{path} is damaged ({error}); remove it to start anew") from None
        self.model.load_state_dict({k[6:]: v for k, v in state.items() if k.startswith("model.")})
        self.average = {k[8:]: v for k, v in state.items() if k.startswith("average.")}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value
        saved = self.optimizer.state_dict()
        saved["state"] = moments
        self.optimizer.load_state_dict(saved)
        self.step = int(next(iter(moments.values()))["step"].item()) if moments else 0
        print(f"resumed at step {self.step}", flush=True)


def _quiet_worker(_: int) -> None:
    """One thread per loader process: the others belong to the training step."""
    torch.set_num_threads(1)

"""The two stages of section 5: the regressor alone, then the regressor against its critics."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from fastgan_core.data.loader import on_device
from fastgan_core.model import FaSTGAN, Lite, PatchCritic
from fastgan_core.model.critics import masked, spatial_input, temporal_input
from fastgan_core.training.distributed import average_gradients, world
from fastgan_core.training.lite.composed import as_clips
from fastgan_core.training.lite.start import build, encoder_and_rest, from_checkpoint
from fastgan_core.training.lite.unroll import unroll as unroll_lite
from fastgan_core.training.losses import balanced_cross_entropy, critic_loss, dice_loss, noisy_truth, overwrite_truth
from fastgan_core.training.recipe import Recipe

Clip = dict[str, torch.Tensor]  # a batch of ClipDataset on the device, frames in [0, 1]
VIEWS = {"spatial": spatial_input, "temporal": temporal_input}


def unroll(
    model: FaSTGAN,
    frames: torch.Tensor,
    reference_mask: torch.Tensor,
    previous: torch.Tensor,
    checkpointing: bool = False,
) -> torch.Tensor:
    """Run the regressor over a clip as the tracker does, each soft mask fed into the next step.

    Args:
        frames: ``(B, K + 1, 3, S, S) float in [0, 1]``, the reference frame first.
        reference_mask: ``(B, 1, S, S)``. previous: ``(B, 1, S, S)``, the mask before the first target.
        checkpointing: compute each step's activations again in the backward pass instead of keeping them.

    Returns:
        logits ``(B, K, 1, S, S) float32``. Nothing is detached: what happens at t is also
        judged by what it leads to at t + 1 (section 5, back-propagation through time).
    """
    frames = [f.contiguous(memory_format=torch.channels_last) for f in frames.unbind(1)]
    reference = model.encode_reference(frames[0], reference_mask)
    memory = model.initial_memory(len(previous), previous.shape[-2:], like=reference)
    outputs = []
    for frame in frames[1:]:
        inputs = frame, previous, reference, memory
        logits, memory = checkpoint(model, *inputs, use_reentrant=False) if checkpointing else model(*inputs)
        outputs.append(logits.float())
        previous = outputs[-1].sigmoid()
    return torch.stack(outputs, dim=1)


def build_model(recipe: Recipe) -> FaSTGAN | Lite:
    """The regressor with the weights that the recipe starts from."""
    if recipe.variant == Lite.variant:
        return build(recipe).to(memory_format=torch.channels_last)
    imagenet = recipe.backbone == "imagenet"
    model = from_checkpoint(recipe) if recipe.init else FaSTGAN(recipe.variant, imagenet=imagenet)
    # Statistics that were never learnt are not worth freezing.
    model.frozen_batchnorm = recipe.freeze_batchnorm and bool(recipe.backbone or recipe.init)
    return model.to(memory_format=torch.channels_last)


class Stage:
    """All that is trained, and how one step of it goes.

    A step of the regressor is preceded by ``critic_steps`` steps of each critic, every one on
    clips of its own; the regressor learns from the clips of the last. Without critics it is the
    first stage of section 5.
    """

    def __init__(self, recipe: Recipe, device: torch.device):
        self.recipe, self.device = recipe, device
        torch.manual_seed(recipe.seed)
        self.model = build_model(recipe).to(device)
        # `lite` has no batch norm left.
        if world() > 1 and device.type == "cuda" and not getattr(self.model, "frozen_batchnorm", True):
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(self.model)
        self.model.train()
        frames = {"spatial": 1, "temporal": recipe.phases[0].frames}
        self.critics = nn.ModuleDict(
            {name: PatchCritic(3 * frames[name], recipe.critic_width) for name in recipe.critics}
        ).to(device)
        encoder, rest = encoder_and_rest(self.model)
        groups = [{"params": encoder, "peak": recipe.encoder_lr}, {"params": rest, "peak": recipe.lr}]
        self.optimizers = {"regressor": self._optimizer(groups)}
        for name, critic in self.critics.items():
            self.optimizers[name] = self._optimizer([{"params": list(critic.parameters()), "peak": recipe.critic_lr}])

    def _optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        recipe = self.recipe
        engine = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        decay = recipe.weight_decay if recipe.optimizer == "adamw" else 0.0
        return engine(groups, recipe.lr, tuple(recipe.betas), weight_decay=decay)

    @property
    def turns(self) -> int:
        """Batches that one step takes."""
        return self.recipe.critic_steps if self.critics else 1

    def set_rate(self, share: float) -> None:
        """Learning rates as a share of their peaks."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share

    def step(self, draw: Callable[[], Clip]) -> tuple[dict[str, torch.Tensor], Clip]:
        """One step of the regressor and those of the critics that belong to it.

        Args:
            draw: gives the next batch of clips.

        Returns:
            measures by name, scalars; the last batch, with the ``prediction`` ``(B, K, 1, S, S)``.
        """
        measures = {}
        for turn in range(self.turns):
            clip = on_device(draw(), self.device)
            with torch.set_grad_enabled(turn == self.turns - 1):
                logits = self.predict(clip)
            if self.critics:
                measures |= self.step_critics(clip, logits.detach().sigmoid())
        measures |= self.step_regressor(clip, logits)
        return measures, clip | {"prediction": logits.detach().sigmoid()}

    def predict(self, clip: Clip) -> torch.Tensor:
        """Logits ``(B, K, 1, S, S)`` of a batch of clips."""
        frames = clip["frames"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            if isinstance(self.model, Lite):
                never = torch.zeros(frames.shape[1] - 1, len(frames), dtype=torch.bool, device=self.device)
                return unroll_lite(self.model, as_clips(clip), never)
            return unroll(self.model, frames, clip["masks"][:, 0], clip["previous"], self.recipe.checkpointing)

    def step_critics(self, clip: Clip, prediction: torch.Tensor) -> dict[str, torch.Tensor]:
        """One optimiser step of each critic: towards the maximum of equations (3) and (4)."""
        recipe, frames, truth = self.recipe, clip["frames"][:, 1:], clip["masks"][:, 1:]
        noise, factors = clip_noise(clip["seed"], truth)
        if recipe.uncertainty:
            truth = overwrite_truth(truth, prediction, recipe.uncertainty)
        truth = noisy_truth(truth, prediction, noise, recipe.truth_noise)
        real, fake = masked(frames, truth), masked(frames, prediction)
        measures = {}
        for name, critic in self.critics.items():
            view = VIEWS[name]
            loss, distance, penalty = critic_loss(critic, view(real), view(fake), factors[name], recipe.lambda_gp)
            self.optimizers[name].zero_grad(set_to_none=True)
            loss.backward()
            average_gradients(critic.parameters())
            self.optimizers[name].step()
            measures |= {f"{name}/distance": distance.detach(), f"{name}/penalty": penalty.detach()}
        return measures

    def regressor_loss(self, clip: Clip, logits: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Equation (5) as the regressor sees it, and its terms.

        Of equations (3) and (4) only ``-E[D(X Y^)]`` depends on the regressor.
        """
        recipe, target = self.recipe, clip["masks"][:, 1:]
        terms = {"cross_entropy": balanced_cross_entropy(logits, target, recipe.balance)}
        supervised = terms["cross_entropy"]
        if recipe.dice:
            terms["dice"] = dice_loss(logits, target)
            supervised = supervised + recipe.dice * terms["dice"]
        if recipe.stage != "adversarial":
            return supervised, terms
        loss = recipe.lambda_ce * supervised
        fake = masked(clip["frames"][:, 1:], logits.sigmoid())
        for name, weight in recipe.critics.items():
            terms[f"{name}/regressor"] = -self.critics[name](VIEWS[name](fake)).mean()
            loss = loss + weight * terms[f"{name}/regressor"]
        return loss, terms

    def step_regressor(self, clip: Clip, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """One optimiser step of the regressor: towards the minimum of equation (5)."""
        loss, terms = self.regressor_loss(clip, logits)
        self.optimizers["regressor"].zero_grad(set_to_none=True)
        parameters = list(self.model.parameters())
        loss.backward(inputs=parameters)  # not into the critics
        average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.recipe.clip_gradient or float("inf"))
        self.optimizers["regressor"].step()
        return {"loss": loss.detach(), "gradient_norm": norm} | {k: v.detach() for k, v in terms.items()}


def clip_noise(seeds: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The random numbers that the critics' step needs, of each clip from its own seed.

    They are then the same in whichever process a clip is, and after a restart.

    Args:
        seeds: ``(B,) int64``. like: ``(B, K, 1, S, S)``.

    Returns:
        standard normal noise ``(B, K, 1, S, S)``; per critic the factors of :func:`gradient_penalty`.
    """
    noise, spatial, temporal = [], [], []
    for seed in seeds.tolist():
        generator = torch.Generator().manual_seed(seed)
        spatial.append(torch.rand(like.shape[1], 1, 1, 1, generator=generator))
        temporal.append(torch.rand(1, 1, 1, 1, generator=generator))
        noise.append(torch.randn(like.shape[1:], generator=generator))
    factors = {"spatial": torch.cat(spatial).to(like), "temporal": torch.cat(temporal).to(like)}
    return torch.stack(noise).to(like), factors

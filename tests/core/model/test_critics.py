"""The critics, and what they do in a step of the second stage."""

import pytest
import torch

from fastgan_core.data.loader import on_device
from fastgan_core.model import FaSTGAN, PatchCritic
from fastgan_core.model.critics import masked, spatial_input, temporal_input
from fastgan_core.training.losses import critic_distance, critic_loss
from fastgan_core.training.reading import from_dict
from fastgan_core.training.stages import Stage, clip_noise


@pytest.mark.parametrize(("height", "width"), [(64, 64), (128, 192), (512, 512)])
def test_a_score_per_patch_of_64_pixels(height, width):
    critic = PatchCritic(3, width=4)
    assert critic(torch.rand(2, 3, height, width)).shape == (2, 1, height // 64, width // 64)


def test_critics_do_not_normalise():
    """A sample's score does not hang on the others of its batch: the penalty is one of each on its own."""
    critic, x = PatchCritic(3, width=8), torch.rand(3, 3, 64, 64)
    torch.testing.assert_close(critic(x)[:1], critic(x[:1]))


def test_what_the_critics_see():
    frames, masks = torch.rand(2, 4, 3, 64, 64), torch.rand(2, 4, 1, 64, 64).round()
    clips = masked(frames, masks)
    assert spatial_input(clips).shape == (8, 3, 64, 64)
    assert temporal_input(clips).shape == (2, 12, 64, 64)
    assert torch.equal(spatial_input(clips)[5], frames[1, 1] * masks[1, 1])
    assert torch.equal(temporal_input(clips)[1, 3:6], frames[1, 1] * masks[1, 1])


@pytest.fixture
def stage(values):
    recipe = from_dict(
        values
        | {"stage": "adversarial", "critic_width": 8, "critic_lr": 1e-3, "ema": 0.0, "dice": 0}
        | {"phases": [{"steps": 1, "size": 64, "batch": 2, "frames": 2}]}
    )
    return Stage(recipe, torch.device("cpu"))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(2, 3, 1, 64, 64)
    masks[..., 16:48, 16:48] = 1
    return {
        "frames": torch.randint(0, 256, (2, 3, 3, 64, 64), generator=generator, dtype=torch.uint8),
        "masks": masks,
        "previous": masks[:, 0].clone(),
        "there": torch.ones(2, 1, dtype=torch.bool),
        "seed": torch.tensor([3, 4]),
        "skipped": torch.tensor([0, 0]),
    }


def test_the_critics_gradient_reaches_the_regressor(stage, batch):
    clip = on_device(batch, stage.device)
    logits = stage.predict(clip)
    loss, terms = stage.regressor_loss(clip, logits)
    adversarial = terms["spatial/regressor"] + terms["temporal/regressor"]
    assert loss.item() == pytest.approx((100 * terms["cross_entropy"] + adversarial).item(), rel=1e-5)
    for name in ("spatial", "temporal"):
        stage.model.zero_grad()
        terms[f"{name}/regressor"].backward(retain_graph=True)
        for part in (stage.model.encoder.conv1_mask, stage.model.decoder.predict):
            assert part.weight.grad.abs().sum() > 0


def test_a_step_moves_each_network_by_its_own_loss(stage, batch):
    def weights():
        modules = {"regressor": stage.model, **stage.critics}
        return {n: torch.cat([p.detach().flatten() for p in m.parameters()]).clone() for n, m in modules.items()}

    before, drawn = weights(), []
    measures, clip = stage.step(lambda: drawn.append(1) or batch)
    assert len(drawn) == 5  # critic steps per regressor step
    assert all(not torch.equal(before[n], after) for n, after in weights().items())
    assert clip["prediction"].shape == (2, 2, 1, 64, 64)
    wanted = {"loss", "cross_entropy", "gradient_norm"}
    wanted |= {f"{n}/{what}" for n in ("spatial", "temporal") for what in ("distance", "penalty", "regressor")}
    assert measures.keys() == wanted

    before = weights()
    stage.step_critics(on_device(batch, stage.device), torch.full((2, 2, 1, 64, 64), 0.4))
    after = weights()
    assert torch.equal(before["regressor"], after["regressor"])
    before = weights()
    clip = on_device(batch, stage.device)
    stage.step_regressor(clip, stage.predict(clip))
    assert torch.equal(before["temporal"], weights()["temporal"])


def test_a_weight_of_zero_leaves_the_critic_out(values):
    values |= {"stage": "adversarial", "lambda_t": 0, "phases": [{"steps": 1, "size": 64, "batch": 2}]}
    assert list(Stage(from_dict(values), torch.device("cpu")).critics) == ["spatial"]


def test_noise_is_that_of_the_clip_wherever_it_is():
    like = torch.zeros(2, 3, 1, 8, 8)
    noise, factors = clip_noise(torch.tensor([7, 9]), like)
    alone, alone_factors = clip_noise(torch.tensor([9]), like[1:])
    assert torch.equal(noise[1:], alone)
    assert torch.equal(factors["spatial"][3:], alone_factors["spatial"])
    assert torch.equal(factors["temporal"][1:], alone_factors["temporal"])


def moving_square(generator: torch.Generator, shuffled: bool, count: int = 8) -> torch.Tensor:
    """Clips ``(count, 4, 3, 64, 64)`` of a bright square that moves steadily, or of the same frames out of order."""
    clips = torch.zeros(count, 4, 3, 64, 64)
    for clip in clips:
        start, speed = torch.randint(2, 12, (2,), generator=generator).tolist()
        places = [start + speed * t // 2 for t in range(4)]
        if shuffled:
            places = [places[i] for i in (2, 0, 3, 1)]
        for frame, place in zip(clip, places, strict=True):
            frame[:, 24:44, place : place + 20] = 1
    return clips


def test_the_temporal_critic_tells_a_shuffled_clip_from_an_ordered_one():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    critic = PatchCritic(12, width=8)
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3, (0.5, 0.999))
    for _ in range(60):
        real = temporal_input(moving_square(generator, shuffled=False))
        fake = temporal_input(moving_square(generator, shuffled=True))
        factor = torch.rand(len(real), 1, 1, 1, generator=generator)
        optimizer.zero_grad()
        critic_loss(critic, real, fake, factor)[0].backward()
        optimizer.step()
    unseen = torch.Generator().manual_seed(99)
    ordered, shuffled = (temporal_input(moving_square(unseen, s, count=32)) for s in (False, True))
    with torch.no_grad():
        right = (critic(ordered).flatten() > critic(shuffled).flatten().max()).float().mean()
        assert critic_distance(critic, ordered, shuffled) > 0
    assert right > 0.8


def test_critics_are_no_part_of_what_is_shipped():
    assert not [name for name, _ in FaSTGAN("resnet18").named_modules() if "critic" in name]

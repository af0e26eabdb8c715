import math

import pytest
import torch

from fastgan_core.training.losses import (
    balanced_cross_entropy,
    critic_distance,
    critic_loss,
    dice_loss,
    gradient_penalty,
    noisy_truth,
    overwrite_truth,
)


def test_balanced_cross_entropy_by_hand():
    # One object pixel of four: beta = 3/4. All probabilities 1/2, so every log is -ln 2.
    target = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    logits = torch.zeros_like(target)
    expected = math.log(2) * (0.75 * 1 + 0.25 * 3) / 4
    assert balanced_cross_entropy(logits, target).item() == pytest.approx(expected)


def test_beta_is_of_each_frame():
    empty, full = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    # A frame without the object has beta 1: its pixels weigh 1 - beta = 0; and the reverse.
    assert balanced_cross_entropy(torch.randn(1, 2, 2), empty).item() == 0
    assert balanced_cross_entropy(torch.randn(1, 2, 2), full).item() == 0
    half = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    both = balanced_cross_entropy(torch.zeros(2, 2, 2), torch.cat([empty, half]))
    assert both.item() == pytest.approx(0.5 * 0.5 * math.log(2))


def test_balance_zero_is_half_of_plain_cross_entropy():
    logits, target = torch.randn(2, 5, 5), (torch.rand(2, 5, 5) > 0.8).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert balanced_cross_entropy(logits, target, balance=0).item() == pytest.approx(plain.item() / 2)


def test_dice_by_hand_and_silent_on_empty_frames():
    target = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    # p = 1/2 everywhere: 1 - 2 * 0.5 / (2 + 1)
    assert dice_loss(torch.zeros(1, 2, 2), target).item() == pytest.approx(2 / 3)
    logits = torch.randn(1, 2, 2, requires_grad=True)
    dice_loss(logits, torch.zeros(1, 2, 2)).backward()
    assert logits.grad.abs().sum() == 0
    assert dice_loss(torch.full((1, 2, 2), -20.0).where(target == 0, 20.0), target).item() == pytest.approx(0, abs=1e-4)


class Linear(torch.nn.Module):
    """``D(x) = w . x``, whose gradient is w everywhere."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return (x * self.weight).sum(dim=(1, 2, 3))


def images(*rows) -> torch.Tensor:
    return torch.tensor(rows).reshape(len(rows), 1, 1, -1)


def test_critic_distance_by_hand():
    critic = Linear([1.0, 2.0])
    # Truth: 1 + 2 and 0 + 2; prediction: 0.5 + 1 and 0. Means 2.5 and 0.75.
    real, fake = images([1.0, 1.0], [0.0, 1.0]), images([0.5, 0.5], [0.0, 0.0])
    assert critic_distance(critic, real, fake).item() == pytest.approx(1.75)


def test_gradient_penalty_by_hand():
    real, fake, factor = torch.rand(4, 1, 1, 2), torch.rand(4, 1, 1, 2), torch.rand(4, 1, 1, 1)
    assert gradient_penalty(Linear([0.6, 0.8]), real, fake, factor).item() == pytest.approx(0, abs=1e-12)  # norm 1
    assert gradient_penalty(Linear([3.0, 4.0]), real, fake, factor).item() == pytest.approx(16)  # (5 - 1)^2
    assert gradient_penalty(Linear([0.0, 0.0]), real, fake, factor).item() == pytest.approx(1)


def test_the_penalty_is_taken_between_truth_and_prediction():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(dim=(1, 2, 3)) / 2  # its gradient is x

    real, fake = images([4.0, 0.0], [0.0, 0.0]), images([0.0, 0.0], [0.0, 3.0])
    factor = torch.tensor([0.25, 1.0]).view(2, 1, 1, 1)
    penalty = gradient_penalty(critic, real, fake, factor)
    assert torch.equal(seen[0], images([3.0, 0.0], [0.0, 3.0]))
    assert penalty.item() == pytest.approx((3 - 1) ** 2)


def test_critic_loss_is_the_negative_of_equation_3():
    critic, factor = Linear([3.0, 4.0]), torch.rand(1, 1, 1, 1)
    real, fake = images([1.0, 1.0]), images([0.0, 0.5]).requires_grad_()
    loss, distance, penalty = critic_loss(critic, real, fake, factor, weight=10.0)
    assert (distance.item(), penalty.item()) == (pytest.approx(5), pytest.approx(16))
    assert loss.item() == pytest.approx(160 - 5)
    loss.backward()
    assert fake.grad is None  # the critic's step leaves the regressor alone
    # d/dw of 10 (|w| - 1)^2 - w . (real - fake), with |w| = 5
    assert critic.weight.grad.tolist() == pytest.approx([80 * 3 / 5 - 1, 80 * 4 / 5 - 0.5])


def test_the_truth_is_overwritten_where_the_prediction_is_right():
    truth = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    prediction = torch.tensor([0.9, 0.76, 0.7, 0.1, 0.25, 0.8])
    expected = torch.tensor([0.9, 0.76, 1.0, 0.1, 0.0, 0.0])  # within less than 0.25
    assert torch.equal(overwrite_truth(truth, prediction), expected)


def test_noise_has_the_statistics_of_each_prediction():
    prediction = torch.stack([torch.full((64, 64), 0.3), torch.rand(64, 64)])
    noise = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))
    added = noisy_truth(torch.zeros(2, 64, 64), prediction, noise)
    assert torch.allclose(added[0], torch.tensor(0.3))  # a constant prediction has no variance
    assert added[1].mean().item() == pytest.approx(prediction[1].mean().item(), abs=0.02)
    assert added[1].std().item() == pytest.approx(prediction[1].std().item(), rel=0.05)
    truth = torch.rand(2, 64, 64).round()
    assert torch.equal(noisy_truth(truth, prediction, noise, share=0), truth)

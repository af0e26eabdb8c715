import math

import pytest
import torch

from fastgan_core.losses import balanced_cross_entropy, dice_loss


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

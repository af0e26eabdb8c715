"""`lite` over a clip, with the gradient through what it remembers, and the loss of that."""

import pytest
import torch

from fastgan_core.data.synthesis import Clips
from fastgan_core.model import Lite
from fastgan_core.model.aggregation import aggregate
from fastgan_core.training.lite.unroll import aggregated, clip_loss, planes, unroll
from fastgan_core.training.losses import balanced_cross_entropy


def clips(count=2, frames=4, objects=2, size=64) -> Clips:
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(count, frames, objects, size, size)
    masks[:, :, 0, :20, :20] = 1
    masks[:, :, 1, 30:50, 10:40] = 1
    frames = torch.rand(count, frames, 3, size, size, generator=generator)
    return Clips(frames, masks, torch.ones(count, objects, dtype=torch.bool))


@pytest.fixture(scope="module")
def lite():
    torch.manual_seed(0)
    return Lite()


def run(lite, batch, forget=None):
    count, frames, objects = batch.masks.shape[:3]
    forget = torch.zeros(frames - 1, count * objects, dtype=torch.bool) if forget is None else forget
    return unroll(lite, batch, forget)


def test_the_gradient_reaches_every_weight(lite):
    lite.zero_grad()
    batch = clips()
    loss, iou = clip_loss(run(lite, batch), batch, 1.0, 0.5)
    loss.backward()
    still = [name for name, p in lite.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still
    assert all(torch.isfinite(p.grad).all() for p in lite.parameters())
    assert 0 <= iou <= 1


def test_the_gradient_stays_finite_when_objects_are_lost(lite):
    lite.zero_grad()
    batch = clips()
    forget = torch.rand(3, 4, generator=torch.Generator().manual_seed(1)) < 0.5
    assert forget[1:].any()
    clip_loss(run(lite, batch, forget), batch, 0.5, 0.5)[0].backward()
    assert all(torch.isfinite(p.grad).all() for p in lite.parameters())


def test_a_later_frame_depends_on_what_was_found_before(lite):
    batch = clips()
    logits = run(lite, batch)
    assert logits.shape == (2, 3, 2, 64, 64)
    forget = torch.zeros(3, 4, dtype=torch.bool)
    forget[2, 0] = True
    changed = run(lite, batch, forget)
    torch.testing.assert_close(changed[:, :2], logits[:, :2])
    assert not torch.allclose(changed[0, 2, 0], logits[0, 2, 0])
    torch.testing.assert_close(changed[1], logits[1])


def test_objects_that_are_none_get_nothing(lite):
    batch = clips()
    batch.valid[0, 1] = False
    batch.masks[0, :, 1] = 0
    masks = aggregated(run(lite, batch)[:, -1])
    assert masks[0, 1].max() < 1e-6
    assert masks.sum(dim=1).max() <= 1 + 1e-5


def test_overlaps_are_resolved_as_the_tracker_does():
    logits = 3 * torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    together = aggregated(logits.transpose(0, 1))[0]
    torch.testing.assert_close(together, aggregate(logits, torch.zeros(3, dtype=torch.bool))[:, 0])


def test_planes_are_own_and_others():
    rows = planes(torch.tensor([0.2, 0.7, 0.9]).view(1, 3, 1, 1))
    torch.testing.assert_close(rows.flatten(1), torch.tensor([[0.2, 1.0], [0.7, 1.0], [0.9, 0.9]]))


def test_the_loss_of_the_truth_is_nothing():
    batch = clips()
    logits = 60 * batch.masks[:, 1:] - 30
    loss, iou = clip_loss(logits, batch, 0.3, 0.5)
    assert loss < 1e-4 and iou == 1
    wrong, none = clip_loss(-logits, batch, 0.3, 0.5)
    assert wrong > 1 and none == 0


def test_hard_pixels_alone_count_for_more():
    batch = clips()
    logits = 60 * batch.masks[:, 1:] - 30
    logits[..., :10, :20] *= -1
    few, all_of_them = (clip_loss(logits, batch, share, 0.0)[0] for share in (0.03, 1.0))
    assert few > 3 * all_of_them


def test_a_balanced_loss_weighs_the_rarer_side_more():
    batch = clips()
    batch.masks[:] = 0
    batch.masks[:, :, 0, :16, :16] = 1  # a sixteenth of the frame
    missed = torch.full_like(batch.masks[:, 1:], -9.0)
    spilt = missed.clone()
    spilt[:, :, 0, :32, :16] = 9.0  # the object, and as much of the background
    plain = [clip_loss(logits, batch, 1.0, 0.0)[0].item() for logits in (missed, spilt)]
    balanced = [clip_loss(logits, batch, 1.0, 0.0, 1.0)[0].item() for logits in (missed, spilt)]
    assert plain[0] == pytest.approx(plain[1], rel=0.01)
    assert balanced[0] == pytest.approx(2 * 15 / 16 * plain[0], rel=0.01)
    assert balanced[1] == pytest.approx(2 * 1 / 16 * plain[1], rel=0.01)
    expected = 2 * balanced_cross_entropy(missed[:, :, :1], batch.masks[:, 1:, :1], 0.25)
    torch.testing.assert_close(clip_loss(missed, batch, 1.0, 0.0, 0.25)[0], expected, rtol=1e-3, atol=1e-4)

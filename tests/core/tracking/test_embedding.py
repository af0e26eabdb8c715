"""What an object is like in the network's own features."""

import pytest
import torch

from fastgan_core.tracking.evidence import confidence, embedding, resemblance

LEFT, RIGHT, SPECK = range(3)


def keys() -> torch.Tensor:
    """A frame of 64 x 96 pixels whose left half has one feature and whose right half another."""
    key = torch.zeros(1, 4, 6, 8)
    key[..., :3, 0], key[..., 3:, 1] = 5, 2
    return key


def masks() -> torch.Tensor:
    out = torch.zeros(3, 1, 64, 96)
    out[LEFT, :, :, :48], out[RIGHT, :, 16:48, 48:], out[SPECK, :, :9, :9] = 1, 1, 1
    return out


def test_it_is_the_mean_key_of_what_is_covered_at_length_one():
    left, right, speck = embedding(keys(), masks())
    assert left.tolist() == pytest.approx([1, *[0] * 7])
    assert right.tolist() == pytest.approx([0, 1, *[0] * 6])
    assert not speck.any(), "it covers less than four cells"
    both = embedding(keys(), torch.ones(1, 1, 64, 96))[0]
    assert both.norm().item() == pytest.approx(1)
    assert (both[0] / both[1]).item() == pytest.approx(5 / 2)
    assert embedding(keys().half(), masks().half()).dtype == torch.float32


def test_it_resembles_the_likest_of_the_views():
    left, right, _ = embedding(keys(), masks())
    nothing = torch.zeros_like(left)
    known = torch.stack([torch.stack([left, right, nothing]), torch.stack([left, nothing, nothing])])
    assert resemblance(torch.stack([right, right]), known).tolist() == pytest.approx([1, 0])
    assert resemblance(torch.stack([-left, -left]), known).tolist() == [0, 0]


def test_of_what_is_too_small_nothing_is_known():
    left, _, speck = embedding(keys(), masks())
    assert resemblance(speck[None], left[None, None]).isnan().all()
    assert resemblance(left[None], speck[None, None]).isnan().all()


def test_something_else_of_the_same_colours_is_not_taken_for_the_object():
    sure, alike = torch.full((3,), 0.96), torch.full((3,), 0.95)
    right, stranger, small = confidence(sure, alike, torch.tensor([0.93, 0.5, torch.nan])).tolist()
    assert right > 0.8 and small > 0.8
    assert stranger < 0.1
    assert confidence(sure * 0, alike, torch.ones(3)).tolist() == [0, 0, 0], "a mask of no pixel"

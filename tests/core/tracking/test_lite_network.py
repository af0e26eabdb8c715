"""What the default network remembers of an object, when, and for how long."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from footage import frame, labels

from fastgan_core.model.lite_step import LAST, RING, WHOLE, planes
from fastgan_core.tracking.evidence import resemblance
from fastgan_core.tracking.lite_network import EVERY, LiteState
from fastgan_core.tracking.network import VIEWS, Verdict
from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.opening import runnable
from fastgan_core.tracking.step import advance
from fastgan_core.tracking.tracker import Tracker

SIZE = (64, 96)


@pytest.fixture
def network(lite):
    return runnable(lite, "lite", "torch", "cpu", "fp32")


@pytest.fixture
def state(network) -> LiteState:
    """Two objects that were just marked, one above the other."""
    masks = torch.zeros(2, 1, *SIZE)
    masks[0, :, :32], masks[1, :, 32:] = 1, 1
    with torch.inference_mode():
        return network.start(torch.rand(1, 3, *SIZE), masks)[0]


def verdict(lost=(False, False), sure=(True, True)) -> Verdict:
    lost = torch.tensor(lost)
    return Verdict(lost, torch.zeros_like(lost), torch.tensor(sure) & ~lost)


def kept(network, state: LiteState, number: int, what: Verdict) -> LiteState:
    """The state after a frame whose key and values are this number everywhere."""
    image, nothing = torch.rand(1, 3, *SIZE), torch.zeros(2, dtype=torch.bool)
    with torch.inference_mode():
        _, seen = network.step(image, state, nothing)
        seen = seen._replace(key=torch.full_like(seen.key, number), value=torch.full_like(seen.value, number))
        return network.keep(state, seen, torch.rand(2, 1, *SIZE), what)


def remembered(state: LiteState, row: int) -> list[float]:
    """The number in each slot of an object's memory; NaN where nothing is."""
    keys, values = (
        torch.cat([whole[row, :, 0, 0, 0], ring[row, :, 0, 0, 0]])
        for whole, ring in ((state.keys, state.ring_keys), (state.values, state.ring_values))
    )
    assert torch.equal(keys[LAST:], values[LAST:])
    there = state.absent[row] == 0
    assert torch.equal(state.absent[row] == float("-inf"), ~there)
    return torch.where(there, values, torch.nan).tolist()


def test_an_object_that_was_marked_has_its_reference_and_nothing_else(network, state):
    assert (state.absent == 0).sum(dim=1).tolist() == [1, 1]
    assert not state.memory.any()
    assert not torch.equal(state.values[0, 0], state.values[1, 0])
    assert torch.equal(state.keys[0, 0], state.keys[1, 0])


def test_the_last_frame_is_kept_and_the_ring_is_filled_in_turn(network, state):
    reference = state.values[:, 0].clone()
    last, rings = [], []
    for number in range(1, 4 * EVERY * RING):
        state = kept(network, state, number, verdict())
        _, *slots = remembered(state, 0)
        last.append(slots[0])
        rings.append(sorted(value for value in slots[1:] if not math.isnan(value)))
    assert last == list(range(1, 4 * EVERY * RING))
    assert rings[EVERY - 2] == []
    assert rings[EVERY - 1] == [EVERY]
    assert rings[RING * EVERY] == [EVERY * n for n in range(1, RING + 1)]
    assert rings[-1] == [EVERY * n for n in range(3 * RING, 4 * RING)]
    assert torch.equal(state.values[:, 0], reference)


def test_an_object_that_is_not_surely_seen_is_not_taken_into_the_ring(network, state):
    for number in range(1, 2 * EVERY + 1):
        state = kept(network, state, number, verdict(sure=(False, number > EVERY)))
    for row, ring in ((0, 0), (1, 1)):
        _, last, *slots = remembered(state, row)
        assert last == 2 * EVERY
        assert sum(not math.isnan(value) for value in slots) == ring
        assert 2 * EVERY in slots or not ring


def test_a_lost_object_forgets_the_last_frame_and_nothing_else(network, state):
    state = state._replace(memory=torch.ones_like(state.memory))
    for number in range(1, EVERY + 1):
        state = kept(network, state, number, verdict())
    before = remembered(state, 0)
    state = kept(network, state, 99, verdict(lost=(True, False)))
    lost, other = remembered(state, 0), remembered(state, 1)
    assert np.isnan(lost[LAST]) and other[LAST] == 99
    assert np.array_equal(lost[LAST + 1 :], before[LAST + 1 :], equal_nan=True)
    assert not state.memory[0].any() and state.memory[1].any()
    back = kept(network, state, 100, verdict())
    assert remembered(back, 0)[LAST] == 100


@torch.inference_mode()
def test_added_views_stay_beside_the_reference_and_the_oldest_of_them_gives_way(network, state):
    image, masks = torch.rand(1, 3, *SIZE), torch.zeros(2, 1, *SIZE)
    masks[:, :, :, 48:] = 1
    for number in range(1, EVERY * RING + 1):
        state = kept(network, state, number, verdict())
    reference, views = state.values[:, 0].clone(), []
    small = torch.zeros(*SIZE, 3, dtype=torch.uint8)
    first = torch.nn.functional.normalize(torch.rand(2, state.keys.shape[-1]), dim=1)
    objects = Objects.new((1, 2), small, masks, state, first)
    for count in range(1, VIEWS + 2):
        state, features = network.add_view(image + count / 10, masks, state)
        objects = objects.seen_again(small, masks, state, features)
        there = min(count, VIEWS - 1)
        assert (state.absent == 0).sum(dim=1).tolist() == [1 + there] * 2, "what it had remembered by itself is gone"
        assert not state.memory.any()
        new = [value for value in state.ring_values[0, RING - there :] if not any(torch.equal(value, v) for v in views)]
        assert len(new) == 1
        views = [*views, new[0]][-(VIEWS - 1) :]
        for number in range(1, 2 * EVERY * RING):
            state = kept(network, state, number, verdict())
        assert torch.equal(state.values[:, 0], reference)
        assert torch.equal(objects.features[:, 0], first)
        assert objects.features.any(dim=2).sum(dim=1).tolist() == [2 + there] * 2, "what is known lately beside them"
        assert torch.equal(objects.features[:, 1], objects.features[:, -1])
        assert torch.equal(*objects.features[:, 1]), "of both objects the same was marked"
        assert all(any(torch.equal(value, view) for value in state.ring_values[0]) for view in views)
    assert (state.absent == 0).all()


def test_what_others_have_is_at_most_one_and_leaves_out_what_is_lost():
    masks = torch.tensor([0.5, 0.4, 0.8]).view(3, 1, 1, 1)
    nobody = torch.zeros(3, 1, 1, 1, dtype=torch.bool)
    assert planes(masks, nobody).flatten(1).tolist() == [
        pytest.approx(pair) for pair in ([0.5, 1.0], [0.4, 1.0], [0.8, 0.9])
    ]
    lost = torch.tensor([False, False, True]).view(3, 1, 1, 1)
    assert planes(masks, lost).flatten(1).tolist() == [
        pytest.approx(pair) for pair in ([0.5, 0.4], [0.4, 0.5], [0.8, 0.9])
    ]


@torch.inference_mode()
def test_the_order_of_objects_does_not_matter_and_a_lost_one_does_not_touch_the_others(network, state):
    image, nothing = torch.rand(1, 3, *SIZE), torch.zeros(2, dtype=torch.bool)
    logits, seen = network.step(image, state, nothing)
    other, seen_other = network.step(image, LiteState(*(tensor.flip(0) for tensor in state)), nothing)
    torch.testing.assert_close(other.flip(0), logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen_other.value.flip(0), seen.value, rtol=1e-4, atol=1e-5)
    alone, seen_alone = network.step(image, LiteState(*(tensor[:1] for tensor in state)), nothing[:1])
    beside, seen_beside = network.step(image, state, torch.tensor([False, True]))
    torch.testing.assert_close(beside[:1], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen_beside.value[:1], seen_alone.value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits[:1], alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(seen.value[:1], seen_alone.value, rtol=1e-4, atol=1e-5), "one that is followed does"


@torch.inference_mode()
def test_what_was_marked_resembles_itself_and_another_view_is_enough(network, state):
    nothing, image, masks = torch.zeros(2, dtype=torch.bool), torch.rand(1, 3, *SIZE), torch.zeros(2, 1, *SIZE)
    image[..., 48:] = 0
    masks[0, :, :32], masks[1, :, 32:] = 1, 1
    right = torch.zeros_like(masks)
    right[..., 48:] = 1
    small = torch.zeros(*SIZE, 3, dtype=torch.uint8)
    marked = Objects.new((1, 2), small, masks, *network.start(image, masks))
    _, seen = network.step(image, marked.state, nothing)
    here, elsewhere = network.features(seen, masks), network.features(seen, right)
    assert resemblance(here, marked.features).tolist() == pytest.approx([1, 1], abs=1e-4)
    assert (resemblance(elsewhere, marked.features) < 0.999).all()
    twice = marked.seen_again(small, right, *network.add_view(image, right, marked.state))
    assert resemblance(elsewhere, twice.features).tolist() == pytest.approx([1, 1], abs=1e-4)
    assert resemblance(here, twice.features).tolist() == pytest.approx([1, 1], abs=1e-4)


@torch.inference_mode()
def test_the_memory_fits_another_aspect(lite):
    tracker = Tracker(lite, device="cpu", precision="fp32", size=64)
    tracker.lost_threshold = 0.0
    tracker.set_reference(frame(), labels(1, 2))
    for seed in range(EVERY):
        tracker.step(frame(seed=seed))
    before = tracker._objects
    wide = before.resized((32, 128))
    assert wide.state.keys.shape == (2, WHOLE, 2, 8, before.state.keys.shape[-1])
    assert wide.state.ring_keys.shape == (2, RING, 1, 4, before.state.keys.shape[-1])
    assert torch.equal(wide.state.absent, before.state.absent)
    torch.testing.assert_close(wide.state.values.mean(), before.state.values.mean(), rtol=0.2, atol=0.01)
    assert before.resized(before.size) is before
    small = torch.zeros(32, 128, 3, dtype=torch.uint8)
    after, logits, _ = advance(tracker._network, small, wide, 0.0)
    assert logits.isfinite().all() and after.size == (32, 128)


def test_no_arithmetic_with_what_is_absent(network, state):
    """A lost object with the reference alone, for twenty frames: nothing becomes NaN."""
    features = torch.zeros(2, state.keys.shape[-1])
    objects = Objects.new((1, 2), torch.zeros(*SIZE, 3, dtype=torch.uint8), torch.ones(2, 1, *SIZE), state, features)
    with torch.inference_mode():
        for _ in range(20):
            objects, logits, _ = advance(network, torch.zeros(*SIZE, 3, dtype=torch.uint8), objects, 1.1)
    assert objects.lost.all()
    assert logits.isfinite().all()
    assert all(tensor.isfinite().all() for name, tensor in objects.state._asdict().items() if name != "absent")


def test_memory_is_flat_over_300_frames(lite):
    tracker = Tracker(lite, device="cpu", precision="fp32", size=32)
    tracker.lost_threshold = 0.0
    tracker.set_reference(frame(), labels(1, 2))
    frames = [frame(seed=seed) for seed in range(4)]

    def run(count: int) -> int:
        for number in range(count):
            tracker.step(frames[number % 4])
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4  # KiB

    before = run(60)
    assert run(300) - before < 4000

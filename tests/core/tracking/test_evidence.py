import numpy as np
import pytest
import torch

from fastgan_core.scenes import hiding
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracking.evidence import BINS, COPIES, _counted, colours, confidence, followed, likeness

UNKNOWN = torch.tensor(torch.nan)  # resemblance of what is too small


def painted(rgb, light=1.0) -> torch.Tensor:
    """A frame of one colour with some grain."""
    grain = np.random.default_rng(0).integers(-6, 7, (64, 96, 3))
    return torch.from_numpy(np.clip(np.array(rgb) * light + grain, 0, 255).astype(np.uint8))


def test_colours_are_those_under_the_mask():
    frame = torch.cat([painted((200, 40, 40)), painted((40, 160, 60))], dim=1)
    masks = torch.zeros(3, 1, 64, 192)
    masks[0, :, :, :96], masks[1, :, :, 96:] = 1, 0.5
    red, green, nothing = colours(frame, masks)
    assert red.shape == (BINS,)
    assert red.sum().item() == pytest.approx(1)
    assert green.sum().item() == pytest.approx(1)
    assert not nothing.any()
    torch.testing.assert_close(colours(frame, masks / 2)[0], red)
    assert likeness(red[None], green[None, None]).item() == pytest.approx(0, abs=1e-3)
    assert likeness(red[None], red[None, None]).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_copies_of_the_bins_count_the_same(count):
    random = torch.Generator().manual_seed(0)
    place = torch.randint(0, BINS, (999,), generator=random)
    weights = torch.rand(count, 999, generator=random)
    rows = torch.nn.functional.one_hot(place, BINS).float()
    for copies in (1, COPIES):
        torch.testing.assert_close(_counted(place, weights, copies), weights @ rows)


def test_half_the_light_is_nearly_the_same_colour_and_another_colour_is_not():
    everything = torch.ones(1, 1, 64, 96)
    look = colours(painted((180, 120, 60)), everything)[:, None]
    darker = likeness(colours(painted((180, 120, 60), light=0.6), everything), look).item()
    other = likeness(colours(painted((60, 120, 180)), everything), look).item()
    assert darker > 0.5
    assert other < 0.1


def test_an_object_is_as_like_as_the_likest_of_its_looks():
    everything = torch.ones(1, 1, 64, 96)
    tones = (180, 120, 60), (60, 120, 180), (40, 160, 60)
    front, back, other = (colours(painted(tone), everything) for tone in tones)
    looks = torch.stack([front, back, torch.zeros_like(back)], dim=1)
    assert [likeness(seen, looks).item() for seen in (front, back)] == pytest.approx([1, 1], abs=1e-5)
    assert likeness(other, looks).item() < 0.1


def test_an_object_too_small_to_have_colours_is_the_networks_to_judge():
    masks = torch.zeros(2, 1, 64, 96)
    masks[0, :, 1:4, 1:4], masks[1] = 1, 1
    look = colours(painted((180, 120, 60)), masks)
    assert not look[0].any()
    alike = likeness(colours(painted((60, 120, 180)), masks), look[:, None])
    assert confidence(torch.ones(2), alike, UNKNOWN).tolist() == pytest.approx([0.97, 0], abs=0.03)


def test_confidence_needs_both_a_sure_network_and_the_colours():
    sureness, alike = torch.tensor([0.97, 0.97, 0.6, 0.0]), torch.tensor([0.97, 0.3, 0.97, 0.0])
    right, elsewhere, unsure, nothing = confidence(sureness, alike, UNKNOWN).tolist()
    assert 0.9 < right < 1
    assert elsewhere < 0.1
    assert unsure < 0.1
    assert nothing == 0


def test_what_is_known_lately_follows_what_was_surely_seen():
    first = torch.eye(4)[:2]  # of two objects
    looks = torch.stack([first, torch.zeros(2, 4), first], dim=1)
    found, both = torch.eye(4)[[2, 3]], torch.tensor([True, True])
    after = followed(looks, found, torch.tensor([True, False]), 0.25)
    assert torch.equal(after[:, :2], looks[:, :2])
    assert after[0, 2].tolist() == pytest.approx([0.75, 0, 0.25, 0])
    assert torch.equal(after[1], looks[1]), "it was not surely seen"
    assert torch.equal(followed(looks, torch.zeros(2, 4), both, 0.25), looks), "what is not known is not followed"
    assert torch.equal(followed(torch.zeros_like(looks), found, both, 0.25)[:, 2], found), "the first time"
    assert torch.equal(followed(looks, found, both, 0.0), looks)
    assert not followed(torch.zeros_like(looks), found, both, 0.0).any(), "nor what was not known before"
    for _ in range(20):
        looks = followed(looks, found, both, 0.25)
    assert likeness(found, looks).tolist() == pytest.approx([1, 1], abs=0.01)
    assert likeness(first, looks).tolist() == pytest.approx([1, 1], abs=0.01), "where it was marked is not forgotten"


@pytest.fixture
def pairs():
    scene = Scene(160, 120, 60)
    return [scene[i] for i in range(20)]  # the whole object is in sight


@pytest.mark.parametrize("how", [hiding.curtain, hiding.away])
def test_a_clip_with_the_object_out_of_sight_for_a_while(pairs, how):
    views = list(how(pairs, np.full((90, 90, 3), 99, np.uint8), np.random.default_rng(3)))
    assert len(views) == len(pairs)
    gone = [view.gone for view in views]
    assert 4 <= sum(gone) <= 10
    assert np.abs(np.diff(np.array(gone, int))).sum() == 2  # one time
    for view, (frame, labels) in zip(views, pairs, strict=True):
        assert view.frame.shape == frame.shape
        assert view.labels.shape == labels.shape
        assert view.labels.any() != view.gone
        if view.seen == 1:
            assert view.labels.sum() == labels.sum()
    assert views[0].seen == views[-1].seen == 1
    assert np.array_equal(views[0].frame, pairs[0][0])


def test_the_drawn_scene_hides_its_object():
    views = list(hiding.drawn(0, 60, 160, 120))
    assert any(view.gone for view in views)
    assert views[0].there
    plain = list(hiding.plain([(view.frame, view.labels) for view in views]))
    assert [view.gone for view in plain] == [view.gone for view in views]

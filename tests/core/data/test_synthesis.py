"""Clips drawn on the device: what moves where, what covers what, and that the masks say so."""

import numpy as np
import pytest
import torch
from footage import picture

from fastgan_core.data.bank import load_bank
from fastgan_core.data.damage import blur, compress, noise, recolour
from fastgan_core.data.motion import bends, drift, matrices
from fastgan_core.data.packs import encode, write_pack
from fastgan_core.data.render import Path, paste, sample
from fastgan_core.data.synthesis import Mix, Synthesis

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder, "stills", [encode(*picture(n), 64, 90) for n in range(6)])
    write_pack(folder, "videos", [encode(*picture(n, box=(10 + 3 * n, 20, 24, 24)), 64, 90, video=0) for n in range(9)])
    return load_bank([folder], 64, CPU)


def still_path(turn=((1.0, 0.0), (0.0, 1.0)), shift=(0.0, 0.0), bend=None) -> Path:
    bend = torch.zeros(1, 1, 2, 3, 3) if bend is None else bend
    return Path(torch.tensor(turn).view(1, 1, 2, 2), torch.tensor(shift).view(1, 1, 2), bend)


def test_a_picture_that_does_not_move_is_drawn_as_it_is():
    pixels = torch.rand(1, 3, 32, 32)
    drawn = sample(pixels, torch.ones(1, 2), still_path(), 32, "reflection")
    torch.testing.assert_close(drawn[:, 0], pixels)
    each = sample(pixels[:, None], torch.ones(1, 2), still_path(), 32, "reflection")
    torch.testing.assert_close(each, drawn)


def test_a_path_says_where_the_picture_is_seen():
    pixels = torch.zeros(1, 1, 64, 64)
    pixels[..., 48, 16] = 1  # x -0.5, y 0.5
    path = still_path(turn=((0.5, 0.0), (0.0, 0.5)), shift=(-0.5, 0.25))
    drawn = sample(pixels, torch.ones(1, 2), path, 64, "zeros")[0, 0, 0]
    place = np.array(np.unravel_index(int(drawn.argmax()), drawn.shape))[::-1]
    np.testing.assert_allclose((place + 0.5) / 32 - 1, [0, 0.5], atol=0.05)  # (-0.5 + 0.5) / 0.5, (0.5 - 0.25) / 0.5


def test_a_stretched_picture_has_its_aspect_back():
    pixels = torch.zeros(1, 1, 64, 64)
    pixels[..., 16:48, 16:48] = 1  # of a picture twice as wide as high: a box of 2:1
    drawn = sample(pixels, torch.tensor([[2.0, 1.0]]), still_path(), 64, "zeros")[0, 0, 0] > 0.5
    assert drawn.any(0).sum() == pytest.approx(64, abs=1) and drawn.any(1).sum() == pytest.approx(32, abs=1)


def test_what_is_pasted_covers_what_is_there():
    frames, masks = torch.zeros(1, 2, 3, 4, 4), torch.ones(1, 2, 2, 4, 4)
    alpha = torch.zeros(1, 2, 1, 4, 4)
    alpha[:, :, :, :2] = 1
    frames, masks = paste(frames, masks, torch.ones_like(frames), alpha)
    assert (frames[..., :2, :] == 1).all() and (frames[..., 2:, :] == 0).all()
    assert (masks[..., :2, :] == 0).all() and (masks[..., 2:, :] == 1).all()


def test_motion_begins_at_rest_and_grows_with_its_strength():
    rng = np.random.default_rng(0)
    paths = drift(rng, 6, np.repeat([0.01, 0.1], 500), 2)
    assert not paths[:, 0].any()
    slow, fast = (np.abs(paths[half, 1]).mean() for half in (slice(500), slice(500, None)))
    assert fast / slow == pytest.approx(10, rel=0.15)
    fields = bends(rng, 40, np.array([0.05]), 5)
    assert fields.std() == pytest.approx(0.05, rel=0.2)
    change = (fields[:, 1:] - fields[:, :-1]).std()
    assert change < 0.8 * fields.std()


def test_matrices_turn_and_scale():
    matrix = matrices(np.array(np.pi / 2), np.array(2.0), np.array(1.0), np.array(1.0))
    np.testing.assert_allclose(matrix @ [1, 0], [0, 2], atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_clips(bank, seed):
    clips = Synthesis(bank, Mix(), {}, seed).draw(5, 4, 2, 64)
    assert clips.frames.shape == (5, 4, 3, 64, 64) and clips.masks.shape == (5, 4, 2, 64, 64)
    assert clips.valid.shape == (5, 2)
    assert torch.isfinite(clips.frames).all() and clips.frames.min() >= 0 and clips.frames.max() <= 1
    assert set(clips.masks.unique().tolist()) <= {0.0, 1.0}
    assert clips.masks.sum(dim=2).max() <= 1, "a pixel is one object's at most"
    assert (clips.masks[:, 0].sum(dim=(2, 3)) > 0).eq(clips.valid).all(), "who is followed is seen in the reference"
    assert clips.valid.any()


def test_clips_depend_on_the_seed_alone(bank):
    first, again, other = (Synthesis(bank, Mix(), {}, seed).draw(2, 3, 2, 64) for seed in (3, 3, 4))
    assert torch.equal(first.frames, again.frames) and torch.equal(first.masks, again.masks)
    assert not torch.equal(first.frames, other.frames)


def test_masks_lie_on_their_objects(bank):
    """Without sprites, bends and colours, what the mask covers has one colour: the box's."""
    mix = Mix(second=0, loose=0, bend=0, colour=0, damage=0)
    clips = Synthesis(bank, mix, {}, 0, video=1).draw(4, 3, 1, 64)
    for clip in range(4):
        inside = clips.frames[clip].permute(0, 2, 3, 1)[clips.masks[clip, :, 0] > 0]
        assert clips.valid[clip].all() and len(inside)
    inside = clips.frames[0, 0].permute(1, 2, 0)[clips.masks[0, 0, 0] > 0]
    assert inside.std(dim=0).max() < 0.12


def test_without_sprites_nothing_is_pasted(bank):
    mix = Mix(whole=1, second=0, loose=0, bend=0, motion=0, colour=0, damage=0, jump=0)
    clips = Synthesis(bank, mix, {}, 0, video=0).draw(3, 4, 2, 64)
    torch.testing.assert_close(clips.frames, clips.frames[:, :1].expand_as(clips.frames))
    assert not clips.valid[:, 1].any()


def test_weights_choose_the_sets(tmp_path):
    write_pack(tmp_path, "one", [encode(*picture(0), 64, 90)] * 3)
    write_pack(tmp_path, "two", [encode(*picture(1), 64, 90)])
    bank = load_bank([tmp_path], 32, CPU)
    synthesis = Synthesis(bank, Mix(), {"one": 3.0, "two": 1.0}, 0)
    drawn = np.bincount([synthesis._still() for _ in range(4000)])
    np.testing.assert_allclose(drawn / 4000, 0.25, atol=0.03)


@pytest.fixture
def frames():
    torch.manual_seed(0)
    return torch.rand(2, 2, 3, 32, 40)


def test_damage_of_strength_nothing_changes_nothing(frames):
    none, generator = torch.zeros(2), torch.Generator()
    torch.testing.assert_close(recolour(frames, none, generator), frames)
    torch.testing.assert_close(blur(frames, none, none, none), frames, rtol=0, atol=2e-3)
    torch.testing.assert_close(noise(frames, none, generator), frames)
    torch.testing.assert_close(compress(frames, none), frames, rtol=0, atol=2e-3)


def test_damage_is_each_clips_own(frames):
    one, generator = torch.tensor([0.0, 1.0]), torch.Generator().manual_seed(0)
    for damaged in (
        recolour(frames, one, generator),
        blur(frames, 5 * one, one, one),
        noise(frames, 0.1 * one, generator),
        compress(frames, one),
    ):
        assert (damaged[0] - frames[0]).abs().max() < 3e-3
        assert (damaged[1] - frames[1]).abs().mean() > 0.01


def test_blur_goes_along_its_line():
    frames = torch.zeros(1, 1, 3, 33, 33)
    frames[..., 16, 16] = 1
    blurred = blur(frames, torch.tensor([8.0]), torch.zeros(1), torch.zeros(1))[0, 0, 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert blurred[16].sum() > 0.99 and blurred[16, 13] > 0.05


def test_coarser_compression_is_further_from_the_picture(frames):
    errors = [(compress(frames, torch.full((2,), c)) - frames).abs().mean().item() for c in (0.2, 1.0, 4.0)]
    assert errors == sorted(errors) and errors[0] < 0.05

import numpy as np
import pytest
import torch

from fastgan_core.data import augment
from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.folders import davis_sequences, still_pairs
from fastgan_core.errors import FastganError


@pytest.fixture
def clips(davis, stills):
    sequences, pairs = davis_sequences(davis, "train"), still_pairs(stills / "shapes")

    def make(share: float, seed: int = 0) -> ClipDataset:
        return ClipDataset(sequences, [(pairs, 1.0)], size=64, frames=3, video_share=share, length=20, seed=seed)

    return make


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_a_clip_is(clips, share):
    visible = []
    for clip in (clips(share)[i] for i in range(12)):
        assert clip["frames"].shape == (4, 3, 64, 64)
        assert clip["frames"].dtype == torch.uint8
        assert clip["masks"].shape == (4, 1, 64, 64)
        assert set(clip["masks"].unique().tolist()) <= {0.0, 1.0}
        assert clip["previous"].shape == (1, 64, 64)
        assert 0 <= clip["previous"].min() <= clip["previous"].max() <= 1
        visible.append(clip["masks"][0].any().item())
    assert np.mean(visible) > 0.9  # the reference shows the object


def test_a_clip_depends_on_seed_and_index_alone(clips):
    a, b, other = clips(0.5)[7], clips(0.5)[7], clips(0.5, seed=1)[7]
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["frames"], other["frames"])


def test_the_object_moves_and_the_mask_moves_with_it(clips):
    moved = [not torch.equal(c["masks"][1], c["masks"][3]) for c in (clips(0.0)[i] for i in range(10))]
    assert np.mean(moved) > 0.8


def test_davis_2017_lists_name_sequences(davis):
    assert [(s.name, len(s)) for s in davis_sequences(davis, "names")] == [("alpha", 8), ("beta", 8)]


def test_missing_data_is_named(davis, tmp_path):
    with pytest.raises(FastganError, match=r"test-dev\.txt"):
        davis_sequences(davis, "test-dev")
    with pytest.raises(FastganError, match="no Images"):
        still_pairs(tmp_path)
    pair = davis_sequences(davis, "train")[0].frames[0]
    broken = type(pair)(tmp_path / "x.jpg", pair.mask)
    with pytest.raises(FastganError, match=r"x\.jpg"):
        broken.load()


def test_similarity_takes_the_centre_where_it_should():
    matrix = augment.similarity((10, 20), (2, 2), 0.7, (30, 40))
    assert matrix @ (10, 20, 1) == pytest.approx((30, 40))
    # A distance doubles, whatever the angle.
    assert np.hypot(*(matrix @ (13, 24, 1) - (30, 40))) == pytest.approx(10)


def test_compose_is_one_after_the_other():
    first, second = augment.similarity((1, 2), (2, 1), 0.3, (4, 5)), augment.similarity((0, 0), (1, 3), -1, (7, 7))
    point = np.array([3.0, -2.0])
    expected = second @ np.append(first @ np.append(point, 1), 1)
    assert augment.compose(second, first) @ np.append(point, 1) == pytest.approx(expected)


def test_rough_masks_are_often_wrong_but_near():
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), np.float32)
    mask[20:44, 16:40] = 1
    overlaps = []
    for _ in range(200):
        rough = augment.rough_mask(rng, mask)
        assert rough.shape == mask.shape
        assert rough.min() >= 0
        assert rough.max() <= 1
        overlaps.append(((rough > 0.5) & (mask > 0.5)).sum() / ((rough > 0.5) | (mask > 0.5)).sum())
    assert 0.02 < np.mean(np.array(overlaps) == 0) < 0.15  # lost
    assert 0.6 < np.median(overlaps) < 1

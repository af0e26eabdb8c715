import numpy as np
import pytest
import torch

from fastgan_core.data import augment
from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.composing import ClipOptions
from fastgan_core.data.folders import Pair, davis_sequences, still_pairs
from fastgan_core.data.loader import load_clips
from fastgan_core.errors import FastganError


@pytest.fixture
def clips(davis, stills):
    sequences, pairs = davis_sequences(davis, "train"), still_pairs(stills / "shapes")

    def make(share: float, seed: int = 0) -> ClipDataset:
        options = ClipOptions(video_share=share, shake=0.4, colour=1, rough=0.65, distractors=0.45, occluders=0.25)
        options.start_at_reference = 0.3
        return ClipDataset(sequences, [(pairs, 1.0)], size=64, frames=3, length=20, options=options, seed=seed)

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
    assert all(torch.equal(a[k], b[k]) for k in ("frames", "masks", "previous"))
    assert a["seed"] == b["seed"] != other["seed"]
    assert not torch.equal(a["frames"], other["frames"])


def test_the_object_moves_and_the_mask_moves_with_it(clips):
    moved = [not torch.equal(c["masks"][1], c["masks"][3]) for c in (clips(0.0)[i] for i in range(10))]
    assert np.mean(moved) > 0.8


def test_what_passes_behind_may_be_a_second_object(clips):
    one, two, there = clips(0.5), clips(0.5), []
    two.objects = 2
    for i in range(20):
        first, both = one[i], two[i]
        there.append(both["there"].tolist())
        assert (both["masks"].shape, both["previous"].shape) == ((4, 2, 64, 64), (2, 64, 64))
        assert both["masks"].sum(dim=1).max() <= 1, "a pixel is one object's at most"
        assert torch.equal(first["masks"][1:], both["masks"][1:, :1])
        assert both["masks"][0, 1].any().item() == there[-1][1]
        assert there[-1][1] or (not both["previous"][1].any() and not both["masks"][:, 1].any())
    assert all(first for first, _ in there)
    assert 2 < sum(second for _, second in there) < 16, "in some clips nothing passes behind"


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
    assert 0.03 < np.mean(np.array(overlaps) == 0) < 0.22  # lost
    assert 0.5 < np.median(overlaps) < 1


def test_an_object_that_is_away_is_in_no_mask_and_comes_back(clips):
    states = set()
    for i in range(200):
        data = clips(0.0, seed=5)
        data.options = ClipOptions(video_share=0, start_at_reference=0.5)
        visible = data[i]["masks"].flatten(1).any(dim=1).tolist()
        assert visible[0]  # the reference always shows it
        states.add(tuple(visible))
    assert any(False in s and s[-1] for s in states)


def test_objects_of_videos_go_out_of_sight_as_well(clips):
    data, gone, covered = clips(1.0), 0, 0
    data.objects = 2
    for i in range(40):
        data.options = ClipOptions(video_share=1.0, distractors=0.5)
        data._composer.options = data.options
        there = data[i]
        data._composer.options = ClipOptions(video_share=1.0, distractors=0.5, absent=1.0)
        clip = data[i]
        assert torch.equal(clip["frames"][0], there["frames"][0]), "the reference always shows it"
        assert torch.equal(clip["masks"][0], there["masks"][0])
        for t in range(1, 4):
            lost = there["masks"][t, 0].any() and not clip["masks"][t, 0].any()
            gone += int(lost)
            changed = (clip["frames"][t] != there["frames"][t]).any(dim=0)
            assert not lost or changed[there["masks"][t, 0] > 0].float().mean() > 0.8, "it is not in the picture either"
            covered += int(lost and not changed.all() and changed.float().mean() < 0.8)
            assert (clip["masks"][t] <= there["masks"][t]).all()
    assert gone > 20
    assert 2 < covered < gone, "a place elsewhere, or something that covers the object alone"


def test_a_clip_of_the_paper_is_a_similarity_of_the_frames(davis):
    """Without the extras the frames of a clip are one view: a still video stays still."""
    sequences = davis_sequences(davis, "train")
    one = type(sequences[0])("still", (sequences[0].frames[0],) * 8)
    clip = ClipDataset([one], [], size=64, frames=3, length=9, options=ClipOptions())[4]
    assert torch.equal(clip["frames"][1], clip["frames"][3])
    assert torch.equal(clip["masks"][1, 0], (clip["previous"][0] > 0.5).float())


def test_the_reference_may_be_the_frame_before(davis, stills):
    sequences, pairs = davis_sequences(davis, "train"), still_pairs(stills / "shapes")
    for video in (0.0, 1.0):
        options = ClipOptions(video_share=video, start_at_reference=1.0)
        data = ClipDataset(sequences, [(pairs, 1.0)], 64, 2, 20, options)
        clips = [data[i] for i in range(20)]
        before = [clip for clip in clips if clip["previous"].max() > 0.5]
        assert len(before) > 10
        assert all(torch.equal(clip["masks"][0], (clip["previous"] > 0.5).float()) for clip in before)


def test_broken_files_end_the_run_or_are_skipped_and_counted(davis, tmp_path, capsys):
    sequence = davis_sequences(davis, "train")[0]
    broken = Pair(tmp_path / "gone.jpg", sequence.frames[3].mask)
    cracked = type(sequence)("cracked", (*sequence.frames[:3], broken, *sequence.frames[4:]))
    options = ClipOptions()
    clips = ClipDataset([cracked, sequence], [], size=64, frames=2, length=30, options=options)
    with pytest.raises(FastganError, match=r"gone\.jpg"):
        [clips[i] for i in range(30)]
    with pytest.raises(FastganError) as error:  # of a loader process: the sentence alone
        list(load_clips(clips, list(range(30)), 2, workers=1))
    assert "\n" not in str(error.value)
    assert "gone.jpg" in str(error.value)
    options.skip_broken = True
    skipped = [clips[i]["skipped"] for i in range(30)]
    assert 0 < sum(skipped) == capsys.readouterr().err.count("gone.jpg")

"""The scene with known truth: the same each time, true, and not to be followed by standing still."""

import cv2
import numpy as np
import pytest

from fastgan_core.errors import FastganError
from fastgan_core.scenes.scene import Scene

WIDTH, HEIGHT, LENGTH = 160, 120, 100


@pytest.fixture(scope="module")
def scene():
    return Scene(WIDTH, HEIGHT, LENGTH)


@pytest.fixture(scope="module")
def labels(scene):
    """(LENGTH, HEIGHT, WIDTH) uint8."""
    return np.stack([scene[i][1] for i in range(LENGTH)])


@pytest.fixture(scope="module")
def hidden(scene):
    return np.array([scene.hidden(i) for i in range(LENGTH)])


def test_frames_and_labels_are_what_the_tracker_takes(scene):
    for index in (0, 46, 75):
        frame, labels = scene[index]
        assert frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8
        assert labels.shape == (HEIGHT, WIDTH) and labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {0, 1}
    assert len(scene) == LENGTH


def test_the_same_seed_and_index_give_the_same_frame_in_any_order(scene):
    other = Scene(WIDTH, HEIGHT, LENGTH)
    for index in (70, 3, 46):
        for ours, theirs in zip(scene[index], other[index], strict=True):
            assert (ours == theirs).all()
    assert (Scene(WIDTH, HEIGHT, LENGTH, seed=1)[0][0] != scene[0][0]).mean() > 0.5


def test_it_goes_round_without_a_seam(scene, labels):
    assert (scene[LENGTH][0] == scene[0][0]).all()
    assert (scene[3 * LENGTH + 7][1] == labels[7]).all()
    steps = [np.mean(labels[i] != labels[i - 1]) for i in range(LENGTH)]  # i = 0: last frame to first
    assert max(steps) < 0.06 and np.median(steps) > 0.005  # no jump anywhere, hardly ever at rest


def test_the_first_frame_shows_the_whole_object_at_a_decent_size(scene, labels):
    assert scene.hidden(0) == 0
    assert 0.08 < labels[0].mean() < 0.15
    assert not labels[:, [0, -1]].any() and not labels[..., [0, -1]].any()  # nor does it ever leave


def test_it_is_hidden_partly_shown_again_hidden_wholly_and_comes_out(labels, hidden):
    whole = np.flatnonzero(hidden == 1)
    assert 1 <= len(whole) <= 0.05 * LENGTH
    assert (labels[whole] == 0).all()
    assert 0.15 < hidden[: LENGTH // 4].max() < 0.4  # the look behind the tree
    assert hidden[LENGTH // 4 : whole[0]].min() == 0
    assert (hidden[whole[-1] + LENGTH // 6 :] == 0).all()
    assert (np.diff(hidden[whole[0] - LENGTH // 10 : whole[0] + 1]) >= 0).all()


def test_the_labels_are_the_pixels_that_the_object_paints():
    """Change only the object's skin: the picture is to change under the labels and nowhere else."""
    pale, dark = Scene(WIDTH, HEIGHT, LENGTH), Scene(WIDTH, HEIGHT, LENGTH)
    pale._object._texture = np.full_like(pale._object._texture, 150)
    dark._object._texture = np.zeros_like(dark._object._texture)
    for index in (0, 18, 42, 54, 75):
        (one, labels), (two, _) = pale[index], dark[index]
        change = np.abs(one.astype(int) - two).max(axis=2)
        # At the rim half the least light, at the tree's edge half of that; antialiasing reaches a little on.
        assert (change[labels == 1] >= 150 * 0.2 / 4 - 1).all()
        rim = cv2.dilate(labels, np.ones((5, 5), np.uint8))
        assert (change[rim == 0] == 0).all()


def test_the_object_turns_grows_and_changes_its_shape(labels, hidden):
    area = labels.mean(axis=(1, 2))[hidden == 0]
    assert area.max() / area.min() > 1.8

    def aligned(mask):
        x, y, w, h = cv2.boundingRect(mask)
        return cv2.resize(mask[y : y + h, x : x + w], (64, 64)) > 0

    shapes = [aligned(mask) for mask in labels[hidden == 0][::5]]
    alike = [(shapes[0] & s).sum() / (shapes[0] | s).sum() for s in shapes[1:]]
    assert min(alike) < 0.88


def test_repeating_the_first_mask_is_no_answer(labels):
    seen = labels[labels.any(axis=(1, 2))].astype(bool)
    first = seen[0]
    iou = (seen & first).sum(axis=(1, 2)) / (seen | first).sum(axis=(1, 2))
    assert iou.mean() < 0.4


def test_other_sizes_have_the_same_story():
    for width, height in ((64, 64), (240, 135), (101, 180)):
        scene = Scene(width, height, 50)
        frame, labels = scene[0]
        assert frame.shape == (height, width, 3)
        assert 0.04 < labels.mean() < 0.16
        assert max(scene.hidden(i) for i in range(18, 28)) > 0.95
        assert scene.hidden(40) == 0


@pytest.mark.parametrize("size", [(63, 480, 300), (640, 0, 300), (640, 480, 1)])
def test_what_cannot_be_drawn_is_refused(size):
    with pytest.raises(FastganError, match="use"):
        Scene(*size)

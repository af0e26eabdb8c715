"""Values of the official davis2017-evaluation tool."""

import json

import cv2
import numpy as np
import pytest

from fastgan_core.data.folders import davis_sequences
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.metrics import (
    boundary,
    contour_accuracy,
    dilate,
    measures,
    region_similarity,
    score_sequence,
    statistics,
)


def rectangle(shift: int = 0) -> np.ndarray:
    mask = np.zeros((480, 854), bool)
    mask[100 + shift : 200 + shift, 300 + shift : 500 + shift] = True
    return mask


def circle(radius: int) -> np.ndarray:
    y, x = np.mgrid[:480, :854]
    return (y - 240) ** 2 + (x - 427) ** 2 <= radius**2


EMPTY = np.zeros((480, 854), bool)
OFFICIAL = [
    # In the order of the file of golden values.
    (rectangle(), rectangle(), 1.0, 1.0),
    (rectangle(), rectangle(5), 0.862631, 1.0),
    (rectangle(), rectangle(8), 0.790831, 0.975),
    (rectangle(), rectangle(9), 0.768425, 0.056667),
    (rectangle(), rectangle(20), 0.5625, 0.056667),
    (circle(60), circle(70), 0.734339, 0.0),
    (EMPTY, rectangle(), 0.0, 0.0),
    (rectangle(), EMPTY, 0.0, 0.0),
    (EMPTY, EMPTY, 1.0, 1.0),
    (~EMPTY, EMPTY, 0.0, 1.0),
]


@pytest.mark.parametrize(("truth", "prediction", "j", "f"), OFFICIAL)
def test_measures_agree_with_the_official_tool(truth, prediction, j, f):
    assert region_similarity(truth, prediction) == pytest.approx(j, abs=1e-6)
    assert contour_accuracy(truth, prediction) == pytest.approx(f, abs=1e-6)


def test_statistics_by_hand():
    # Nine values: the quarters are 1-3, 3-5, 5-7, 7-9 and share their edges.
    mean, recall, decay = statistics([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert (mean, recall, decay) == (pytest.approx(0.5), pytest.approx(4 / 9), pytest.approx(0.6))


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 8, 13])
def test_dilation_is_that_by_a_disk_and_keeps_the_bits_apart(radius):
    rng = np.random.default_rng(radius)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    for height, width in ((40, 60), (1, 30), (30, 1), (7, 9)):
        bits = rng.integers(0, 4, (height, width), np.uint8) * (rng.random((height, width)) < 0.02)
        expected = cv2.dilate(bits & 1, disk) | cv2.dilate(bits >> 1, disk) << 1
        assert (dilate(bits.astype(np.uint8), radius) == expected).all()


def test_cutting_to_the_masks_changes_nothing():
    rng = np.random.default_rng(0)
    for _ in range(100):
        truth, prediction = masks = rng.random((2, 60, 80)) < rng.choice([0, 0.01])
        for mask in masks:  # rectangles that may touch the image's edges, in noise or not
            y, x = rng.integers(0, 60), rng.integers(0, 80)
            mask[y : y + rng.integers(0, 40), x : x + rng.integers(0, 40)] = True
        y, x = np.mgrid[-3:4, -3:4]
        disk = (x**2 + y**2 <= 9).astype(np.uint8)  # 0.03 of the diagonal
        true, found = boundary(truth.view(np.uint8)), boundary(prediction.view(np.uint8))
        if not true.any() or not found.any():
            expected = float(true.any() == found.any())
        else:
            precision = (found & cv2.dilate(true, disk)).sum() / found.sum()
            recall = (true & cv2.dilate(found, disk)).sum() / true.sum()
            expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert measures(truth, prediction, tolerance=0.03) == pytest.approx(
            (region_similarity(truth, prediction), expected)
        )


def test_masks_of_different_sizes_are_refused():
    with pytest.raises(FastganError, match="resize"):
        measures(EMPTY, EMPTY[:-1])


# The first mask repeated, in the order mean, recall, decay of J and then of F.
REPEATED = {
    "dance-jump": (0.430171, 0.172414, 0.123073, 0.311987, 0.034483, -0.00634),
    "flamingo": (0.401443, 0.089744, 0.12334, 0.379512, 0.141026, 0.16751),
    "horsejump-low": (0.308401, 0.172414, 0.483322, 0.360849, 0.206897, 0.51474),
    "motorbike": (0.229853, 0.243902, 0.662298, 0.280889, 0.243902, 0.78201),
    "scooter-gray": (0.174713, 0.027397, 0.379899, 0.166343, 0.013699, 0.335427),
}
NAMES = ("J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


@pytest.mark.parametrize("name", REPEATED)
def test_a_whole_sequence_agrees_with_the_official_tool(davis_copy, name):
    sequence = next(s for s in davis_sequences(davis_copy, "val") if s.name == name)
    masks = [pair.load_labels() > 0 for pair in sequence.frames]
    scores = score_sequence(masks, [masks[0]] * len(masks))
    assert [scores[n] for n in NAMES] == pytest.approx(REPEATED[name], abs=1e-6)
    assert scores["J&F-Mean"] == pytest.approx((scores["J-Mean"] + scores["F-Mean"]) / 2)


def test_the_values_above_are_those_of_the_golden_file(davis_copy):
    files = [folder / "metrics_golden.json" for folder in davis_copy.parents[:2]]
    file = next((f for f in files if f.is_file()), None)
    if file is None:
        pytest.skip(f"no metrics_golden.json in {files[0].parent} or {files[1].parent}")
    golden = json.loads(file.read_text())
    for (truth, prediction, j, f), (name, value) in zip(OFFICIAL, golden["masks"].items(), strict=True):
        assert (value["J"], value["F"]) == (j, f), name
        assert measures(truth, prediction) == pytest.approx((j, f), abs=1e-6), name
    assert golden["sequences"].keys() == REPEATED.keys()
    for name, value in golden["sequences"].items():
        assert (*value["J_mean_recall_decay"], *value["F_mean_recall_decay"]) == REPEATED[name]

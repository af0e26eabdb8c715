"""Values of the official davis2017-evaluation tool."""

import numpy as np
import pytest

from fastgan_core.baselines import Repeat
from fastgan_core.errors import FastganError
from fastgan_core.evaluation import evaluate
from fastgan_core.metrics import contour_accuracy, dilate, measures, region_similarity, statistics


def rectangle(shift: int = 0) -> np.ndarray:
    mask = np.zeros((480, 854), bool)
    mask[100 + shift : 200 + shift, 300 + shift : 500 + shift] = True
    return mask


def circle(radius: int) -> np.ndarray:
    y, x = np.mgrid[:480, :854]
    return (y - 240) ** 2 + (x - 427) ** 2 <= radius**2


EMPTY = np.zeros((480, 854), bool)
OFFICIAL = [
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


OFFICIAL_SEQUENCES = {
    "dance-jump": (0.430171, 0.172414, 0.123073, 0.311987, 0.034483, -0.00634),
    "flamingo": (0.401443, 0.089744, 0.12334, 0.379512, 0.141026, 0.16751),
    "horsejump-low": (0.308401, 0.172414, 0.483322, 0.360849, 0.206897, 0.51474),
    "motorbike": (0.229853, 0.243902, 0.662298, 0.280889, 0.243902, 0.78201),
    "scooter-gray": (0.174713, 0.027397, 0.379899, 0.166343, 0.013699, 0.335427),
}


def test_whole_sequences_agree_with_the_official_tool(held_out):
    for scored in evaluate(Repeat(), held_out):
        row = scored.objects[1]
        found = [row[f"{m}-{s}"] for m in "JF" for s in ("Mean", "Recall", "Decay")]
        assert found == pytest.approx(OFFICIAL_SEQUENCES[scored.sequence], abs=1e-6), scored.sequence


@pytest.mark.parametrize("seed", range(8))
def test_contours_match_within_a_disk_as_defined(seed):
    """Against the definition spelt out: every contour pixel's distance to the other contour."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(60, 200, 2))
    truth, prediction = np.zeros(shape, bool), np.zeros(shape, bool)
    for mask in (truth, prediction):  # rectangles that may touch the border, and loose pixels
        y, x = rng.integers(0, shape[0] // 2), rng.integers(0, shape[1] // 2)
        mask[y : y + rng.integers(2, shape[0]), x : x + rng.integers(2, shape[1])] = True
        mask[rng.random(shape) < 0.002] ^= True
    tolerance = rng.choice([0.008, 0.03])
    assert measures(truth, prediction, tolerance)[1] == pytest.approx(
        slow_contour_accuracy(truth, prediction, tolerance)
    )


def slow_contour_accuracy(truth: np.ndarray, prediction: np.ndarray, tolerance: float) -> float:
    contours = []
    for mask in (truth, prediction):
        height, width = mask.shape
        contours.append(
            np.array(
                [
                    (y, x)
                    for y in range(height)
                    for x in range(width)
                    if len({mask[min(y + i, height - 1), min(x + j, width - 1)] for i in (0, 1) for j in (0, 1)}) == 2
                ]
            )
        )
    radius = np.ceil(tolerance * np.hypot(*truth.shape))
    distances = np.hypot(*(contours[0][:, None] - contours[1][None]).transpose(2, 0, 1))
    recall, precision = ((distances.min(axis=axis) <= radius).mean() for axis in (1, 0))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("radius", [1, 2, 5, 9])
def test_dilation_of_a_pixel_is_a_disk(radius):
    image = np.zeros((31, 27), np.uint8)
    image[4, 25], image[20, 13] = 1, 2
    y, x = np.mgrid[:31, :27]
    assert np.array_equal(dilate(image, radius) & 1, (y - 4) ** 2 + (x - 25) ** 2 <= radius**2)
    assert np.array_equal(dilate(image, radius) & 2 > 0, (y - 20) ** 2 + (x - 13) ** 2 <= radius**2)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(FastganError, match="resize"):
        measures(np.zeros((3, 4), bool), np.zeros((4, 3), bool))

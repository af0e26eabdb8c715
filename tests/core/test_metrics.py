"""Values of the official davis2017-evaluation tool."""

import numpy as np
import pytest

from fastgan_core.metrics import contour_accuracy, region_similarity, score_sequence, statistics


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


def test_a_whole_sequence_agrees_with_the_official_tool(motorbike):
    masks = [pair.load()[1] > 0 for pair in motorbike.frames]
    scores = score_sequence(masks, [masks[0]] * len(masks))
    official = (0.229853, 0.243902, 0.662298, 0.280889, 0.243902, 0.78201)
    assert list(scores.values()) == pytest.approx(official, abs=1e-6)

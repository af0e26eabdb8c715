"""The weights that ship, on real footage."""

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.evaluation import evaluate, evaluate_sequence
from fastgan_core.metrics import score_sequence
from fastgan_core.tracker import Tracker


def test_a_real_object_is_followed(motorbike):
    scores = evaluate_sequence(Tracker.from_weights(device="cpu"), motorbike)
    masks = [pair.load()[1] > 0 for pair in motorbike.frames]
    repeated = score_sequence(masks, [masks[0]] * len(masks))
    assert scores["J-Mean"] > repeated["J-Mean"] + 0.2
    assert scores["F-Mean"] > repeated["F-Mean"] + 0.2


def test_the_mean_is_that_of_the_sequences(model, motorbike):
    short = [Sequence(str(n), motorbike.frames[n : n + 5]) for n in (0, 20)]
    rows = dict(evaluate(Tracker(model, device="cpu", size=64), short))
    assert list(rows) == ["0", "20", "mean"]
    assert rows["mean"]["F-Mean"] == np.mean([rows["0"]["F-Mean"], rows["20"]["F-Mean"]])

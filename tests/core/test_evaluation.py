"""The weights that ship, on real footage."""

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.evaluation import evaluate, evaluate_sequence
from fastgan_core.metrics import region_similarity, score_sequence
from fastgan_core.scene import Scene
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


def test_a_hidden_object_is_lost_and_found_where_it_comes_out():
    scene, tracker = Scene(), Tracker.from_weights(device="cpu")
    tracker.set_reference(*scene[0])
    states, overlaps = {}, []
    for index in range(1, 230):
        frame, truth = scene[index]
        tracked = tracker.step(frame)
        states[index] = tracked.objects[0].state
        if tracked.objects[0].state == "lost":
            assert not tracked.labels.any()
        if index >= 170:
            overlaps.append(region_similarity(truth > 0, tracked.labels > 0))
    assert all(states[index] == "tracked" for index in range(1, 120))
    # Wholly hidden from 137 to 143. What it says in each of these frames hangs on rounding: things that
    # look like it can deceive it for a while. That it notices, and finds the object afterwards, does not.
    assert "lost" in [states[index] for index in range(125, 150)]
    assert np.mean(overlaps) > 0.5  # on the other side of the tree

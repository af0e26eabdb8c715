"""The weights that ship, on real footage."""

import numpy as np
import pytest

from fastgan_core.baselines import Flow, Repeat
from fastgan_core.data.folders import Sequence
from fastgan_core.errors import FastganError
from fastgan_core.evaluation import evaluate, predict, score, summary, validate
from fastgan_core.metrics import region_similarity, score_sequence
from fastgan_core.scene import Scene
from fastgan_core.tracker import Tracker


class Drawn:
    """A frame that is in memory, annotated or not."""

    def __init__(self, labels, annotated: bool = True):
        self.labels = np.uint8(labels)
        self.mask = "drawn.png" if annotated else None

    def load(self):
        labels = self.labels if self.mask else np.zeros_like(self.labels)
        return np.zeros((*self.labels.shape, 3), np.uint8), labels


def square(place: int, number: int = 1, labels=None) -> np.ndarray:
    labels = np.zeros((40, 60), np.uint8) if labels is None else labels.copy()
    labels[10:20, place : place + 10] = number
    return labels


def test_a_real_object_is_followed(motorbike):
    scores = validate(Tracker.from_weights(device="cpu"), [motorbike])
    repeated = validate(Repeat(), [motorbike])
    assert scores["J-Mean"] > repeated["J-Mean"] + 0.2
    assert scores["F-Mean"] > repeated["F-Mean"] + 0.2
    masks = [pair.load()[1] > 0 for pair in motorbike.frames]
    by_hand = score_sequence(masks, [masks[0]] * len(masks))
    assert {name: repeated[name] for name in by_hand} == by_hand


def test_flow_carries_a_mask_along(motorbike):
    flow, repeat = (validate(method, [motorbike])["J-Mean"] for method in (Flow(), Repeat()))
    assert flow > repeat + 0.1


def test_first_and_last_frames_do_not_count():
    # Right in the middle frames alone; the prediction is the first mask for ever.
    sequence = Sequence("s", tuple(Drawn(square(p)) for p in (0, 0, 0, 40)))
    (scored,) = evaluate(Repeat(), [sequence])
    assert scored.objects[1]["J-Mean"] == scored.objects[1]["F-Mean"] == 1
    (scored,) = evaluate(Repeat(), [sequence], leave_out_last=False)
    assert scored.objects[1]["J-Mean"] == pytest.approx(2 / 3)


def test_the_mean_is_over_objects_not_videos():
    # Two objects that stay in one video, one that jumps away in the other: 2/3, not 1/2.
    still = Sequence("still", tuple(Drawn(square(0, 1, square(30, 2))) for _ in range(4)), {1: 0, 2: 0})
    gone = Sequence("gone", tuple(Drawn(square(p)) for p in (0, 40, 40, 40)))
    scores = list(evaluate(Repeat(), [still, gone]))
    assert summary(scores)["J-Mean"] == pytest.approx(2 / 3)
    assert summary(scores[:1])["J-Mean"] == 1


def test_an_object_that_appears_late_is_added_then_and_counts_from_the_next_frame_on():
    before, after = square(0, 1), square(30, 2, square(0, 1))
    sequence = Sequence("late", tuple(Drawn(x) for x in (before, before, after, after, after)), {1: 0, 2: 2})
    predictions = list(predict(Repeat(), sequence))
    assert [2 in p.labels for p in predictions] == [False, False, True, True, True]
    assert all(1 in p.labels for p in predictions)
    assert score(sequence, predictions).objects[2]["J-Mean"] == 1


def test_frames_without_annotation_are_tracked_and_not_scored():
    frames = (Drawn(square(0)), Drawn(square(40), annotated=False), Drawn(square(0)), Drawn(square(0)))
    (scored,) = evaluate(Repeat(), [Sequence("s", frames)])
    assert scored.frames == 4
    assert scored.objects[1]["J-Mean"] == 1


def test_an_object_that_is_not_where_it_should_start_is_named():
    with pytest.raises(FastganError, match=r"drawn\.png: object 5"):
        list(predict(Repeat(), Sequence("s", (Drawn(square(0)),), {5: 0})))


def test_the_trackers_time_is_its_own(model, motorbike):
    short = Sequence("short", motorbike.frames[:5])
    (scored,) = evaluate(Tracker(model, device="cpu", size=64), [short])
    assert scored.seconds > 0
    assert scored.fps["fps"] == 5 / scored.seconds


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

"""Who is scored on what, and the weights that ship on real footage."""

import time
from dataclasses import dataclass

import numpy as np
import pytest

from fastgan_core.data.folders import Pair, Sequence, davis_sequences, youtube_vos_sequences
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.baselines import Labelled, Repeat
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.evaluation.scoring import evaluate, predict, scored_frames, summary, validate
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracking.tracker import Tracker


class Script:
    """Says what it is told to, and notes how it is called."""

    def __init__(self, answers):
        self.answers, self.calls = iter(answers), []

    def set_reference(self, frame, labels, mode="replace"):
        self.calls.append((mode, sorted(np.unique(labels[labels > 0]).tolist())))

    def step(self, frame):
        self.calls.append("step")
        return Labelled(next(self.answers))


def truths(sequence) -> list[np.ndarray]:
    return [pair.load_labels() for pair in sequence.frames]


def test_each_object_is_scored_on_its_own_mask_and_the_mean_is_over_objects(davis2017):
    pair, still = scores = list(evaluate(Repeat(), davis_sequences(davis2017, "val", merged=False)))
    assert pair.objects[1]["J-Mean"] == pair.objects[1]["F-Mean"] == 1
    # Object 2 has moved by 2 * t pixels in frame t; frames 1 to 8 of ten count.
    overlaps = [(20 - 2 * t) / (20 + 2 * t) for t in range(1, 9)]
    assert pair.objects[2]["J-Mean"] == pytest.approx(np.mean(overlaps))
    assert still.objects.keys() == {1}
    mean = summary(scores)
    assert mean["J-Mean"] == pytest.approx((1 + np.mean(overlaps) + 1) / 3)
    assert mean["J&F-Mean"] == pytest.approx((mean["J-Mean"] + mean["F-Mean"]) / 2)
    assert mean.keys() == validate(Repeat(), davis_sequences(davis2017, "val", merged=False)).keys()


def test_merged_objects_count_as_one(davis2017):
    (score, _) = evaluate(Repeat(), davis_sequences(davis2017, "val", merged=True))
    overlaps = [(400 + 20 * (20 - 2 * t)) / (400 + 20 * (20 + 2 * t)) for t in range(1, 9)]
    assert score.objects.keys() == {1}
    assert score.objects[1]["J-Mean"] == pytest.approx(np.mean(overlaps))


def test_the_last_frame_counts_for_youtube_vos_and_not_for_davis(davis2017):
    sequence = davis_sequences(davis2017, "val", merged=False)[0]
    answers = truths(sequence)[1:]
    answers[-1] = answers[-1] * 0
    assert validate(Script(answers), [sequence])["J-Mean"] == 1
    assert validate(Script(answers), [sequence], leave_out_last=False)["J-Mean"] == pytest.approx(8 / 9)


def test_a_late_object_is_added_where_it_starts_and_scored_from_the_next_frame_on(youtube_vos):
    (sequence,) = youtube_vos_sequences(youtube_vos, "train")
    truth = truths(sequence)
    method = Script([labels * 0 for labels in truth])
    found = [prediction.labels for prediction in predict(method, sequence)]
    assert method.calls == [("replace", [1]), *["step"] * 4, ("add", [2]), *["step"] * 5]
    assert [np.unique(labels).tolist() for labels in found] == [[0, 1], [0], [0], [0], [0, 2], *[[0]] * 5]
    # Right about object 1 from frame 4 on, and about object 2 from frame 7 on.
    answers = [labels * ((index >= 4) & (labels == 1) | (index >= 7)) for index, labels in enumerate(truth)][1:]
    (score,) = evaluate(Script(answers), [sequence], leave_out_last=False)
    assert score.objects[1]["J-Mean"] == pytest.approx(6 / 9)
    assert score.objects[2]["J-Mean"] == pytest.approx(3 / 5)


def test_where_only_references_are_annotated_nothing_is_scored(youtube_vos):
    (sequence,) = youtube_vos_sequences(youtube_vos, "valid")
    assert scored_frames(sequence, leave_out_last=False) == []
    (score,) = evaluate(Repeat(), [sequence], leave_out_last=False)
    assert score.objects == {}
    assert summary([score]).keys() == {"fps"}


def test_frames_without_annotation_are_tracked_and_not_scored(davis2017):
    sequence = davis_sequences(davis2017, "val", merged=False)[0]
    frames = tuple(Pair(f.image, f.mask if i % 3 == 0 else None) for i, f in enumerate(sequence.frames))
    sparse = Sequence("sparse", frames, sequence.starts)
    assert scored_frames(sparse) == [3, 6]
    method = Script(truths(sequence)[1:])
    assert validate(method, [sparse])["J&F-Mean"] == 1
    assert method.calls.count("step") == 9


def test_an_object_that_is_not_where_it_should_start_is_named(davis2017):
    sequence = davis_sequences(davis2017, "val", merged=False)[0]
    wrong = Sequence("wrong", sequence.frames, {1: 0, 7: 3})
    with pytest.raises(FastganError, match=r"00003\.png: object 7"):
        validate(Repeat(), [wrong])


@dataclass(frozen=True)
class SlowPair(Pair):
    def load(self):
        time.sleep(0.02)
        return super().load()


def test_decoding_is_no_part_of_the_frame_rate(davis2017):
    sequence = davis_sequences(davis2017, "val", merged=False)[0]
    slow = Sequence("slow", tuple(SlowPair(f.image, f.mask) for f in sequence.frames), sequence.starts)
    assert validate(Repeat(), [slow])["fps"] > 200


def test_a_real_object_is_followed(motorbike):
    scores = validate(Tracker.from_weights(device="cpu", size=256), [motorbike])
    repeated = validate(Repeat(), [motorbike])
    assert scores["J-Mean"] > repeated["J-Mean"] + 0.2
    assert scores["F-Mean"] > repeated["F-Mean"] + 0.2


def test_a_hidden_object_is_lost_and_found_where_it_comes_out():
    scene, tracker = Scene(320, 240), Tracker.from_weights(device="cpu", size=192)
    tracker.set_reference(*scene[90])
    states, overlaps = {}, []
    for index in range(91, 190):
        frame, truth = scene[index]
        tracked = tracker.step(frame)
        states[index] = tracked.objects[0].state
        if tracked.objects[0].state == "lost":
            assert not tracked.labels.any()
        if index >= 170:
            overlaps.append(region_similarity(truth > 0, tracked.labels > 0))
    assert all(states[index] == "tracked" for index in range(91, 120))
    # Wholly hidden from 137 to 143. What it says in each of these frames hangs on rounding: things that
    # look like it can deceive it for a while. That it notices, and finds the object afterwards, does not.
    assert "lost" in [states[index] for index in range(125, 150)]
    assert np.mean(overlaps) > 0.8  # on the other side of the tree

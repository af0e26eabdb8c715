"""Run a tracker, or a baseline, over annotated sequences and score it by the protocol of DAVIS."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.metrics import measures, summarise


@dataclass(frozen=True)
class Prediction:
    """One frame on its way from a method to its score."""

    labels: np.ndarray  # (H, W) integer: what the method says
    truth: np.ndarray  # (H, W) integer: the annotation; all 0 where there is none
    seconds: float = 0.0  # the method's own time, without decoding and scoring


@dataclass(frozen=True)
class Score:
    """The figures of one sequence."""

    sequence: str
    objects: dict[int, dict[str, float]]  # id -> measures, see metrics.summarise; empty without annotations
    frames: int
    seconds: float  # 0 when the predictions were read from files

    @property
    def fps(self) -> dict[str, float]:
        """``{"fps": frames a second}``, or nothing where no time was taken."""
        return {"fps": self.frames / self.seconds} if self.seconds else {}


def scored_frames(sequence: Sequence, leave_out_last: bool = True) -> list[int]:
    """Indices of the frames that count: annotated, after the first reference, and not the last (DAVIS).

    Where only references are annotated (the public part of YouTube-VOS ``valid``) nothing counts: the
    masks there hold the new objects alone.
    """
    starts, end = set(sequence.starts.values()), len(sequence) - leave_out_last
    annotated = [i for i, frame in enumerate(sequence.frames) if frame.mask is not None and i > min(starts)]
    return [i for i in annotated if i < end] if set(annotated) - starts else []


def predict(method, sequence: Sequence) -> Iterator[Prediction]:
    """Run ``method`` over all frames; each object is added in the frame where its reference is.

    Args:
        method: a Tracker, or what has its ``set_reference(frame, labels, mode)`` and ``step(frame).labels``.

    Raises:
        FastganError: an object is not in the annotation of its first frame.
    """
    begun = False
    for index, pair in enumerate(sequence.frames):
        frame, truth = pair.load()
        new = [number for number, start in sequence.starts.items() if start == index]
        marked = np.where(np.isin(truth, new), truth, 0)
        missing = sorted(set(new) - set(np.unique(marked).tolist()))
        if missing:
            raise FastganError(f"{pair.mask}: object {missing[0]} is not in it, but starts there; fetch it again")
        clock = time.perf_counter()
        labels = method.step(frame).labels if begun else np.zeros(truth.shape, np.uint8)
        if new:
            method.set_reference(frame, marked, "add" if begun else "replace")
            begun = True
        seconds = time.perf_counter() - clock
        yield Prediction(np.where(marked > 0, marked, labels), truth, seconds)


def score(sequence: Sequence, predictions: Iterable[Prediction], leave_out_last: bool = True) -> Score:
    """Score each object on its own mask, from the frame after its reference on."""
    counted = set(scored_frames(sequence, leave_out_last))
    values = {number: [] for number in sequence.starts}
    frames, seconds = 0, 0.0
    for index, prediction in enumerate(predictions):
        frames, seconds = frames + 1, seconds + prediction.seconds
        for number, start in sequence.starts.items() if index in counted else ():
            if index > start:
                values[number].append(measures(prediction.truth == number, prediction.labels == number))
    return Score(sequence.name, {n: summarise(pairs) for n, pairs in values.items() if pairs}, frames, seconds)


def evaluate(method, sequences: Iterable[Sequence], leave_out_last: bool = True) -> Iterator[Score]:
    """The :class:`Score` of each sequence, as soon as it is known; see :func:`predict` for ``method``."""
    for sequence in sequences:
        yield score(sequence, predict(method, sequence), leave_out_last)


def summary(scores: list[Score]) -> dict[str, float]:
    """Means over all objects (not videos), named as in :func:`.metrics.summarise`, and ``fps``."""
    rows = [row for score in scores for row in score.objects.values()]
    means = {name: float(np.mean([row[name] for row in rows])) for name in (rows[0] if rows else ())}
    return means | Score("", {}, sum(s.frames for s in scores), sum(s.seconds for s in scores)).fps


def validate(method, sequences: Iterable[Sequence], leave_out_last: bool = True) -> dict[str, float]:
    """:func:`summary` of a method on sequences, in one call; for a training loop."""
    return summary(list(evaluate(method, sequences, leave_out_last)))

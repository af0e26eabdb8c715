"""Run the tracker over annotated sequences and score it."""

import time

import numpy as np

from fastgan_core.data.folders import Sequence
from fastgan_core.metrics import score_sequence
from fastgan_core.tracker import Tracker


def evaluate_sequence(tracker: Tracker, sequence: Sequence) -> dict[str, float]:
    """DAVIS measures of the object in ``sequence`` (any non-zero label), and frames per second."""
    truth, prediction, seconds = [], [], 0.0
    for number, pair in enumerate(sequence.frames):
        frame, labels = pair.load()
        mask = labels > 0
        start = time.perf_counter()
        if number == 0:
            tracker.set_reference(frame, mask.astype(np.uint8))
            found = mask
        else:
            found = tracker.step(frame).labels > 0
        seconds += time.perf_counter() - start
        truth.append(mask)
        prediction.append(found)
    return score_sequence(truth, prediction) | {"fps": len(truth) / seconds}


def evaluate(tracker: Tracker, sequences: list[Sequence]):
    """Yield ``(name, measures)`` for each sequence and at the end for ``mean``."""
    rows = []
    for sequence in sequences:
        rows.append(evaluate_sequence(tracker, sequence))
        yield sequence.name, rows[-1]
    yield "mean", {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}

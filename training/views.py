"""What marking an object once more is worth: IoU afterwards, with no second mark, a new reference, another view.

python training/views.py --davis DAVIS [--split val] [--weights FILE] [--size N]

Each video is marked in its first frame and again a third of its way along. What is judged begins SOON frames later: the
rest of the video, and the last third of that, by when the object may have turned back.
"""

import argparse
from pathlib import Path

import numpy as np

from fastgan_core.data.folders import Sequence, davis_sequences
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.tracking.tracker import Tracker

SOON = 5  # frames
WAYS = {"one mark": "", "a new reference": "add", "another view": "more"}


def overlaps(tracker: Tracker, sequence: Sequence, mode: str) -> list[float]:
    """IoU of the frames that are judged; ``mode`` is that of the second mark, "" = there is none."""
    tracker.reset()
    again, result = len(sequence) // 3, []
    for number, pair in enumerate(sequence.frames):
        frame, labels = pair.load()
        if number == 0:
            tracker.set_reference(frame, labels)
            continue
        tracked = tracker.step(frame)
        if number == again and mode and labels.any():
            tracker.set_reference(frame, labels, mode)
        if number > again + SOON:
            result.append(region_similarity(labels > 0, tracked.labels > 0))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True, help="DAVIS 2016 folder")
    parser.add_argument("--split", default="val")
    parser.add_argument("--weights", default="", help="default: those that ship")
    parser.add_argument("--size", type=int, default=0)
    args = parser.parse_args()
    tracker = Tracker.from_weights(args.weights, size=args.size)
    print("| | " + " | ".join(WAYS) + " |\n|---|" + "---:|" * len(WAYS))
    rows = []
    for sequence in davis_sequences(args.davis, args.split):
        found = [overlaps(tracker, sequence, mode) for mode in WAYS.values()]
        rows.append([(np.mean(values), np.mean(values[-len(values) // 3 :])) for values in found])
        _line(sequence.name, rows[-1])
    _line("mean", np.mean(rows, axis=0))


def _line(name: str, values) -> None:
    print(f"| {name} | " + " | ".join(f"{rest:.3f}, {last:.3f}" for rest, last in values) + " |", flush=True)


if __name__ == "__main__":
    main()

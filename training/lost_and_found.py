"""How often an object is rightly or wrongly reported lost, how soon it is found again, and how good its score is.

python training/lost_and_found.py --davis DAVIS                  # the table of docs/lost_and_found.md
python training/lost_and_found.py --davis DAVIS --fit            # the weights of fastgan_core/tracking/evidence.py

Clips: the drawn scene, in which the object passes behind a tree; recorded sequences in which something passes in
front of it or the camera looks away (``fastgan_core.scenes.hiding``); and the sequences as they are. The weights are
fitted on other scenes and sequences than the table is made from, and on strangers: the objects of all sequences, each
taken for each other one.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from fastgan_core.data.folders import davis_sequences
from fastgan_core.scenes import hiding
from fastgan_core.scenes.hiding import View
from fastgan_core.tracking import evidence, step
from fastgan_core.tracking.network import Network
from fastgan_core.tracking.opening import open_network
from fastgan_core.tracking.tracker import Tracker

Signals = tuple[float, float, float, bool]  # sureness, likeness, resemblance; whether the mask was on its object
SOON = 10  # frames after which an object that is back should have been found
RIGHT = 0.5  # IoU from which on a mask is on its object
BINS = 10


def clips(davis: Path | None, split: str, seeds: range, frames: int) -> Iterator[tuple[str, Iterator[View]]]:
    """Names and clips: ``drawn``, ``curtain``, ``away`` and ``plain``."""
    for seed in seeds:
        yield "drawn", hiding.drawn(seed)
    sequences = davis_sequences(davis, split) if davis else []
    for number, sequence in enumerate(sequences):
        pairs = [pair.load() for pair in sequence.frames[:frames]]
        other = sequences[number - 1].frames[0].load()[0]
        yield "curtain", hiding.curtain(pairs, other, np.random.default_rng(number))
        yield "away", hiding.away(pairs, other, np.random.default_rng(1000 + number))
        yield "plain", hiding.plain(pairs)


def follow(tracker: Tracker, clip: Iterator[View]) -> list[dict]:
    """Per frame after the first: what is there, and what the tracker says."""
    first = next(clip)
    tracker.set_reference(first.frame, first.labels)
    rows = []
    for view in clip:
        tracked = tracker.step(view.frame)
        (found,) = tracked.objects
        mask, truth = tracked.labels > 0, view.labels > 0
        either = int((mask | truth).sum())
        rows.append(
            {
                "gone": view.gone,
                "there": view.there,
                "lost": found.state == "lost",
                "drawn": bool(mask.any()),
                "score": found.score,
                "overlap": int((mask & truth).sum()) / either if either else 1.0,
            }
        )
    return rows


def signals(tracker: Tracker, clip: Iterator[View]) -> list[Signals]:
    """Per frame in which a mask was found what the confidence is made from, and whether the mask was on its object."""
    seen = []

    def colours(small, pixels):
        seen.append(pixels[0, 0].numpy() > 0)
        return evidence.colours(small, pixels)

    def confidence(*found):
        seen.extend(float(signal[0]) for signal in found)
        return evidence.confidence(*found)

    first = next(clip)
    tracker.set_reference(first.frame, first.labels)
    rows = []
    step.colours, step.confidence = colours, confidence
    try:
        for view in clip:
            seen.clear()
            tracker.step(view.frame)
            mask, *found = seen
            truth = cv2.resize(view.labels, mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
            right = view.there and (mask & truth).sum() > RIGHT * (mask | truth).sum()
            if mask.any() and (view.gone or view.there):
                rows.append((*found, bool(right)))
    finally:
        step.colours, step.confidence = evidence.colours, evidence.confidence
    return rows


def strangers(network: Network, tracker: Tracker, views: list[View], likeness: list[float]) -> list[Signals]:
    """As of :func:`signals`, had each of the objects been taken for each other one, as alike as ``likeness`` says.

    There are few frames in which a network does that, and they are the ones that the confidence is there for.
    """
    marked = []
    for view in views:
        small = tracker.shrink(view.frame).pixels
        labels = cv2.resize(view.labels, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        masks = torch.from_numpy(labels > 0)[None, None].to(network.dtype)
        with torch.inference_mode():
            image = step.to_image(small, network.dtype)
            marked.append(network.start(image, masks)[1])
    random = np.random.default_rng(0)
    pairs = [(one, other[:, None]) for one in marked for other in marked if other is not one]
    found = (float(evidence.resemblance(*pair)) for pair in pairs)
    return [(1.0, random.choice(likeness), resembles, False) for resembles in found]


def fit(rows: list[tuple[float, ...]], balanced: bool) -> list[float]:
    """Weights of signals and a bias by logistic regression.

    Args:
        rows: signals, and last whether the mask was on its object. balanced: both kinds of rows count the same.
    """
    table = torch.tensor(rows, dtype=torch.float64)
    inputs, right = table[:, :-1], table[:, -1]
    mean, deviation = inputs.mean(dim=0), inputs.std(dim=0)
    counts = torch.where(right > 0, 0.5 / right.mean(), 0.5 / (1 - right.mean())) if balanced else None
    weights = torch.zeros(len(mean) + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        logits = ((inputs - mean) / deviation) @ weights[:-1] + weights[-1]
        total = torch.nn.functional.binary_cross_entropy_with_logits(logits, right, counts)
        # A little decay, as classes that a line separates would drive the weights up without end.
        total = total + 1e-5 * weights[:-1].square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    weights = weights.detach()
    scaled = weights[:-1] / deviation
    return [*scaled.tolist(), float(weights[-1] - (scaled * mean).sum())]


def stretches(rows: list[dict]) -> list[tuple[int, int]]:
    """First frame and the one after the last of each time out of sight."""
    gone = np.array([False, *(row["gone"] for row in rows), False]).astype(int)
    edges = np.diff(gone)
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))


def summarise(runs: list[list[dict]]) -> dict[str, float]:
    """The figures of one kind of clip; frames with less than a third of the object in sight count for neither side."""
    rows = [row for run in runs for row in run]
    lost, gone, there = (np.array([row[key] for row in rows]) for key in ("lost", "gone", "there"))
    overlap, drawn = np.array([row["overlap"] for row in rows]), np.array([row["drawn"] for row in rows])
    reported = found = times = returns = 0
    after = []
    for run in runs:
        for start, end in stretches(run):
            times += 1
            reported += any(row["lost"] for row in run[start:end])
            back = next((i for i in range(end, len(run)) if run[i]["there"]), None)
            if back is None or back + SOON >= len(run):
                continue
            returns += 1
            found += any(row["overlap"] > RIGHT for row in run[back:])
            after.append(run[back + SOON]["overlap"])
    astray = there & ~lost & (overlap < 0.1)
    return {
        "clips": len(runs),
        "frames": len(rows),
        "lost, and gone": int((lost & gone).sum()),
        "lost, but there": int((lost & there).sum()),
        "precision": _share((lost & gone).sum(), (lost & (gone | there)).sum()),
        "recall": _share((lost & gone).sum(), gone.sum()),
        "wrongly lost": _share((lost & there).sum(), there.sum()),
        "drawn while gone": _share((drawn & gone).sum(), gone.sum()),
        "drawn elsewhere": _share(astray.sum(), there.sum()),
        "times out of sight": times,
        "of them reported": reported,
        "returns": returns,
        "of them found": found,
        f"IoU {SOON} frames after": float(np.mean(after)) if after else float("nan"),
        "IoU while there": float(overlap[there].mean()) if there.any() else float("nan"),
        "calibration error": calibration_error(rows),
    }


def calibration_error(rows: list[dict]) -> float:
    """Expected calibration error of the score as the probability that the object is seen and its mask is on it.

    Of frames in which the object is reported lost only whether it is out of sight counts.
    """
    counted = [row for row in rows if row["gone"] or row["there"]]
    score = np.array([row["score"] for row in counted])
    right = np.array([row["there"] if row["lost"] else row["overlap"] > RIGHT and row["there"] for row in counted])
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    total = 0.0
    for n in range(BINS):
        inside = place == n
        if inside.any():
            total += inside.mean() * abs(score[inside].mean() - right[inside].mean())
    return float(total)


def _share(part, whole) -> float:
    return float(part / whole) if whole else float("nan")


def table(figures: dict[str, dict[str, float]]) -> str:
    """Markdown, a column per kind of clip."""
    names = list(next(iter(figures.values())))
    lines = ["| | " + " | ".join(figures) + " |", "|---|" + "---:|" * len(figures)]
    for name in names:
        cells = [figures[kind][name] for kind in figures]
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", type=Path, help="folder of DAVIS; without it the drawn scenes alone")
    parser.add_argument("--split", default="val", help="sequences (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs=2, default=(7, 19), help="of the drawn scenes, first and end")
    parser.add_argument("--frames", type=int, default=80, help="of each sequence at most (%(default)s)")
    parser.add_argument("--weights", default="", help="checkpoint; default: the one that ships")
    parser.add_argument("--size", type=int, default=0, help="of the network's input; default: the weights' own")
    parser.add_argument("--fit", action="store_true", help="on the training sequences and other scenes")
    parser.add_argument("--json", type=Path, help="where to write the figures as well")
    args = parser.parse_args()
    # Signals are taken on the way through the step, where a GPU would have a graph.
    network, info = open_network(args.weights, device="cpu" if args.fit else "auto")
    tracker = Tracker(network, size=args.size or info.input_size)
    if args.fit:
        rows, firsts = [], []
        for kind, clip in clips(args.davis, "train", range(100, 106), args.frames):
            views = list(clip)
            firsts += views[:1] if kind == "plain" else []
            rows += signals(tracker, iter(views))
            print(kind, len(rows), flush=True)
        print("SURE, ALIKE, BIAS =", *fit([(sure, alike, right) for sure, alike, _, right in rows], balanced=False))
        rows = [row for row in rows if not np.isnan(row[2])]
        rows += strangers(network, tracker, firsts, [alike for _, alike, _, right in rows if right])
        known = [(resembles, alike, right) for _, alike, resembles, right in rows if not np.isnan(resembles)]
        print("RESEMBLES, ALIKE_TOO, BIAS_TOO =", *(fit(known, balanced=True) if known else ["none known"]))
        return
    runs: dict[str, list] = {}
    for kind, clip in clips(args.davis, args.split, range(*args.seeds), args.frames):
        runs.setdefault(kind, []).append(follow(tracker, clip))
        print(kind, len(runs[kind]), flush=True)
    figures = {kind: summarise(found) for kind, found in runs.items()}
    figures["all"] = summarise([run for found in runs.values() for run in found])
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

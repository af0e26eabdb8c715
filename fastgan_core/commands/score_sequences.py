"""A tracker, a baseline or masks on disk, scored on DAVIS or YouTube-VOS."""

import argparse
import json

from fastgan_core.commands.options import make_tracker
from fastgan_core.data.folders import Sequence, davis_sequences, youtube_vos_sequences
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.baselines import Flow, Repeat
from fastgan_core.evaluation.results import check_results, saved, stored, submission_frames
from fastgan_core.evaluation.scoring import Score, predict, score, scored_frames, summary

COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


def evaluate(args: argparse.Namespace) -> None:
    """Score ``args.method`` or ``args.results`` and print a table."""
    youtube = args.dataset == "youtube-vos"
    check_places(args)
    split = args.split or ("valid" if youtube else "val")
    if youtube:
        sequences = youtube_vos_sequences(args.root, split)
    else:
        sequences = davis_sequences(args.root, split, merged=args.dataset == "davis2016")
    if args.both_ways:
        sequences = [way for forwards in sequences for way in (forwards, forwards.backwards())]
    counted = {s.name: scored_frames(s, leave_out_last=not youtube) for s in sequences}
    scorable = any(counted.values())
    if not scorable and not args.output:
        raise FastganError(f"{args.root}: '{split}' has no annotations to score; give --output DIR to write its masks")
    wanted = submission_frames(args.root, split, sequences) if youtube and args.output else {}
    output = args.output / "Annotations" if youtube and args.output else args.output
    if args.results:
        results = check_results(args.results, sequences, counted)
    else:
        method = {"tracker": lambda: make_tracker(args, large=True), "repeat": Repeat, "flow": Flow}[args.method]()

    width = max(len(s.name) for s in sequences) + 6  # of an object: indented, with its id
    print(f"{'sequence':{width}}" + "".join(f"{name:>10}" for name in (*COLUMNS, "fps")))
    scores = []
    for sequence in sequences:
        predictions = stored(results, sequence, counted[sequence.name]) if args.results else predict(method, sequence)
        if output:
            predictions = saved(predictions, output, sequence, wanted.get(sequence.name))
        scores.append(score(sequence, predictions, leave_out_last=not youtube))
        for name, row in rows(scores[-1], sequence):
            print_row(name, row, width)
    mean = summary(scores)
    print_row("mean", mean, width)
    if args.json:
        args.json.write_text(json.dumps(report(scores, mean), indent=1) + "\n")
    if args.output:
        print(f"masks in {output}")
    if scorable:
        print(f"J&F {100 * mean['J&F-Mean']:.1f}")
    else:
        print(f"'{split}' has no public annotations: nothing was scored; the masks are there to be submitted")


def check_places(args: argparse.Namespace) -> None:
    """Raise FastganError for places that cannot or must not be written."""
    if args.json and not args.json.absolute().parent.is_dir():
        raise FastganError(f"--json {args.json}: there is no folder {args.json.parent}")
    if args.json and args.json.is_dir():
        raise FastganError(f"--json {args.json}: is a folder; give the name of a file")
    if args.both_ways and (args.results or args.output):
        other = "--results" if args.results else "--output"
        raise FastganError(f"--both-ways: masks on disk have one order; leave it or {other} out")
    if not args.output:
        return
    if args.results:
        raise FastganError("--output: the masks of --results are on disk already; leave one of the two out")
    if args.output.resolve().is_relative_to(args.root.resolve()):
        raise FastganError(f"--output {args.output}: lies in the data set and could overwrite it; choose another place")


def rows(score: Score, sequence: Sequence):
    """``(name, figures)`` to print: the sequence's, then those of its objects where it has several."""
    yield score.sequence, summary([score])
    if len(sequence.starts) > 1:
        for number, row in score.objects.items():
            yield f"  {score.sequence}_{number}", row


def print_row(name: str, row: dict[str, float], width: int) -> None:
    figures = "".join(f"{100 * row[column]:10.1f}" if column in row else f"{'-':>10}" for column in COLUMNS)
    print(f"{name:{width}}{figures}" + (f"{row['fps']:10.1f}" if "fps" in row else f"{'-':>10}"), flush=True)


def report(scores: list[Score], mean: dict[str, float]) -> dict:
    """The figures under the official tool's names, 0 to 1, and ``fps``; an object's key is ``<sequence>_<id>``."""
    sequences = {f"{s.sequence}_{number}": row | s.fps for s in scores for number, row in s.objects.items()}
    return {"global": mean, "sequences": sequences}

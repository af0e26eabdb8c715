"""``fastgan track | train | evaluate``: the library from the command line."""

import argparse
import sys
from pathlib import Path

from fastgan_core.errors import in_words

DEVICE_HELP = "auto (CUDA where there is one), cpu, cuda or cuda:N"


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="", help="checkpoint; default: the one that ships")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--precision", default="auto", help="auto, fp32, fp16 or bf16")
    parser.add_argument(
        "--size", type=int, default=0, help="the network's input has the area of a square of this side (multiple of 32)"
    )


def add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", choices=("davis2016", "davis2017", "youtube-vos"), default="davis2016")
    parser.add_argument("--root", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--split", help="file in ImageSets (default: val), or folder of YouTube-VOS (default: valid)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--method", choices=("tracker", "repeat", "flow"), default="tracker")
    what.add_argument("--results", type=Path, metavar="DIR", help="score these masks: DIR/<sequence>/<frame>.png")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the masks, in the data set's layout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")


def make_tracker(args: argparse.Namespace):
    from fastgan_core.tracker import Tracker

    return Tracker.from_weights(args.weights, args.device, args.precision, args.size)


def track(args: argparse.Namespace) -> None:
    """Write a mask for every frame of a video, of a folder, or of a rosbag2."""
    from fastgan_core.cli_track import run

    run(args, make_tracker)


def train(args: argparse.Namespace) -> None:
    """Train the regressor as a recipe says. ``torchrun training/train.py`` does it in several processes."""
    from fastgan_core.training.distributed import processes
    from fastgan_core.training.reading import load_recipe
    from fastgan_core.training.trainer import Trainer

    recipe, output = load_recipe(args.recipe, args.set), args.output or Path("runs") / args.recipe.stem
    try:
        with processes(args.device) as device:
            Trainer(recipe, output, device).run()
    except KeyboardInterrupt:
        print(f"the same command goes on from the last checkpoint in {output}, if there is one yet", file=sys.stderr)
        raise


def evaluate(args: argparse.Namespace) -> None:
    """Score the tracker, a baseline or masks on disk on DAVIS or YouTube-VOS."""
    from fastgan_core.cli_evaluate import run

    run(args, make_tracker)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="fastgan", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    sub = commands.add_parser("track", help=track.__doc__, description=track.__doc__)
    sub.add_argument("input", help="video file, folder of frames (sorted by name), camera index, or rosbag2")
    sub.add_argument("--mask", type=Path, required=True, help="label or binary PNG of the first frame")
    sub.add_argument("--mask-frame", type=int, default=0, metavar="N", help="the mask belongs to frame N (first: 0)")
    sub.add_argument("--output", type=Path, required=True, help="folder for a PNG per frame; for a bag, a new bag")
    sub.add_argument("--overlay", type=Path, metavar="FILE.mp4", help="also write a video with the masks painted on")
    sub.add_argument("--topic", default="", help="of a bag: where its images are; default: the only topic with images")
    sub.add_argument("--storage", choices=("sqlite3", "mcap"), help="of the new bag; default: as the old one")
    add_tracker_options(sub)
    sub.set_defaults(run=track)

    sub = commands.add_parser("train", help=train.__doc__, description=train.__doc__)
    sub.add_argument("recipe", type=Path, help="YAML file, see training/configs")
    sub.add_argument("--output", type=Path, help="run folder, default runs/RECIPE; an interrupted run goes on from it")
    sub.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value; phases.0.steps=9")
    sub.add_argument("--device", default="auto", help=DEVICE_HELP)
    sub.set_defaults(run=train)

    sub = commands.add_parser("evaluate", help=evaluate.__doc__, description=evaluate.__doc__)
    add_evaluate_options(sub)
    add_tracker_options(sub)
    sub.set_defaults(run=evaluate)
    return top


def main() -> None:
    args = parser().parse_args()
    with in_words("fastgan"):
        args.run(args)


if __name__ == "__main__":
    main()

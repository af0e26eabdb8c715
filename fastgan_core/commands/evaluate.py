"""``fastgan evaluate``."""

import argparse
from pathlib import Path

from fastgan_core.commands.options import add_tracker_options


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", choices=("davis2016", "davis2017", "youtube-vos"), default="davis2016")
    parser.add_argument("--root", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--split", help="file in ImageSets (default: val), or folder of YouTube-VOS (default: valid)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--method", choices=("tracker", "repeat", "flow"), default="tracker")
    what.add_argument("--results", type=Path, metavar="DIR", help="score these masks: DIR/<sequence>/<frame>.png")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the masks, in the data set's layout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument(
        "--both-ways", action="store_true", help="score each sequence backwards too, from its last annotation on"
    )
    add_tracker_options(parser, large=True)


def run(args: argparse.Namespace) -> None:
    """Score the tracker, a baseline or masks on disk on DAVIS or YouTube-VOS."""
    from fastgan_core.commands.score_sequences import evaluate

    evaluate(args)

"""``fastgan track``."""

import argparse
from pathlib import Path

from fastgan_core.commands.options import add_tracker_options


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", help="video file, folder of frames (sorted by name), camera index, or rosbag2")
    parser.add_argument("--mask", type=Path, required=True, help="label or binary PNG of the first frame")
    parser.add_argument("--mask-frame", type=int, default=0, metavar="N", help="the mask belongs to frame N (first: 0)")
    parser.add_argument("--output", type=Path, required=True, help="folder for a PNG per frame; for a bag, a new bag")
    parser.add_argument("--overlay", type=Path, metavar="FILE.mp4", help="also write a video with the masks painted on")
    parser.add_argument(
        "--topic", default="", help="of a bag: where its images are; default: the only topic with images"
    )
    parser.add_argument("--storage", choices=("sqlite3", "mcap"), help="of the new bag; default: as the old one")
    add_tracker_options(parser)


def run(args: argparse.Namespace) -> None:
    """Write a mask for every frame of a video, of a folder, or of a rosbag2."""
    from fastgan_core.commands.track_frames import track

    track(args)

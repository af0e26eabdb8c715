"""What several commands ask for."""

import argparse
import sys

from fastgan_core.running.choices import BACKENDS, PRECISIONS

DEVICE_HELP = "auto (CUDA where there is one), cpu, cuda or cuda:N"


def add_tracker_options(parser: argparse.ArgumentParser, large: bool = False) -> None:
    """``large``: of a command for which nobody waits, see :func:`make_tracker`."""
    parser.add_argument("--weights", default="", help="checkpoint, or ONNX file; default: the checkpoint that ships")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="auto: onnxruntime for .onnx, else torch")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--precision", default="auto", help=", ".join(PRECISIONS))
    own = "the large one of the weights" if large else "the weights' own, on a GPU the large one"
    parser.add_argument(
        "--size",
        type=int,
        default=0,
        help=f"the network's input has the area of a square of this side (multiple of 32); default: {own}",
    )


def make_tracker(args: argparse.Namespace, large: bool = False):
    """The tracker that :func:`add_tracker_options` describes; ``large``: at the larger of the weights' own sizes."""
    from fastgan_core.tracking.tracker import Tracker

    how = args.weights, args.device, args.precision, args.size
    tracker = Tracker.from_weights(*how, backend=args.backend, large=large)
    if tracker.price:
        print(f"fastgan: {tracker.price}", file=sys.stderr)
    return tracker

"""What several commands ask for."""

import argparse
import sys

from fastgan_core.running.choices import BACKENDS, PRECISIONS

DEVICE_HELP = "auto (CUDA where there is one), cpu, cuda or cuda:N"


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="", help="checkpoint, or ONNX file; default: the checkpoint that ships")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="auto: onnxruntime for .onnx, else torch")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--precision", default="auto", help=", ".join(PRECISIONS))
    parser.add_argument(
        "--size", type=int, default=0, help="the network's input has the area of a square of this side (multiple of 32)"
    )


def make_tracker(args: argparse.Namespace):
    """The tracker that :func:`add_tracker_options` describes."""
    from fastgan_core.tracking.tracker import Tracker

    tracker = Tracker.from_weights(args.weights, args.device, args.precision, args.size, backend=args.backend)
    if tracker.price:
        print(f"fastgan: {tracker.price}", file=sys.stderr)
    return tracker

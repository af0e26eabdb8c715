"""``fastgan export``."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--weights", default="", help="checkpoint; default: the one that ships")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="fp16 is for GPUs")


def run(args: argparse.Namespace) -> None:
    """Write the network as ONNX, for ONNX Runtime, TensorRT or OpenVINO."""
    from fastgan_core.running.export import export_onnx
    from fastgan_core.running.weights import load_weights

    model, info = load_weights(args.weights)
    export_onnx(args.onnx, model, info, args.precision)
    megabytes = args.onnx.stat().st_size / 1e6
    print(f"{args.onnx}: {info.variant}, {args.precision}, {megabytes:.0f} MB; run it with --weights {args.onnx}")

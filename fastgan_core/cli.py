"""``fastgan track | train | evaluate | export | bench``: the library from the command line."""

import argparse
import sys
from pathlib import Path

from fastgan_core.errors import in_words
from fastgan_core.threads import sleep_while_waiting

BACKENDS = ("auto", "torch", "onnxruntime", "openvino")
DEVICE_HELP = "auto (CUDA where there is one), cpu, cuda or cuda:N"


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="", help="checkpoint, or ONNX file; default: the checkpoint that ships")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="auto: onnxruntime for .onnx, else torch")
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


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", nargs="+", choices=("lite", "resnet18", "resnet50"), default=["lite"])
    parser.add_argument("--size", type=int, nargs="+", default=[0], help="side of the network's square; 0: the default")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4], metavar="N")
    parser.add_argument("--precision", nargs="+", choices=("auto", "fp32", "fp16", "bf16"), default=["auto"])
    parser.add_argument("--backend", nargs="+", choices=BACKENDS[1:], default=["torch"])
    parser.add_argument("--onnx", type=Path, metavar="FILE.onnx", help="for onnxruntime, openvino; default: made anew")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--camera", default="", metavar="WxH", help="size of the frames; default: the network's")
    parser.add_argument("--steps", type=int, default=50, help="steps measured of each (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch's default, one per core")
    parser.add_argument("--profile", action="store_true", help="also print where the time of a step goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")


def make_tracker(args: argparse.Namespace):
    from fastgan_core.tracker import Tracker

    tracker = Tracker.from_weights(args.weights, args.device, args.precision, args.size, backend=args.backend)
    if tracker.price:
        print(f"fastgan: {tracker.price}", file=sys.stderr)
    return tracker


def track(args: argparse.Namespace) -> None:
    """Write a mask for every frame of a video, of a folder, or of a rosbag2."""
    from fastgan_core.cli_track import run

    run(args, make_tracker)


def train(args: argparse.Namespace) -> None:
    """Train the regressor as a recipe says. ``torchrun training/train.py`` does it in several processes."""
    from fastgan_core.training.distributed import processes
    from fastgan_core.training.lite.recipe import LiteRecipe
    from fastgan_core.training.lite.trainer import LiteTrainer
    from fastgan_core.training.reading import load_recipe
    from fastgan_core.training.trainer import Trainer

    recipe, output = load_recipe(args.recipe, args.set), args.output or Path("runs") / args.recipe.stem
    trainer = LiteTrainer if isinstance(recipe, LiteRecipe) else Trainer
    try:
        with processes(args.device) as device:
            trainer(recipe, output, device).run()
    except KeyboardInterrupt:
        print(f"the same command goes on from the last checkpoint in {output}, if there is one yet", file=sys.stderr)
        raise


def evaluate(args: argparse.Namespace) -> None:
    """Score the tracker, a baseline or masks on disk on DAVIS or YouTube-VOS."""
    from fastgan_core.cli_evaluate import run

    run(args, make_tracker)


def export(args: argparse.Namespace) -> None:
    """Write the network as ONNX, for ONNX Runtime, TensorRT or OpenVINO."""
    from fastgan_core.export import export_onnx
    from fastgan_core.weights import load_weights

    model, info = load_weights(args.weights)
    export_onnx(args.onnx, model, info, args.precision)
    megabytes = args.onnx.stat().st_size / 1e6
    print(f"{args.onnx}: {info.variant}, {args.precision}, {megabytes:.0f} MB; run it with --weights {args.onnx}")


def bench(args: argparse.Namespace) -> None:
    """Measure the tracker's step on this machine."""
    from fastgan_core.bench import run

    run(args)


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

    sub = commands.add_parser("export", help=export.__doc__, description=export.__doc__)
    sub.add_argument("--onnx", type=Path, required=True, metavar="FILE.onnx")
    sub.add_argument("--weights", default="", help="checkpoint; default: the one that ships")
    sub.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="fp16 is for GPUs")
    sub.set_defaults(run=export)

    sub = commands.add_parser("bench", help=bench.__doc__, description=bench.__doc__)
    add_bench_options(sub)
    sub.set_defaults(run=bench)
    return top


def main() -> None:
    sleep_while_waiting()
    args = parser().parse_args()
    with in_words("fastgan"):
        args.run(args)


if __name__ == "__main__":
    main()

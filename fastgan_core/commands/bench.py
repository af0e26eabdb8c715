"""``fastgan bench``: every combination of the lists on the command line, as a table."""

import argparse
import itertools
import json
import tempfile
from pathlib import Path

from fastgan_core.commands.options import DEVICE_HELP
from fastgan_core.errors import FastganError
from fastgan_core.running.choices import BACKENDS, PRECISIONS
from fastgan_core.settings import camera_size

COLUMNS = {  # fields of a row with their format; what is longer is in the JSON
    "variant": "", "backend": "", "precision": "", "network": "", "objects": "d", "step_ms": ".2f", "p99_ms": ".2f",
    "network_ms": ".2f", "ratio": ".2f", "fps": ".1f", "gflop": ".1f", "peak_share": ".2f", "memory_mb": ".0f",
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", nargs="+", choices=("lite", "resnet18", "resnet50"), default=["lite"])
    parser.add_argument("--size", type=int, nargs="+", default=[0], help="side of the network's square; 0: the default")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4], metavar="N")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["auto"])
    parser.add_argument("--backend", nargs="+", choices=BACKENDS[1:], default=["torch"])
    parser.add_argument("--onnx", type=Path, metavar="FILE.onnx", help="for onnxruntime, openvino; default: made anew")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--camera", default="", metavar="WxH", help="size of the frames; default: the network's")
    parser.add_argument("--steps", type=int, default=50, help="steps measured of each (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch's default, one per core")
    parser.add_argument("--profile", action="store_true", help="also print where the time of a step goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")


def run(args: argparse.Namespace) -> None:
    """Measure the tracker's step on this machine."""
    import torch

    from fastgan_core.evaluation import speed
    from fastgan_core.model import VARIANTS
    from fastgan_core.running.device import DTYPES, choose_device, price
    from fastgan_core.tracking.tracker import Tracker

    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    camera = camera_size(args.camera) if args.camera else None
    facts = speed.conditions(device)
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), "\n")
    print(" ".join(f"{name:>11}" for name in COLUMNS))
    rows, peaks = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for variant, backend, precision in itertools.product(args.variant, args.backend, args.precision):
            try:
                network = speed.make_network(variant, backend, args.device, precision, args.onnx, Path(folder))
            except FastganError as error:
                print(f"left out: {variant}, {backend}, {precision}: {error}")
                continue
            if network.precision not in peaks:
                peaks[network.precision] = speed.peak(device, DTYPES[network.precision])
                if sentence := price(network.precision, device):
                    print(sentence)
            sizes = [size or VARIANTS[variant].size_on(network.device) for size in args.size]
            # The least work first: what is too slow for one is so for all after it.
            todo = sorted(itertools.product(sizes, args.objects), key=lambda pair: pair[0] ** 2 * pair[1])
            for number, (size, count) in enumerate(todo):
                tracker = Tracker(network, size=size, max_objects=max(32, count))
                try:
                    row = {"variant": variant, **speed.measure(tracker, network, count, camera, args.steps)}
                except FastganError as error:
                    for side, objects in todo[number:]:
                        what = f"{variant}, {backend}, {network.precision}, size: {side}, objects: {objects}"
                        print(f"left out: {what}: {error}", flush=True)
                    break
                row["gflop"] = speed.gflop(variant, count, tracker.size)
                row["peak_share"] = row["gflop"] / row["network_ms"] / peaks[network.precision]
                rows.append(row)
                print(" ".join(f"{row[name]:>11{form}}" for name, form in COLUMNS.items()), flush=True)
                if args.profile:
                    print(speed.profile(tracker, camera or tracker.size))
    tops = ", ".join(f"{name} {value:.2f}" for name, value in peaks.items())
    print(f"\nMedians of {args.steps} steps, or of as many as fit into {speed.ROW_SECONDS:.0f} s.")
    print("ratio: step over network alone. memory: torch's on the device.")
    print(f"peak_share: of a large matrix product's TFLOP/s on this device: {tops or 'nothing measured'}")
    if not rows:
        raise FastganError("nothing was measured")
    if args.json:
        args.json.write_text(json.dumps({"conditions": facts, "tflops_peak": peaks, "rows": rows}, indent=1))

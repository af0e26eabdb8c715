"""``fastgan bench``: what a step costs on this machine, with the conditions beside it."""

import itertools
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from fastgan_core.backends import kind, open_network, runnable
from fastgan_core.device import DTYPES, choose_device, computes_bf16, price
from fastgan_core.errors import FastganError
from fastgan_core.export import export_onnx
from fastgan_core.model import STRIDE, VARIANTS, build
from fastgan_core.tracker import Tracker
from fastgan_core.weights import WeightsInfo

COLUMNS = {  # fields of a row with their format; what is longer is in the JSON
    "variant": "", "backend": "", "precision": "", "network": "", "objects": "d", "step_ms": ".2f", "p99_ms": ".2f",
    "network_ms": ".2f", "ratio": ".2f", "fps": ".1f", "gflop": ".1f", "peak_share": ".2f", "memory_mb": ".0f",
}  # fmt: skip

ROW_SECONDS = 60.0  # that the steps of a row may take
FEWEST = 3  # steps of a row; when they do not fit it is left out


def run(args) -> None:
    """Measure every combination of the command line's lists and print a table."""
    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    camera = camera_size(args.camera) if args.camera else None
    facts = conditions(device)
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), "\n")
    print(" ".join(f"{name:>11}" for name in COLUMNS))
    rows, peaks = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for variant, backend, precision in itertools.product(args.variant, args.backend, args.precision):
            try:
                network = make_network(variant, backend, args.device, precision, args.onnx, Path(folder))
            except FastganError as error:
                print(f"left out: {variant}, {backend}, {precision}: {error}")
                continue
            if network.precision not in peaks:
                peaks[network.precision] = peak(device, DTYPES[network.precision])
                if sentence := price(network.precision, device):
                    print(sentence)
            sizes = [size or VARIANTS[variant].input_size for size in args.size]
            # The least work first: what is too slow for one is so for all after it.
            todo = sorted(itertools.product(sizes, args.objects), key=lambda pair: pair[0] ** 2 * pair[1])
            for number, (size, count) in enumerate(todo):
                tracker = Tracker(network, size=size, max_objects=max(32, count))
                try:
                    row = {"variant": variant, **measure(tracker, network, count, camera, args.steps)}
                except FastganError as error:
                    for side, objects in todo[number:]:
                        what = f"{variant}, {backend}, {network.precision}, size: {side}, objects: {objects}"
                        print(f"left out: {what}: {error}", flush=True)
                    break
                row["gflop"] = gflop(variant, count, tracker.size)
                row["peak_share"] = row["gflop"] / row["network_ms"] / peaks[network.precision]
                rows.append(row)
                print(" ".join(f"{row[name]:>11{form}}" for name, form in COLUMNS.items()), flush=True)
                if args.profile:
                    print(profile(tracker, camera or tracker.size))
    tops = ", ".join(f"{name} {value:.2f}" for name, value in peaks.items())
    print(f"\nMedians of {args.steps} steps, or of as many as fit into {ROW_SECONDS:.0f} s.")
    print("ratio: step over network alone. memory: torch's on the device.")
    print(f"peak_share: of a large matrix product's TFLOP/s on this device: {tops or 'nothing measured'}")
    if not rows:
        raise FastganError("nothing was measured")
    if args.json:
        args.json.write_text(json.dumps({"conditions": facts, "tflops_peak": peaks, "rows": rows}, indent=1))


def camera_size(text: str) -> tuple[int, int]:
    """``"640x480"`` as ``(480, 640)``."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise FastganError(f"--camera {text}: expected width x height, such as 640x480")
    return int(height), int(width)


def conditions(device: torch.device) -> dict[str, str]:
    """What a figure depends on."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "none used"
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    kind = torch.backends.cpu.get_cpu_capability()
    kind += ", with" if computes_bf16(torch.device("cpu")) else ", without"
    return {
        "cpu": f"{name}, {torch.get_num_threads()} threads, {kind} bf16 instructions",
        "gpu": gpu,
        "versions": f"torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}",
    }


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def make_network(variant: str, backend: str, device: str, precision: str, onnx: Path | None, folder: Path):
    """A network with random weights: the time does not depend on their values."""
    if backend == "torch" or (backend == "openvino" and not onnx):
        return runnable(build(variant).eval(), variant, backend, device, precision)
    file = onnx or folder / f"{variant}.onnx"
    if not file.exists():
        info = WeightsInfo(file, variant, VARIANTS[variant].input_size, {}, "")
        export_onnx(file, build(variant).eval(), info)
    opened, info = open_network(file, backend, device, precision)
    if info.variant != variant:
        raise FastganError(f"--onnx {file}: holds {info.variant}; name it with --variant {info.variant}")
    return opened


def measure(tracker: Tracker, network, count: int, camera: tuple[int, int] | None, steps: int) -> dict:
    """Times of the tracker's step and of its bare network, by turns so that both meet the same disturbances.

    Raises:
        FastganError: a step takes so long that not even a few can be measured.
    """
    side = tracker.size
    frames = np.random.default_rng(0).integers(0, 256, (4, *(camera or side), 3), dtype=np.uint8)
    if tracker.device.type == "cuda":
        torch.cuda.empty_cache()  # what the row before left behind is not this one's
        torch.cuda.reset_peak_memory_stats(tracker.device)
    tracker.set_reference(frames[0], stripes(count, frames.shape[1:3]))
    height, width = tracker.size
    image = torch.rand(1, 3, height, width).to(network.device, network.dtype)
    mask = torch.rand(count, 1, height, width).to(network.device, network.dtype)
    with torch.inference_mode():
        state = network.start(image, mask)
        nothing = torch.zeros(count, dtype=torch.bool, device=network.device)

        def bare():
            network.step(image, state, nothing)
            if tracker.device.type == "cuda":
                torch.cuda.synchronize(tracker.device)

        slowness = timed(lambda: tracker.step(frames[0]))
        fitting = int(ROW_SECONDS / 2 / slowness)
        if fitting < min(steps, FEWEST):
            raise FastganError(f"it is too slow here, a step takes {slowness:.0f} s")
        steps = min(steps, fitting)
        times = {"step": [], "network": []}
        for turn in range(-min(5, steps), steps):
            for name, action in (("step", lambda turn=turn: tracker.step(frames[turn % 4])), ("network", bare)):
                seconds = timed(action)
                if turn >= 0:
                    times[name].append(seconds * 1e3)
    step, alone = statistics.median(times["step"]), statistics.median(times["network"])
    memory_used = torch.cuda.max_memory_reserved(tracker.device) / 1e6 if tracker.device.type == "cuda" else 0.0
    return {
        "backend": tracker.backend,
        "precision": tracker.precision,
        "device": str(tracker.device),
        "camera": f"{frames.shape[2]}x{frames.shape[1]}",
        "network": f"{width}x{height}",
        "objects": count,
        "steps": steps,
        "step_ms": step,
        "p99_ms": float(np.percentile(times["step"], 99)),
        "network_ms": alone,
        "ratio": step / alone,
        "fps": 1e3 / step,
        "memory_mb": memory_used,
    }


def stripes(count: int, size: tuple[int, int]) -> np.ndarray:
    """A label image ``(H, W) uint8`` of ``count`` upright stripes over the middle half."""
    labels = np.zeros(size, np.uint8)
    edges = np.linspace(size[1] / 4, size[1] * 3 / 4, count + 1).astype(int)
    for number, (left, right) in enumerate(itertools.pairwise(edges), start=1):
        labels[size[0] // 4 : size[0] * 3 // 4, left : max(right, left + 1)] = number
    return labels


def gflop(variant: str, count: int, size: tuple[int, int]) -> float:
    """Arithmetic of a step in GFLOP; a multiply-add is two."""
    step_class = kind(variant).step_class
    shapes = step_class.ends(variant, count, size[0] // STRIDE, size[1] // STRIDE)[0]
    with torch.device("meta"):
        step = step_class(build(variant).eval()).to("meta")
        inputs = [torch.empty(shape) for shape in shapes.values()]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        step(*inputs)
    return counter.get_total_flops() / 1e9


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """TFLOP/s of a large matrix product on the device.

    The matrix is as large as a second allows, for a CPU that emulates a precision would take minutes.
    """
    side, largest = 256, 8192 if device.type == "cuda" else 2048

    def best_of(count: int) -> float:
        a = torch.randn(side, side, device=device, dtype=dtype)

        def product():
            a @ a
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return min(timed(product) for _ in range(count))

    seconds = best_of(2)
    while side < largest and 8 * seconds < 1:
        side, seconds = 2 * side, 8 * seconds
    return 2 * side**3 / best_of(6) / 1e12


def timed(action) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def profile(tracker: Tracker, size: tuple[int, int], rows: int = 12) -> str:
    """A table of the operations that a step's time goes to."""
    frame = np.zeros((*size, 3), np.uint8)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if tracker.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(10):
            tracker.step(frame)
    order = "self_cuda_time_total" if tracker.device.type == "cuda" else "self_cpu_time_total"
    return profiler.key_averages().table(sort_by=order, row_limit=rows, max_name_column_width=40)

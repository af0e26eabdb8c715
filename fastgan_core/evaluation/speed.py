"""What a step of the tracker costs on this machine, with the conditions beside it."""

import itertools
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from fastgan_core.errors import FastganError
from fastgan_core.model import STRIDE, VARIANTS, build
from fastgan_core.running.device import computes_bf16, cpu_name
from fastgan_core.running.export import export_onnx
from fastgan_core.running.weights import WeightsInfo
from fastgan_core.tracking.opening import open_network, runnable
from fastgan_core.tracking.tracker import Tracker

ROW_SECONDS = 60.0  # that the steps of a row may take
FEWEST = 3  # steps of a row; when they do not fit it is left out


def conditions(device: torch.device) -> dict[str, str]:
    """What a figure depends on."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "none used"
    kind = torch.backends.cpu.get_cpu_capability()
    kind += ", with" if computes_bf16(torch.device("cpu")) else ", without"
    return {
        "cpu": f"{cpu_name()}, {torch.get_num_threads()} threads, {kind} bf16 instructions",
        "gpu": gpu,
        "versions": f"torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}",
    }


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
        state, _ = network.start(image, mask)
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
    step_class = VARIANTS[variant].step
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

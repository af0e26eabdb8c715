"""What is measured: each function is one part and returns what is kept of it, a dict that fits into JSON."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from fastgan_core.evaluation import speed as bench
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.media.images import read_image
from fastgan_core.media.masks import read_mask
from fastgan_core.model import VARIANTS
from fastgan_core.running.device import choose_device
from fastgan_core.running.memory import release_memory
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracked import describe
from fastgan_core.tracking.opening import open_network
from fastgan_core.tracking.tracker import Tracker

DEFAULT = "lite"


class Way(NamedTuple):
    """How everything is measured."""

    device: str
    quick: bool  # tiny sizes and few frames, to try the program itself
    seconds: float = 60.0  # that a part may take

    @property
    def half(self) -> str:
        """The precision that ``auto`` takes on a GPU; a CPU has the other one."""
        return "fp16" if choose_device(self.device).type == "cuda" else "bf16"

    def camera(self, variant: str) -> tuple[int, int]:
        """``(H, W)`` of the frames that a variant is timed with, which are the network's input."""
        if self.quick:
            return 64, 96
        return (512, 512) if variant == "resnet50" else (480, 864)

    def side(self, variant: str) -> int:
        """The tracker's ``size`` for these frames."""
        return 64 if self.quick else 512 if variant == "resnet50" else 640

    def count(self, number: int) -> int:
        """So many repetitions, or a few."""
        return 3 if self.quick else number


def environment(way: Way) -> dict:
    """What the figures depend on."""
    device = choose_device(way.device)
    facts = {**bench.conditions(device), "numpy": np.__version__, "opencv": cv2.__version__}
    if device.type == "cuda":
        facts["cudnn"], facts["cuda"] = torch.backends.cudnn.version(), torch.version.cuda
        facts["memory_mb"] = torch.cuda.get_device_properties(device).total_memory / 1e6
        facts["tflops"] = {name: bench.peak(device, bench.DTYPES[name]) for name in ("fp16", "fp32")}
        if shutil.which("nvidia-smi"):
            query = "name,driver_version,clocks.sm,clocks.max.sm,power.limit,persistence_mode,mig.mode.current"
            call = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
            told = subprocess.run(call, check=False, capture_output=True, text=True, timeout=20)
            facts["nvidia_smi"] = (told.stdout or told.stderr).strip()
    return facts


def speed(way: Way, variant: str) -> dict:
    """One object, what is taken by default on a GPU; with the operations that the time goes to under ``profile``."""
    return row(way, variant, profile=True, steps=200)


def objects(way: Way, variant: str) -> dict:
    """Many objects: 8 against 1, and 32."""
    counts = (1, 3) if way.quick else (1, 8, 32)
    return {"rows": [row(way, variant, count=count, steps=60) for count in counts]}


def variations(way: Way, variant: str) -> dict:
    """Without graphs, in other precisions, and with cuDNN trying its algorithms."""
    precisions = [way.half, "fp32"] if way.half == "bf16" else ["fp16", "fp32", "bf16"]
    rows = [row(way, variant, precision=p, graphs=g, steps=60) for p in precisions for g in (True, False)]
    torch.backends.cudnn.benchmark = True
    try:
        rows.append({**row(way, variant, steps=60), "cudnn_benchmark": True})
    finally:
        torch.backends.cudnn.benchmark = False
    return {"rows": rows}


def row(way: Way, variant: str, count=1, precision="", graphs=True, steps=60, profile=False) -> dict:
    """As a row of ``fastgan bench``, with objects that are all seen, and the parts of a step on their own, ms."""
    camera = way.camera(variant)
    begin = time.perf_counter()
    network = bench.make_network(variant, "torch", way.device, precision or way.half, None, Path())
    loaded = time.perf_counter()
    tracker = Tracker(network, size=way.side(variant), graphs=graphs)
    frame = np.random.default_rng(1).integers(0, 256, (*camera, 3), dtype=np.uint8)
    labels = bench.stripes(count, camera)
    with all_visible(tracker):
        tracker.set_reference(frame, labels)
        tracker.step(frame)
        prepared = time.perf_counter()
        result = bench.measure(tracker, network, count, camera, way.count(steps))
        last = tracker.step(frame)
        # After the times were taken: the profiler slows down what follows it.
        table = bench.profile(tracker, camera, 40) if profile else ""
    ids, found = tuple(range(1, count + 1)), list(range(count))
    return {
        "variant": variant,
        **result,
        "graphs": bool(tracker._graphs is not None and tracker._graphs.usable),
        "seen": sum(o.state == "tracked" for o in last.objects),
        "load_s": loaded - begin,
        "first_s": prepared - loaded,
        "device_ms": tried(lambda: replay_ms(tracker)),
        "upload_ms": median_ms(lambda: tracker.shrink(frame)),
        "describe_ms": tried(lambda: median_ms(lambda: describe(labels, ids, [1.0] * count, found))),
        "profile": table,
    }


def camera(way: Way, variant: str) -> dict:
    """Upload, shrink, step and download of 1920x1080 frames at the default size, ms."""
    height, width = (90, 160) if way.quick else (1080, 1920)
    scene = Scene(width, height)
    frames = [scene[i][0] for i in range(4)]
    labels = bench.stripes(1, (height, width))
    network = bench.make_network(variant, "torch", way.device, way.half, None, Path())
    tracker = Tracker(network, size=64 if way.quick else VARIANTS[variant].input_size)
    times = {"all": [], "shrink": [], "step": []}
    end = time.monotonic() + 0.8 * way.seconds
    with all_visible(tracker):
        tracker.set_reference(frames[0], labels)
        for number in range(-5, way.count(2000)):
            begin = time.perf_counter()
            small = tracker.shrink(frames[number % 4])
            middle = time.perf_counter()
            last = tracker.step(small)
            took = time.perf_counter()
            if number >= 0:
                for name, seconds in (("all", took - begin), ("shrink", middle - begin), ("step", took - middle)):
                    times[name].append(seconds * 1e3)
            if time.monotonic() > end:
                break
    result = {"camera": f"{width}x{height}", "network": tracker.size, "frames": len(times["all"])}
    for name, values in times.items():
        result[name] = {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}
    return result | {"seen": sum(o.state == "tracked" for o in last.objects), "worst_ms": max(times["all"])}


def steady(way: Way, variant: str) -> dict:
    """The device's memory through 20,000 frames, with an object added and removed every 1,000."""
    frames = np.random.default_rng(2).integers(0, 256, (8, 96, 160, 3), dtype=np.uint8)
    both, first = bench.stripes(2, (96, 160)), bench.stripes(1, (96, 160))
    network = bench.make_network(variant, "torch", way.device, way.half, None, Path())
    tracker = Tracker(network, size=64)
    tracker.lost_threshold = 0.0
    wanted, every = (60, 10) if way.quick else (20000, 1000)
    held, end, number = [], time.monotonic() + 0.8 * way.seconds, 0
    begin = time.monotonic()
    while number < wanted and time.monotonic() < end:
        if number % every == 0:
            tracker.set_reference(frames[0], first)
            tracker.set_reference(frames[0], np.where(both == 2, 2, 0).astype(np.uint8), mode="add")
        if number % every == every // 2:
            tracker.remove([2])
            held.append((tracker.device_memory(), used(tracker.device)))
        tracker.step(frames[number % 8])
        number += 1
    reserved, device = zip(*held, strict=True)
    return {
        "frames": number,
        "fps": number / (time.monotonic() - begin),
        # The first two rounds fill the caches.
        "growth_mb": (max(device[2:]) - device[1]) / 1e6,
        "torch_growth_mb": (max(reserved[2:]) - reserved[1]) / 1e6,
        "held_mb": [round(value / 1e6, 1) for value in device],
    }


def agreement(way: Way) -> dict:
    """IoU of the masks with those of the CPU in fp32, each tracking on its own, with the weights that ship.

    The mean is that of the frames in which one of them shows the object.
    """
    clips = {"scene": scene_clip(way)}
    if os.environ.get("DAVIS_ROOT"):
        clips |= davis_clip(Path(os.environ["DAVIS_ROOT"]), way)
    ways = [(way.half, True), (way.half, False), ("fp32", True)]
    result = {}
    for name, (frames, labels) in clips.items():
        wanted = follow(frames, labels, way, "cpu", "fp32", False)
        for precision, graphs in ways:
            found = follow(frames, labels, way, way.device, precision, graphs)
            values = [region_similarity(a > 0, b > 0) for a, b in zip(wanted, found, strict=True)]
            shown = [v for v, a, b in zip(values, wanted, found, strict=True) if a.any() or b.any()]
            result[f"{name} {precision} {'graphs' if graphs else 'plain'}"] = {
                "mean": float(np.mean(shown or [0.0])),
                "least": min(values),
                "frames": len(values),
                "shown": len(shown),
                "values": [round(value, 3) for value in values],
            }
    return {"ways": result}


def follow(frames, labels, way: Way, device: str, precision: str, graphs: bool) -> list[np.ndarray]:
    """The label images ``(H, W)`` of all frames but the first, whose labels are given."""
    network, info = open_network("", "torch", device, precision)
    tracker = Tracker(network, size=64 if way.quick else info.input_size, graphs=graphs)
    tracker.set_reference(frames[0], labels)
    return [tracker.step(frame).labels for frame in frames[1:]]


def scene_clip(way: Way):
    """Frames and first labels of the drawn scene, in which the object passes behind the tree and comes back."""
    scene = Scene(*((160, 120) if way.quick else (640, 480)))
    pictures = [scene[2 * i] for i in range(way.count(60))]
    return [frame for frame, _ in pictures], pictures[0][1]


def davis_clip(root: Path, way: Way) -> dict:
    """One clip of a DAVIS folder by its name, the whole of it or 60 frames."""
    folders = {path.name: path for path in sorted(root.glob("JPEGImages/480p/*"))}
    name = next((n for n in ("motorbike", "rhino", "flamingo") if n in folders), min(folders))
    files = sorted(folders[name].glob("*.jpg"))[: way.count(60)]
    labels = read_mask(root / "Annotations/480p" / name / f"{files[0].stem}.png")
    return {name: ([read_image(file) for file in files], (labels > 0).astype(np.uint8))}


def memory(way: Way, variant: str) -> dict:
    """Memory of one object above the context, and what is left when the tracker is dropped; in a fresh process."""
    device = choose_device(way.device)
    if device.type == "cuda":
        torch.zeros(1, device=device)
        torch.cuda.synchronize(device)
    context = used(device)
    result = {"context_mb": context / 1e6}
    # The first leaves what a process keeps once, workspaces above all, so that the last shows what each one leaves.
    for name, graphs in (("graphs", True), ("plain", False), ("graphs again", True)):
        begin = time.perf_counter()
        # Made here, so that nothing but the tracker holds it.
        network = bench.make_network(variant, "torch", way.device, way.half, None, Path())
        tracker = Tracker(network, size=way.side(variant), graphs=graphs)
        del network
        frame = np.zeros((*way.camera(variant), 3), np.uint8)
        tracker.warm_up(frame.shape[:2])
        loaded = time.perf_counter()
        tracker.set_reference(frame, bench.stripes(1, frame.shape[:2]))
        first = time.perf_counter()
        for _ in range(way.count(20)):
            tracker.step(frame)
        values = {"held_mb": (used(device) - context) / 1e6, "torch_mb": tracker.device_memory() / 1e6}
        values |= {"load_s": loaded - begin, "reference_s": first - loaded}
        if device.type == "cuda":
            torch.cuda.empty_cache()
        values["needed_mb"] = (used(device) - context) / 1e6  # without what the allocator only keeps
        values["needed_torch_mb"] = tracker.device_memory() / 1e6
        del tracker
        release_memory()
        values["left_mb"] = (used(device) - context) / 1e6
        values["left_torch_mb"] = (torch.cuda.memory_reserved(device) if device.type == "cuda" else 0) / 1e6
        result[name] = values
    return result


def used(device: torch.device) -> int:
    """Bytes of the device that are taken, whoever took them; 0 on a CPU."""
    if device.type == "cpu":
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free


@contextlib.contextmanager
def all_visible(tracker: Tracker):
    """Every object is seen and stays where its reference is, whatever untrained weights say.

    What a lost object does not cost is then part of the times; the logits are made as ever and put aside.
    """
    network, threshold, shown = tracker._network, tracker.lost_threshold, {}
    real = network.step

    def seen(*inputs):
        logits, rest = real(*inputs)
        key = tuple(logits.shape), logits.device
        if key not in shown:  # in a run before the capture of a graph
            count, _, height, width = logits.shape
            labels = torch.from_numpy(bench.stripes(count, (height, width))).to(logits.device)
            there = torch.stack([labels == row + 1 for row in range(count)])[:, None]
            shown[key] = torch.where(there, 2.2, -9.0).to(logits.dtype)  # 0.9 where they are
        return shown[key], rest

    network.step, tracker.lost_threshold = seen, 0.0
    try:
        yield
    finally:
        del network.step
        tracker.lost_threshold = threshold


def replay_ms(tracker: Tracker) -> float | None:
    """What the device alone takes for a step, by its own clock; None without graphs."""
    captured = list(getattr(tracker._graphs, "_captured", {}).values())
    if not captured:
        return None
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(30):
        captured[-1]._graph.replay()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 30


def tried(action):
    """What a look into the tracker gives; None where that changed."""
    try:
        return action()
    except (AttributeError, TypeError):
        return None


def median_ms(action) -> float:
    """Milliseconds of a call, the median of twenty."""
    return float(np.median([bench.timed(action) for _ in range(20)])) * 1e3

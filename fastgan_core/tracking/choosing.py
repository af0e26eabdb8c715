"""Which runtime is the fastest for a network on this computer: measured once, remembered, and measured anew when
something that it depends on is another.
"""

import importlib.metadata
import importlib.util
import statistics
import time
from pathlib import Path

import torch

from fastgan_core.kept import recall, remember
from fastgan_core.running.device import choose_device, cpu_name
from fastgan_core.running.weights import WeightsInfo
from fastgan_core.tracking.network import Network, Verdict
from fastgan_core.tracking.opening import open_network
from fastgan_core.tracking.stepper import network_size

STEPS, SECONDS = 9, 2.0  # that a runtime is measured for, at most, after two steps to warm up
KEPT = "backends"  # name of what is remembered
FRAME = 480, 640  # size of the frames that are measured with


def open_fastest(path: str | Path, device: str, precision: str, side: int) -> tuple[Network, WeightsInfo, str]:
    """The network in a checkpoint or an ONNX file, run by what is fastest here.

    That is a question on a CPU with OpenVINO installed alone. Each of the two is measured for ``SECONDS`` at most once
    it is ready; OpenVINO takes up to a quarter of a minute for that the first time that it meets a checkpoint.

    Args:
        path, device, precision: of :func:`.opening.open_network`. side: of the network's input; 0 is the file's own.

    Returns:
        the network, what the file says of itself, and why this runtime, in a sentence; "" where there was no question.

    Raises:
        FastganError: as of :func:`.opening.open_network`.
    """
    usual, info = open_network(path, "auto", device, precision)
    if usual.name != "torch" or choose_device(device).type != "cpu" or importlib.util.find_spec("openvino") is None:
        return usual, info, ""
    size = network_size(FRAME, side or info.input_size)
    try:
        key = f"{_conditions()}, {info.variant}, {precision}, {size[1]}x{size[0]}"
        times, when = recall(KEPT).get(key), "measured at an earlier start"
        if not isinstance(times, dict) or set(times) != {"torch", "openvino"}:
            other, _ = open_network(path, "openvino", device, precision)
            times, when = {n.name: measured(n, size) for n in (usual, other)}, "measured now, and remembered"
            remember(KEPT, recall(KEPT) | {key: times})
        elif times["openvino"] < times["torch"]:
            other, _ = open_network(path, "openvino", device, precision)
        faster = other if times["openvino"] < times["torch"] else usual
    except Exception as error:  # a family of its own, and PyTorch does without it
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return usual, info, f"backend: torch; OpenVINO does not run this network here: {reason}"
    return faster, info, _sentence(times, when)


def _conditions() -> str:
    versions = f"torch {torch.__version__}, openvino {importlib.metadata.version('openvino')}"
    return f"{cpu_name()}, {torch.get_num_threads()} threads, {versions}"


@torch.inference_mode()
def measured(network: Network, size: tuple[int, int]) -> float:
    """Milliseconds of a step with one object, the median of up to ``STEPS``.

    Args:
        size: ``(h, w)`` of the network's input.
    """
    image = torch.rand(1, 3, *size).to(network.dtype)
    mask = torch.zeros(1, 1, *size, dtype=network.dtype)
    mask[..., size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    (state, _), no = network.start(image, mask), torch.zeros(1, dtype=torch.bool)
    times, end = [], None
    while len(times) < STEPS + 2 and (end is None or time.perf_counter() < end):
        begin = time.perf_counter()
        logits, seen = network.step(image, state, no)
        times.append(1000 * (time.perf_counter() - begin))
        state = network.keep(state, seen, logits.sigmoid(), Verdict(no, no, ~no))
        if len(times) == 2:
            end = time.perf_counter() + SECONDS
    return round(statistics.median(times[2:] or times[1:]), 2)


def _sentence(times: dict[str, float], when: str) -> str:
    slow, fast = sorted(times, key=times.get, reverse=True)
    return f"backend: {fast}, {times[fast]:.0f} ms a step instead of {times[slow]:.0f} with {slow} ({when})."

"""From weights, or a model, to a network that the tracker can use."""

from pathlib import Path

from fastgan_core.errors import FastganError
from fastgan_core.model import Lite
from fastgan_core.running.backends import runner
from fastgan_core.running.choices import BACKENDS
from fastgan_core.running.device import choose_device, choose_precision
from fastgan_core.running.weights import WeightsInfo, load_weights
from fastgan_core.tracking.lite_network import LiteNetwork
from fastgan_core.tracking.network import Network
from fastgan_core.tracking.paper_network import PaperNetwork


def open_network(
    path: str | Path = "", backend: str = "auto", device: str = "auto", precision: str = "auto"
) -> tuple[Network, WeightsInfo]:
    """The network in a checkpoint or an ONNX file, ready to run.

    Args:
        path: ``.safetensors`` ("" = the weights that ship), or ``.onnx`` of ``fastgan export``.
        backend: ``auto`` (ONNX Runtime for a file that ends in ``.onnx``, else PyTorch) or one of
            :data:`fastgan_core.running.choices.BACKENDS`.
            ONNX Runtime wants an ONNX file, PyTorch a checkpoint, OpenVINO takes either.
        device, precision: see :mod:`fastgan_core.running.device`; ONNX Runtime has the file's own precision.

    Returns:
        the network and what the file says of itself.

    Raises:
        FastganError: what is missing or does not fit together, and what to do.
    """
    if backend not in BACKENDS:
        raise FastganError(f"backend: '{backend}' is not known; use {', '.join(BACKENDS)}")
    onnx = str(path).endswith(".onnx")
    if backend == "auto":
        backend = "onnxruntime" if onnx else "torch"
    if backend == "torch" and onnx:
        raise FastganError(f"backend: torch cannot run {path}; use onnxruntime or openvino, or a .safetensors file")
    if backend == "onnxruntime" and not onnx:
        raise FastganError(
            f"backend: {backend} needs an ONNX file; run 'fastgan export --onnx model.onnx' and give it as weights"
        )
    if backend == "torch":
        choose_precision(precision, choose_device(device))  # before seconds are spent on loading
    if onnx:
        from fastgan_core.running.onnx_backend import read_info

        source, info = path, read_info(path)
    else:
        source, info = load_weights(path)
    return runnable(source, info.variant, backend, device, precision), info


def runnable(source, variant: str, backend: str, device: str = "auto", precision: str = "auto") -> Network:
    """The network of a model of :mod:`fastgan_core.model`, or of an ONNX file that was looked at, ready to run.

    Args:
        backend: ``torch`` with a model, ``onnxruntime`` with a file, ``openvino`` with either.
    """
    return network_of(runner(source, variant, backend, device, precision))


def network_of(made) -> Network:
    """What the tracker uses a runner through."""
    return (LiteNetwork if made.variant == Lite.variant else PaperNetwork)(made)

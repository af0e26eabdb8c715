"""What runs a network: PyTorch, ONNX Runtime with a file of ``fastgan export``, or OpenVINO.

A runner has

- ``variant``, ``device`` and ``dtype`` of the tensors that it takes and returns, ``precision``
  (``fp32 | fp16 | bf16``), ``name``;
- ``__call__(*inputs) -> outputs``, the tensors that ``ends`` of the variant's ``step_class`` names, see :func:`kind`.
"""

from pathlib import Path

import torch

from fastgan_core.device import DTYPES, choose_device, choose_precision
from fastgan_core.errors import FastganError
from fastgan_core.folding import folded
from fastgan_core.lite_network import LiteNetwork
from fastgan_core.model import Lite
from fastgan_core.network import Network
from fastgan_core.paper_network import PaperNetwork
from fastgan_core.weights import WeightsInfo, load_weights

BACKENDS = ("auto", "torch", "onnxruntime", "openvino")


def kind(variant: str) -> type[PaperNetwork] | type[LiteNetwork]:
    """What the tracker uses a variant through; its ``step_class`` is the module that runners run."""
    return LiteNetwork if variant == Lite.variant else PaperNetwork


class TorchRunner:
    """PyTorch: batch norm folded, channels_last."""

    name = "torch"

    def __init__(self, model: torch.nn.Module, device: str = "auto", precision: str = "auto"):
        self.variant = model.variant
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.dtype = DTYPES[self.precision]
        # A copy: the caller's model keeps its device and precision.
        self.model = folded(model).to(self.device, self.dtype, memory_format=torch.channels_last)
        self._step = kind(self.variant).step_class(self.model)

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._step(*inputs)


def open_network(
    path: str | Path = "", backend: str = "auto", device: str = "auto", precision: str = "auto"
) -> tuple[Network, WeightsInfo]:
    """The network in a checkpoint or an ONNX file, ready to run.

    Args:
        path: ``.safetensors`` ("" = the weights that ship), or ``.onnx`` of ``fastgan export``.
        backend: ``auto`` (ONNX Runtime for a file that ends in ``.onnx``, else PyTorch) or one of :data:`BACKENDS`.
            ONNX Runtime wants an ONNX file, PyTorch a checkpoint, OpenVINO takes either.
        device, precision: see :mod:`fastgan_core.device`; ONNX Runtime has the file's own precision.

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
        from fastgan_core.onnx_backend import read_info

        source, info = path, read_info(path)
    else:
        source, info = load_weights(path)
    return runnable(source, info.variant, backend, device, precision), info


def runnable(source, variant: str, backend: str, device: str = "auto", precision: str = "auto") -> Network:
    """The network of a model of :mod:`fastgan_core.model`, or of an ONNX file that was looked at, ready to run.

    Args:
        backend: ``torch`` with a model, ``onnxruntime`` with a file, ``openvino`` with either.
    """
    if backend == "torch":
        runner = TorchRunner(source, device, precision)
    elif backend == "onnxruntime":
        from fastgan_core.onnx_backend import OnnxRuntimeRunner

        runner = OnnxRuntimeRunner(source, device, precision)
    else:
        from fastgan_core.openvino_backend import OpenVinoRunner

        runner = OpenVinoRunner(source, variant, device, precision)
    return kind(variant)(runner)

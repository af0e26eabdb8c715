"""What runs the network: PyTorch, or ONNX Runtime or OpenVINO with a file of ``fastgan export``.

A network, whatever runs it, has

- ``device`` and ``dtype`` of the tensors that it takes and returns, ``precision`` (``fp32 | fp16 | bf16``), ``name``;
- ``__call__(image, previous, reference, memory) -> (logits, memory)`` and ``encode_reference(image, mask)``,
  shapes as in :class:`fastgan_core.model.FaSTGAN`;
- ``initial_memory(batch, (h, w))``.
"""

from pathlib import Path

import torch

from fastgan_core.device import DTYPES, choose_device, choose_precision
from fastgan_core.errors import FastganError
from fastgan_core.folding import folded
from fastgan_core.model import FaSTGAN
from fastgan_core.weights import load_weights

BACKENDS = ("auto", "torch", "onnxruntime", "openvino")


class TorchNetwork:
    """PyTorch: batch norm folded, channels_last."""

    name = "torch"

    def __init__(self, model: FaSTGAN, device: str = "auto", precision: str = "auto"):
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.dtype = DTYPES[self.precision]
        # A copy: the caller's model keeps its device and precision.
        self._model = folded(model).to(self.device, self.dtype, memory_format=torch.channels_last)
        self.encode_reference = self._model.encode_reference

    def __call__(self, image, previous, reference, memory):
        return self._model(image, previous, reference, memory)

    def initial_memory(self, batch: int, size: tuple[int, int]) -> torch.Tensor:
        like = torch.empty(0, device=self.device, dtype=self.dtype)
        return self._model.initial_memory(batch, size, like).contiguous(memory_format=torch.channels_last)


def open_network(path: str | Path = "", backend: str = "auto", device: str = "auto", precision: str = "auto"):
    """The network in a checkpoint or an ONNX file, ready to run.

    Args:
        path: ``.safetensors`` ("" = the weights that ship), or ``.onnx`` of ``fastgan export``.
        backend: ``auto`` (ONNX Runtime for a file that ends in ``.onnx``, else PyTorch) or one of :data:`BACKENDS`.
        device, precision: see :mod:`fastgan_core.device`; ONNX Runtime has the file's own precision.

    Returns:
        the network and what the file says of itself, :class:`fastgan_core.weights.WeightsInfo`.

    Raises:
        FastganError: what is missing or does not fit together, and what to do.
    """
    if backend not in BACKENDS:
        raise FastganError(f"backend: '{backend}' is not known; use {', '.join(BACKENDS)}")
    onnx = str(path).endswith(".onnx")
    if backend == "auto":
        backend = "onnxruntime" if onnx else "torch"
    if backend == "torch":
        if onnx:
            raise FastganError(f"backend: torch cannot run {path}; use onnxruntime or openvino, or a .safetensors file")
        choose_precision(precision, choose_device(device))  # before seconds are spent on loading
        model, info = load_weights(path)
        return TorchNetwork(model, device, precision), info
    if not onnx:
        raise FastganError(
            f"backend: {backend} needs an ONNX file; run 'fastgan export --onnx model.onnx' and give it as weights"
        )
    from fastgan_core import onnx_backends

    info = onnx_backends.read_info(path)
    kind = {"onnxruntime": onnx_backends.OnnxRuntimeNetwork, "openvino": onnx_backends.OpenVinoNetwork}[backend]
    return kind(path, device, precision), info

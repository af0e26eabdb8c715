"""What runs a network: PyTorch, ONNX Runtime with a file of ``fastgan export``, or OpenVINO.

A runner has

- ``variant``, ``device`` and ``dtype`` of the tensors that it takes and returns, ``precision``
  (``fp32 | fp16 | bf16``), ``name``;
- ``__call__(*inputs) -> outputs``, the tensors that ``ends`` of the variant's step names, see
  :data:`fastgan_core.model.VARIANTS`;
- ``prepare(count, size)``, where it compiles for each number of objects and size of the input.
"""

import torch

from fastgan_core.model import VARIANTS
from fastgan_core.running.device import DTYPES, choose_device, choose_precision
from fastgan_core.running.folding import folded


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
        self._step = VARIANTS[self.variant].step(self.model)

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._step(*inputs)


def runner(source, variant: str, backend: str, device: str = "auto", precision: str = "auto"):
    """What runs a model of :mod:`fastgan_core.model`, or an ONNX file that was looked at.

    Args:
        backend: ``torch`` with a model, ``onnxruntime`` with a file, ``openvino`` with either.
    """
    if backend == "torch":
        return TorchRunner(source, device, precision)
    if backend == "onnxruntime":
        from fastgan_core.running.onnx_backend import OnnxRuntimeRunner

        return OnnxRuntimeRunner(source, device, precision)
    from fastgan_core.running.openvino_backend import OpenVinoRunner

    return OpenVinoRunner(source, variant, device, precision)

"""ONNX Runtime (CPU, CUDA, TensorRT) with a file of ``fastgan export``."""

from pathlib import Path

import numpy as np
import torch

from fastgan_core.errors import FastganError
from fastgan_core.kept import folder
from fastgan_core.model import STRIDE, VARIANTS
from fastgan_core.running.device import DTYPES, choose_device
from fastgan_core.running.export import FORMAT
from fastgan_core.running.onnx_files import check_onnx
from fastgan_core.running.threads import spinning
from fastgan_core.running.weights import WeightsInfo, told

# In this order, those that are installed: TensorRT comes with a Jetson's ONNX Runtime.
CUDA_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


def onnxruntime():
    try:
        import onnxruntime
    except ImportError:
        raise FastganError(
            "backend: ONNX Runtime is not installed; run 'pip install onnxruntime' (onnxruntime-gpu for CUDA)"
        ) from None
    return onnxruntime


def session(path: str | Path, providers=("CPUExecutionProvider",)):
    """An ONNX Runtime session; FastganError when the file is missing, damaged or not ours."""
    check_onnx(path)
    options = onnxruntime().SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning())))
    try:
        # On the CPU there is nothing to fall back to, and a second try would only print another error.
        again = len(providers) > 1
        opened = onnxruntime().InferenceSession(str(path), options, list(providers), enable_fallback=again)
        made = opened.get_modelmeta().custom_metadata_map.get("format")
    except Exception as error:  # a family of its own without a common base
        reason = str(error).splitlines()[0]
        raise FastganError(f"weights: {path} cannot be run as an ONNX file ({reason}); export it again") from None
    if made != FORMAT:
        raise FastganError(f"weights: {path} was not made by 'fastgan export', whose inputs and outputs are needed")
    return opened


def read_info(path: str | Path) -> WeightsInfo:
    """What an ONNX file says of itself."""
    opened = session(path)
    try:
        info = told(Path(path), opened.get_modelmeta().custom_metadata_map)
        _check_ends(path, opened, info.variant)
    except FastganError:
        raise
    except (KeyError, ValueError, RecursionError) as error:
        raise FastganError(
            f"weights: {path} is damaged: what it says of itself cannot be read ({error}); export it again"
        ) from None
    return info


def _check_ends(path, opened, variant: str) -> None:
    """Compare names, types and fixed sides of inputs and outputs with those that the tracker gives and takes."""
    ends = opened.get_inputs(), opened.get_outputs()
    step = VARIANTS[variant].step
    few, more = step.ends(variant, 1, 1, 1), step.ends(variant, 2, 2, 2)
    fits = {end.type for group in ends for end in group} in ({"tensor(float)"}, {"tensor(float16)"})
    for group, small, large in zip(ends, few, more, strict=True):
        fits = fits and [end.name for end in group] == list(small)
        fits = fits and all(_fits(end.shape, small[end.name], large[end.name]) for end in group)
    if not fits:
        raise FastganError(f"weights: {path} has other inputs and outputs than 'fastgan export' makes; export it again")


def _fits(shape: list, small: tuple, large: tuple) -> bool:
    """Whether the sides that are the same in both shapes are fixed to it."""
    if len(shape) != len(small):
        return False
    return all(a != b or side == a for side, a, b in zip(shape, small, large, strict=True))


class OnnxRuntimeRunner:
    """ONNX Runtime; tensors stay on the device."""

    name = "onnxruntime"

    def __init__(self, path: str | Path, device: str = "auto", precision: str = "auto"):
        chosen = choose_device(device)
        providers: list = ["CPUExecutionProvider"]
        if chosen.type == "cuda":
            there = [name for name in CUDA_PROVIDERS if name in onnxruntime().get_available_providers()]
            if not there:
                raise FastganError(
                    "device: this ONNX Runtime has no CUDA; install onnxruntime-gpu, or set device to 'cpu'"
                )
            providers = [(name, self._options(name, chosen)) for name in there] + providers
        self._session = session(path, providers)
        half = "float16" in self._session.get_inputs()[0].type
        own = "fp16" if half else "fp32"
        if precision not in ("auto", own):
            raise FastganError(f"precision: {path} is {own}, not {precision}; use auto, or export it again")
        self.variant = self._session.get_modelmeta().custom_metadata_map["variant"]
        self.device, self.precision, self.dtype = chosen, own, DTYPES[own]
        self._kind = np.float16 if half else np.float32

    @staticmethod
    def _options(provider: str, device: torch.device) -> dict:
        options = {"device_id": device.index or 0}
        if provider.startswith("Tensorrt"):
            cache = folder() / "tensorrt"  # an engine takes minutes to build
            cache.mkdir(parents=True, exist_ok=True)
            options |= {"trt_fp16_enable": True, "trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache)}
        return options

    def __call__(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        inputs = [tensor.contiguous() for tensor in inputs]
        count, (height, width) = len(inputs[1]), inputs[0].shape[-2:]  # of previous and of the image, of any network
        names, shapes = VARIANTS[self.variant].step.ends(self.variant, count, height // STRIDE, width // STRIDE)
        outputs = [torch.empty(shape, device=self.device, dtype=self.dtype) for shape in shapes.values()]
        binding = self._session.io_binding()
        place = (self.device.type, self.device.index or 0, self._kind)
        for name, tensor in zip(names, inputs, strict=True):
            binding.bind_input(name, *place, tuple(tensor.shape), tensor.data_ptr())
        for name, tensor in zip(shapes, outputs, strict=True):
            binding.bind_output(name, *place, tuple(tensor.shape), tensor.data_ptr())
        if self.device.type == "cuda":  # the session has a stream of its own
            torch.cuda.current_stream(self.device).synchronize()
        self._session.run_with_iobinding(binding)
        return outputs

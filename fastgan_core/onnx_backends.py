"""Networks that run a file of ``fastgan export``: ONNX Runtime (CPU, CUDA, TensorRT) and OpenVINO (CPU)."""

from pathlib import Path

import numpy as np
import torch

from fastgan_core.device import DTYPES, choose_device, choose_precision
from fastgan_core.errors import FastganError
from fastgan_core.export import FORMAT, INPUTS, OUTPUTS
from fastgan_core.model import STRIDE, VARIANTS
from fastgan_core.onnx_files import check_onnx
from fastgan_core.threads import spinning
from fastgan_core.weights import WeightsInfo, told

# In this order, those that are installed: TensorRT comes with a Jetson's ONNX Runtime.
CUDA_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
TENSORRT_CACHE = Path("~/.cache/fastgan/tensorrt")  # an engine takes minutes to build


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
        _check_ends(path, opened.get_inputs(), opened.get_outputs(), VARIANTS[info.variant].widths[0])
    except FastganError:
        raise
    except (KeyError, ValueError, RecursionError) as error:
        raise FastganError(
            f"weights: {path} is damaged: what it says of itself cannot be read ({error}); export it again"
        ) from None
    return info


def _check_ends(path, inputs, outputs, width: int) -> None:
    """Compare the names, types and channels of inputs and outputs with those that the tracker gives and takes."""
    ends = {end.name: end for end in (*inputs, *outputs)}
    fits = tuple(ends) == (*INPUTS, *OUTPUTS) and {end.type for end in ends.values()} in (
        {"tensor(float)"},
        {"tensor(float16)"},
    )
    fits = fits and all(len(end.shape) == 4 for end in ends.values())
    if fits:
        channels = {name: end.shape[1] for name, end in ends.items()}
        fits = isinstance(channels["reference"], int) and channels["reference"] == channels["features"]
        fits = fits and channels["memory"] == channels["next_memory"] == width
        fits = fits and (channels["image"], channels["previous"], channels["logits"]) == (3, 1, 1)
    if not fits:
        raise FastganError(f"weights: {path} has other inputs and outputs than a file of 'fastgan export'")


class _OnnxNetwork:
    """What both have in common: the state's shapes, and the reference as the features of a step."""

    def __init__(self, variant: str, device: torch.device, precision: str, dtype: torch.dtype):
        self.device, self.precision, self.dtype = device, precision, dtype
        self._variant = VARIANTS[variant]

    def __call__(self, image, previous, reference, memory):
        logits, memory, _ = self.run(image, previous, reference, memory)
        return logits, memory

    def encode_reference(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, (height, width) = len(mask), mask.shape[-2:]
        shape = (batch, self.channels, height // STRIDE, width // STRIDE)
        unused = torch.zeros(shape, device=self.device, dtype=self.dtype)
        return self.run(image, mask, unused, self.initial_memory(batch, (height, width)))[2]

    def initial_memory(self, batch: int, size: tuple[int, int]) -> torch.Tensor:
        shape = (batch, self._variant.widths[0], size[0] // 4, size[1] // 4)
        return torch.zeros(shape, device=self.device, dtype=self.dtype)


class OnnxRuntimeNetwork(_OnnxNetwork):
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
        self.channels = self._session.get_inputs()[2].shape[1]
        variant = self._session.get_modelmeta().custom_metadata_map["variant"]
        super().__init__(variant, chosen, own, DTYPES[own])
        self._kind = np.float16 if half else np.float32

    @staticmethod
    def _options(provider: str, device: torch.device) -> dict:
        options = {"device_id": device.index or 0}
        if provider.startswith("Tensorrt"):
            cache = TENSORRT_CACHE.expanduser()
            cache.mkdir(parents=True, exist_ok=True)
            options |= {"trt_fp16_enable": True, "trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache)}
        return options

    def run(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        inputs = [tensor.contiguous() for tensor in inputs]
        _, previous, reference, memory = inputs
        outputs = [torch.empty_like(tensor) for tensor in (previous, memory, reference)]
        binding = self._session.io_binding()
        place = (self.device.type, self.device.index or 0, self._kind)
        for name, tensor in zip(INPUTS, inputs, strict=True):
            binding.bind_input(name, *place, tuple(tensor.shape), tensor.data_ptr())
        for name, tensor in zip(OUTPUTS, outputs, strict=True):
            binding.bind_output(name, *place, tuple(tensor.shape), tensor.data_ptr())
        if self.device.type == "cuda":  # the session has a stream of its own
            torch.cuda.current_stream(self.device).synchronize()
        self._session.run_with_iobinding(binding)
        return outputs


class OpenVinoNetwork(_OnnxNetwork):
    """OpenVINO on a CPU, compiled for each number of objects and size when it is first seen."""

    name = "openvino"

    def __init__(self, path: str | Path, device: str = "auto", precision: str = "auto"):
        try:
            import openvino
        except ImportError:
            raise FastganError("backend: OpenVINO is not installed; run 'pip install openvino'") from None
        if device not in ("auto", "cpu"):
            raise FastganError(f"device: the backend openvino runs on the CPU, not on {device}; use onnxruntime there")
        chosen = torch.device("cpu")
        self._core = openvino.Core()
        # It would take fp32 without a word.
        if "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            if precision == "bf16":
                raise FastganError("precision: OpenVINO does not compute bf16 on this CPU; use fp32 or auto")
            precision = "fp32" if precision == "auto" else precision
        precision = choose_precision(precision, chosen)
        info = read_info(path)
        self._path = str(path)
        # Tensors stay float32; the precision is that of the arithmetic inside.
        self._hints = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._requests: dict[tuple, object] = {}
        self.channels = self._core.read_model(self._path).input(INPUTS[2]).partial_shape[1].get_length()
        super().__init__(info.variant, chosen, precision, torch.float32)

    def run(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        inputs = [tensor.contiguous().numpy() for tensor in inputs]
        key = inputs[1].shape
        if key not in self._requests:
            if len(self._requests) >= 8:
                self._requests.clear()
            model = self._core.read_model(self._path)
            model.reshape({name: list(array.shape) for name, array in zip(INPUTS, inputs, strict=True)})
            self._requests[key] = self._core.compile_model(model, "CPU", self._hints).create_infer_request()
        request = self._requests[key]
        request.infer(dict(zip(INPUTS, inputs, strict=True)))
        # Copies: the request writes its next results to the same place.
        return [torch.from_numpy(request.get_tensor(name).data.copy()) for name in OUTPUTS]

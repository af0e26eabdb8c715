"""OpenVINO on a CPU, with a file of ``fastgan export`` or with a model as it is in PyTorch."""

import hashlib
from pathlib import Path

import torch

import fastgan_core.model
from fastgan_core.errors import FastganError
from fastgan_core.kept import folder, keep_folder
from fastgan_core.model import STRIDE, VARIANTS
from fastgan_core.running.device import choose_precision
from fastgan_core.running.export import example, quiet
from fastgan_core.running.folding import folded
from fastgan_core.running.signal_stack import kept_signal_stack

LARGEST = 8  # compiled models kept
KEPT = 4  # conversions kept on disk, 18 MB each
MODEL = "model.xml"


class OpenVinoRunner:
    """Compiled for each number of objects and size when it is first seen."""

    name = "openvino"

    def __init__(self, source, variant: str, device: str = "auto", precision: str = "auto"):
        try:
            import openvino
        except ImportError:
            raise FastganError("backend: OpenVINO is not installed; run 'pip install openvino'") from None
        if device not in ("auto", "cpu"):
            raise FastganError(f"device: the backend openvino runs on the CPU, not on {device}; use onnxruntime there")
        self.variant, self.device = variant, torch.device("cpu")
        self._core = openvino.Core()
        with kept_signal_stack():  # the first question loads the plugin
            capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # It would take fp32 without a word.
        if "BF16" not in capabilities:
            if precision == "bf16":
                raise FastganError("precision: OpenVINO does not compute bf16 on this CPU; use fp32 or auto")
            precision = "fp32" if precision == "auto" else precision
        self.precision = choose_precision(precision, self.device)
        # Tensors stay float32; the precision is that of the arithmetic inside.
        self.dtype = torch.float32
        self._hints = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[self.precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        is_file = isinstance(source, str | Path)
        self._model = self._core.read_model(str(source)) if is_file else self._converted(source)
        self._requests: dict[tuple, object] = {}

    def __call__(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        request = self._compiled([array.shape for array in arrays])
        request.infer(arrays, share_inputs=True)
        # Copies: the request writes its next results to the same place.
        return [torch.from_numpy(tensor.data.copy()) for tensor in request.output_tensors]

    def prepare(self, count: int, size: tuple[int, int]) -> None:
        """Compile for a number of objects and an input of ``(h, w)`` now, from whatever thread."""
        inputs, _ = VARIANTS[self.variant].step.ends(self.variant, count, size[0] // STRIDE, size[1] // STRIDE)
        self._compiled(list(inputs.values()))

    def _compiled(self, shapes: list[tuple]):
        key = shapes[1]  # of previous, of any network
        request = self._requests.get(key)
        if request is None:
            model = self._model.clone()
            model.reshape({number: list(shape) for number, shape in enumerate(shapes)})
            request = self._core.compile_model(model, "CPU", self._hints).create_infer_request()
            if len(self._requests) >= LARGEST:
                self._requests.clear()
            self._requests[key] = request
        return request

    def _converted(self, model: torch.nn.Module):
        """:func:`converted`, which takes 5 to 13 seconds on two cores, or what it gave for the same model before."""
        import openvino

        path = folder() / f"openvino-{_digest(model, openvino.__version__)}"
        try:
            return self._core.read_model(path / MODEL)
        except RuntimeError:  # not there, or not whole
            made = converted(model)
        keep_folder(path, lambda new: openvino.save_model(made, new / MODEL, compress_to_fp16=False), KEPT)
        return made


def _digest(model: torch.nn.Module, runtime: str) -> str:
    """Names a conversion: by the weights, the code that is converted and the versions of what converts it."""
    digest = hashlib.sha256(f"{model.variant} {torch.__version__} {runtime}".encode())
    here = Path(__file__).parent
    model_code = Path(fastgan_core.model.__file__).parent.glob("*.py")
    for file in sorted([*model_code, here / "export.py", here / "folding.py", Path(__file__)]):
        digest.update(file.read_bytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def converted(model: torch.nn.Module):
    """A model of :mod:`fastgan_core.model` as OpenVINO's, its sides and number of objects dynamic."""
    import openvino

    step = VARIANTS[model.variant].step(folded(model))
    with quiet(), torch.no_grad():
        return openvino.convert_model(step, example_input=example(step, model.variant, torch.float32))

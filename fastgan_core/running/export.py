"""``fastgan export``: a network as one ONNX file, state in and state out."""

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path

import torch

from fastgan_core.errors import FastganError
from fastgan_core.model import VARIANTS
from fastgan_core.running.device import DTYPES
from fastgan_core.running.folding import folded
from fastgan_core.running.weights import WeightsInfo

OPSET = 18
FORMAT = "fastgan-onnx-1"


def example(step_class, variant: str, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Inputs of a step, zeros, with sides and a number of objects that are not 1, which an exporter would fix."""
    return tuple(torch.zeros(shape, dtype=dtype) for shape in step_class.ends(variant, 2, 2, 3)[0].values())


def export_onnx(path: str | Path, model: torch.nn.Module, info: WeightsInfo, precision: str = "fp32") -> None:
    """Write a model as ONNX, with a dynamic number of objects and dynamic sides.

    Inputs and outputs are those that ``ends`` of :class:`fastgan_core.model.paper_step.PaperStep` or
    :class:`fastgan_core.model.lite_step.LiteStep` names; the image's sides are multiples of 32.

    Args:
        precision: ``fp32``, or ``fp16`` for devices that run it.

    Raises:
        FastganError: the exporter is not installed, or the file cannot be written.
    """
    path = Path(path)
    if precision not in ("fp32", "fp16"):
        raise FastganError(f"precision: '{precision}' is not possible in an ONNX file; use fp32 or fp16")
    if path.suffix != ".onnx":
        raise FastganError(f"{path}: choose a name that ends in .onnx, by which the tracker knows such files")
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise FastganError(f"export: {error}; run 'pip install onnx onnxscript onnxruntime'") from None
    dtype = DTYPES[precision]
    step_class = VARIANTS[model.variant].step
    step = step_class(folded(model).to(dtype)).eval()
    ends = step_class.ends(model.variant, *(torch.export.Dim(n, min=1, max=64) for n in ("objects", "rows", "columns")))
    shapes = tuple(
        {axis: side for axis, side in enumerate(shape) if not isinstance(side, int)} for shape in ends[0].values()
    )
    with quiet():
        program = torch.onnx.export(
            step,
            example(step_class, model.variant, dtype),
            dynamo=True,
            input_names=list(ends[0]),
            output_names=list(ends[1]),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    proto = program.model_proto
    metadata = {"variant": info.variant, "input_size": str(info.input_size), "recipe": json.dumps(info.recipe)}
    onnx.helper.set_model_props(proto, {"format": FORMAT, "licence": info.licence, **metadata})
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, partial)
    partial.replace(path)


@contextlib.contextmanager
def quiet():
    """Without the exporter's notes on its own progress."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)

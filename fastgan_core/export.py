"""``fastgan export``: the regressor as one ONNX file, state in and state out."""

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path

import torch

from fastgan_core.device import DTYPES
from fastgan_core.errors import FastganError
from fastgan_core.folding import folded
from fastgan_core.model import STRIDE, VARIANTS, FaSTGAN
from fastgan_core.weights import WeightsInfo

INPUTS = ("image", "previous", "reference", "memory")
OUTPUTS = ("logits", "next_memory", "features")
OPSET = 18
FORMAT = "fastgan-onnx-1"


class Step(torch.nn.Module):
    """One step of :class:`FaSTGAN` that also returns the encoder's features.

    Both streams have one set of weights, so the features of a reference's image and mask, which
    ``encode_reference`` gives in PyTorch, are those of a step whose ``previous`` is the reference mask.
    """

    def __init__(self, model: FaSTGAN):
        super().__init__()
        self.model = model

    def forward(self, image, previous, reference, memory):
        features = self.model.encoder(image, previous)
        logits, memory = self.model.decoder(features, reference, memory)
        return self.model.enlarged(logits, image), memory, features[-1]


def export_onnx(path: str | Path, model: FaSTGAN, info: WeightsInfo, precision: str = "fp32") -> None:
    """Write a model as ONNX, with a dynamic number of objects and dynamic sides.

    Inputs: ``image (1, 3, h, w)`` in [0, 1], ``previous (N, 1, h, w)``, ``reference (N, C, h/32, w/32)``,
    ``memory (N, w4, h/4, w/4)``. Outputs: ``logits (N, 1, h, w)``, ``next_memory`` like memory, ``features`` like
    reference: those of ``image`` and ``previous``. h and w are multiples of 32.

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
    step = Step(folded(model).to(dtype)).eval()
    height, width, count = 2 * STRIDE, 3 * STRIDE, 2  # any that are not 1, which the exporter would fix
    channels, memory = model.encoder.channels[-1], VARIANTS[model.variant].widths[0]
    example = (
        torch.zeros(1, 3, height, width, dtype=dtype),
        torch.zeros(count, 1, height, width, dtype=dtype),
        torch.zeros(count, channels, height // STRIDE, width // STRIDE, dtype=dtype),
        torch.zeros(count, memory, height // 4, width // 4, dtype=dtype),
    )
    objects, rows, columns = (torch.export.Dim(name, min=1, max=64) for name in ("objects", "rows", "columns"))
    sides = {2: STRIDE * rows, 3: STRIDE * columns}
    memories = {0: objects, 2: 8 * rows, 3: 8 * columns}
    shapes = (sides, {0: objects, **sides}, {0: objects, 2: rows, 3: columns}, memories)
    with quiet():
        program = torch.onnx.export(
            step,
            example,
            dynamo=True,
            input_names=INPUTS,
            output_names=OUTPUTS,
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

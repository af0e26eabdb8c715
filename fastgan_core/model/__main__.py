"""``python -m fastgan_core.model``: parameters and arithmetic of each part of each variant, per frame and object."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fastgan_core.model import VARIANTS, FaSTGAN, Lite
from fastgan_core.model.lite import KEY, VALUE
from fastgan_core.model.lite_step import RING, WHOLE

PAPER = {
    "encoder (target stream)": ["encoder"],
    "matching": ["decoder.match"],
    "refinement 1/16": ["decoder.refine16"],
    "refinement 1/8": ["decoder.refine8"],
    "refinement 1/4": ["decoder.refine4"],
    "temporal skip, prediction": ["decoder.temporal_skip", "decoder.predict"],
}
KEYS = ["lateral16", "lateral32", "context", "key16", "key32"]
SKIPS = ["frame_coarse", "frame_value", "frame_half", "frame_quarter", "skip8", "skip4"]
LITE = {
    "encoder, once a frame": ["encoder"],
    "key and skips, once": KEYS + SKIPS,
    "reading the memory": [],
    "refinement 1/16": ["object_coarse", "refine16"],
    "refinement 1/8": ["up8", "refine8"],
    "refinement 1/4": ["up4", "refine4"],
    "temporal skip, prediction": ["temporal_skip", "predict"],
    "value, to remember": ["object_quarter", "eighth", "sixteenth", "object_value", "value"],
}


class PaperFrame(nn.Module):
    """One frame of :class:`FaSTGAN`."""

    def __init__(self, variant: str):
        super().__init__()
        self.model = FaSTGAN(variant)

    def forward(self, side: int) -> None:
        image, mask = torch.zeros(1, 3, side, side), torch.zeros(1, 1, side, side)
        reference = image.new_zeros(1, self.model.encoder.channels[-1], side // 32, side // 32)
        self.model(image, mask, reference, self.model.initial_memory(1, (side, side), like=image))


class LiteFrame(nn.Module):
    """One frame of :class:`Lite`."""

    def __init__(self):
        super().__init__()
        self.model = Lite()

    def forward(self, side: int) -> None:
        image, masks = torch.zeros(1, 3, side, side), torch.zeros(1, 2, side // 4, side // 4)
        cells = WHOLE * (side // 16) ** 2 + RING * (side // 32) ** 2
        frame = self.model.encode(image)
        memory = image.new_zeros(1, cells, KEY), image.new_zeros(1, cells, VALUE), image.new_zeros(1, cells)
        found = self.model.read(frame, *memory)
        self.model.decode(frame, found, self.model.initial_memory(1, (side, side), like=image))
        self.model.remember(frame, masks)


def count(variant: str, side: int) -> list[tuple[str, float, float]]:
    """``(part, million parameters, GFLOP)`` rows at ``side x side``; a multiply-add is two FLOP."""
    once, parts = (LiteFrame(), LITE) if variant == Lite.variant else (PaperFrame(variant), PAPER)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(depth=4, display=False) as counter:
        once.eval().to("meta")(side)
    flops = {name: sum(ops.values()) / 1e9 for name, ops in counter.get_flop_counts().items()}
    all_flops, rows = flops["Global"], []
    for label, modules in parts.items():
        parameters = sum(p.numel() for m in modules for p in once.model.get_submodule(m).parameters())
        rows.append((label, parameters / 1e6, sum(flops.get(f"{type(once).__name__}.model.{m}", 0) for m in modules)))
    # What no module does: the attention.
    rest = all_flops - sum(row[2] for row in rows)
    rows = [(label, size, part if parts[label] else rest) for label, size, part in rows]
    return [*rows, ("all", sum(p.numel() for p in once.parameters()) / 1e6, all_flops)]


if __name__ == "__main__":
    own = [(name, VARIANTS[name].input_size) for name in ("resnet18", "lite")]
    for variant, side in [("resnet50", 512), ("resnet18", 512), *own]:
        print(f"{variant} at {side} x {side}")
        for label, parameters, flops in count(variant, side):
            print(f"  {label:26}{parameters:8.2f} M{flops:9.2f} GFLOP")

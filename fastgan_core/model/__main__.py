"""``python -m fastgan_core.model``: parameters and arithmetic of each part of each variant, per frame and object."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from fastgan_core.model import VARIANTS, FaSTGAN


def count(variant: str, side: int) -> list[tuple[str, float, float]]:
    """``(part, million parameters, GFLOP)`` rows at ``side x side``; a multiply-add is two FLOP."""
    model = FaSTGAN(variant).eval()
    image, mask = torch.zeros(1, 3, side, side), torch.zeros(1, 1, side, side)
    with torch.inference_mode(), FlopCounterMode(depth=3, display=False) as counter:
        reference = image.new_zeros(1, model.encoder.channels[-1], side // 32, side // 32)
        model(image, mask, reference, model.initial_memory(1, (side, side), like=image))
    flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    parts = {"encoder (target stream)": ["encoder"], "matching": ["decoder.match"]}
    parts |= {f"refinement 1/{s}": [f"decoder.refine{s}"] for s in (16, 8, 4)}
    parts |= {"temporal skip, prediction": ["decoder.temporal_skip", "decoder.predict"]}
    rows = []
    for label, modules in parts.items():
        parameters = sum(p.numel() for m in modules for p in model.get_submodule(m).parameters())
        rows.append((label, parameters / 1e6, sum(flops.get(f"FaSTGAN.{m}", 0) for m in modules) / 1e9))
    total = sum(p.numel() for p in model.parameters()) / 1e6
    return [*rows, ("all", total, flops["Global"] / 1e9)]


if __name__ == "__main__":
    for variant, side in (("resnet50", 512), ("resnet18", 512), ("resnet18", VARIANTS["resnet18"].input_size)):
        print(f"{variant} at {side} x {side}")
        for label, parameters, flops in count(variant, side):
            print(f"  {label:26}{parameters:8.2f} M{flops:9.2f} GFLOP")

"""Which device and number format to run on. Nothing here runs at import time."""

import os
import platform
from pathlib import Path

import torch

from fastgan_core.errors import FastganError
from fastgan_core.running.choices import PRECISIONS

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Values of oneDNN's ONEDNN_MAX_CPU_ISA that rule out instructions for bfloat16.
_ISA_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        FastganError: a device that was asked for by name is not there. Only ``auto`` falls back.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not (kind == "cuda" and number.isdecimal())):
        raise FastganError(f"device: '{name}' is not known; use auto, cpu, cuda or cuda:N")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= count:
            raise FastganError(
                f"device: {name} was asked for and this machine has {count} CUDA devices that torch "
                f"{torch.__version__} can use; set device to 'auto' or 'cpu', or check the driver with nvidia-smi"
            )
    return torch.device(name)


def cpu_name() -> str:
    """What the CPU calls itself."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; without them it is emulated, several times slower than float32.

    ``ONEDNN_MAX_CPU_ISA``, which keeps PyTorch's convolutions from a CPU's newer instructions, counts here too.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA", "")
    if limit.upper() in _ISA_WITHOUT_BF16:
        return False
    asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(supported() for supported in asked if supported)


def choose_precision(name: str, device: torch.device) -> str:
    """``auto``, ``fp32``, ``fp16`` or ``bf16``; ``auto`` takes what the device computes fastest."""
    if name == "auto":
        if device.type == "cuda":
            return "fp16"
        return choose_training_precision(name, device)
    if name not in DTYPES:
        raise FastganError(f"precision: '{name}' is not known; use {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise FastganError("precision: fp16 needs a GPU; use fp32 or bf16 on a CPU")
    return name


def choose_training_precision(name: str, device: torch.device) -> str:
    """``auto``, ``fp32`` or ``bf16`` of a recipe; ``auto`` takes bf16 where the device has instructions for it."""
    if name == "auto":
        return "bf16" if computes_bf16(device) else "fp32"
    return name


def price(precision: str, device: torch.device) -> str:
    """What a precision that was asked for by name costs on a device that has to emulate it, in a sentence; else ""."""
    emulated = precision == "bf16" and not computes_bf16(device)
    if not emulated and not (precision == "fp16" and device.type == "cpu"):
        return ""
    kind = "GPU" if device.type == "cuda" else "CPU"
    # On a CPU fp16 is that of an ONNX file, which "auto" follows.
    advice = "export the file in fp32" if precision == "fp16" else "'auto' takes what is fastest here"
    return (
        f"precision: this {kind} has no instructions for {precision} and emulates it, which takes longer than fp32, "
        f"up to several times as long; {advice}"
    )

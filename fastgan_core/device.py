"""Which device and number format to run on. Nothing here runs at import time."""

import torch

from fastgan_core.errors import FastganError

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


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


def choose_precision(name: str, device: torch.device) -> str:
    """``auto``, ``fp32``, ``fp16`` or ``bf16``; ``auto`` takes what the device computes fastest."""
    if name == "auto":
        if device.type == "cuda":
            return "fp16"
        # bfloat16 on a CPU is worth it where there are instructions for it, and slower than float32 elsewhere.
        asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
        return "bf16" if any(supported() for supported in asked if supported) else "fp32"
    if name not in DTYPES:
        raise FastganError(f"precision: '{name}' is not known; use auto, {', '.join(DTYPES)}")
    if name == "fp16" and device.type == "cpu":
        raise FastganError("precision: fp16 needs a GPU; use fp32 or bf16 on a CPU")
    return name

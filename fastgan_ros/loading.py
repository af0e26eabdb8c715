"""Bringing the model onto the device and taking it off again."""

import ctypes
import gc
import sys

from fastgan_core.errors import FastganError


def load_tracker(settings):
    """Return a Tracker for the settings, warmed up; FastganError, in a sentence, when that cannot be had."""
    try:
        # Here and not above: torch takes seconds to import, and the node is to be on the network before.
        import torch

        from fastgan_core.tracker import Tracker
    except ImportError as error:
        raise FastganError(
            f"The model cannot be loaded because a Python package is missing ({error}). The node runs in "
            f"{sys.executable}; install the package there, for example "
            f"'{sys.executable} -m pip install torch torchvision safetensors'."
        ) from error
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        tracker = Tracker.from_weights(
            settings.weights,
            settings.device,
            settings.precision,
            settings.input_size,
            settings.max_objects,
            settings.backend,
        )
        tracker.warm_up()
    except (OSError, RuntimeError) as error:
        # A driver that does not answer, a device whose memory is full.
        raise FastganError(f"The model cannot be loaded on device '{settings.device}': {error}") from error
    tracker.lost_threshold = settings.lost_threshold
    return tracker


def out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that the device, or the machine, has no memory left."""
    # By its words: the CPU's allocator raises a bare RuntimeError, and so do cuBLAS and cuDNN.
    words = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    told = isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    return told or isinstance(error, MemoryError)


def release_memory() -> None:
    """Give the memory of trackers that nobody holds any more back to the system, the device's and the process's."""
    gc.collect()
    # glibc keeps what a model leaves behind, in an arena for each thread that ever loaded one.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()

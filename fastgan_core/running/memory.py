"""Memory of the device and of the process: whether it is used up, and giving it back."""

import ctypes
import gc
import sys


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

"""Bytes between the host and the device: once up and once down per frame, through pinned memory."""

import numpy as np
import torch


class Transfer:
    """Copies to and from one device. On the CPU nothing is copied.

    Pinned memory is allocated once per shape and used again, so what :meth:`down` returns is a copy of it.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self._pinned: dict[object, torch.Tensor] = {}  # the newest of each use

    def up(self, array: np.ndarray) -> torch.Tensor:
        """The array on the device. It must not be changed while the result is in use."""
        if self.device.type != "cuda":
            return torch.from_numpy(np.ascontiguousarray(array))
        # Not of the array itself: torch takes neither mirrored nor read-only ones as they are.
        pinned = self._buffer("up", array.shape, torch.from_numpy(np.empty(0, array.dtype)).dtype)
        np.copyto(pinned.numpy(), array)
        return pinned.to(self.device, non_blocking=True)

    def down(self, *tensors: torch.Tensor) -> list[np.ndarray]:
        """The tensors as arrays, after one wait for the device."""
        if self.device.type != "cuda":
            return [tensor.numpy() for tensor in tensors]
        pinned = [self._buffer(("down", n), tensor.shape, tensor.dtype) for n, tensor in enumerate(tensors)]
        for target, tensor in zip(pinned, tensors, strict=True):
            target.copy_(tensor, non_blocking=True)
        torch.cuda.current_stream(self.device).synchronize()
        return [target.numpy().copy() for target in pinned]

    def _buffer(self, use, shape, dtype: torch.dtype) -> torch.Tensor:
        # One thread uploads while another downloads: each touches the entries of its own use alone.
        buffer = self._pinned.get(use)
        if buffer is None or buffer.shape != tuple(shape) or buffer.dtype != dtype:
            buffer = self._pinned[use] = torch.empty(shape, dtype=dtype, pin_memory=True)
        return buffer

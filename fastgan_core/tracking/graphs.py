"""CUDA graphs: the whole step of a frame as one launch, for a few numbers of objects."""

import threading
import warnings
from contextlib import contextmanager

import torch

from fastgan_core.tracking.network import Network
from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.step import advance, device_labels

BUCKETS = (1, 2, 4, 8, 16, 32)  # numbers of objects that graphs are captured for; a batch is filled up to the next
LARGEST = 16  # graphs kept; a camera that changes its size again and again must not fill the memory

_capturing = threading.Lock()
_streams: dict[torch.device, torch.cuda.Stream] = {}


@contextmanager
def capture_stream(device: torch.device):
    """The stream that a device's graphs are captured on, for one thread at a time.

    One for the whole process: torch keeps a workspace of cuBLAS for each thread's handle and stream that a product ran
    on, 32 MiB on Hopper, and a stream for each tracker would leave one behind with each. Graphs thus share it, and are
    replayed one after another, on the default stream.
    """
    with _capturing:
        if device not in _streams:
            # Of this device: torch's own stream for captures is of the device that the first capture was on.
            _streams[device] = torch.cuda.Stream(device)
        yield _streams[device]


def bucket(count: int) -> int:
    """The smallest of :data:`BUCKETS` that holds ``count`` objects; above them the count itself."""
    return next((size for size in BUCKETS if size >= count), count)


class Captured:
    """A graph for one number of objects and one pair of sizes, with the state that it works on.

    Args:
        network: what looks at the frames. small: a frame, ``(h, w, 3) uint8``. objects: any state of the number and
            size wanted. threshold: tensor of one. size: ``(H, W)`` of the label image.
        ids: dtype of the label image. pool: of memory, shared with other graphs of the same tracker.
    """

    def __init__(self, network: Network, small, objects: Objects, threshold, size, ids: torch.dtype, pool):
        self._small = small.clone()
        self._state = objects.mapped(torch.clone, objects.ids)
        self._ids = torch.zeros(len(objects.ids), dtype=ids, device=small.device)
        start = [tensor.clone() for tensor in self._state.tensors()]

        def run():
            state, logits, scores = advance(network, self._small, self._state, threshold)
            labels = device_labels(logits, state.lost, self._ids, size)
            for target, tensor in zip(self._state.tensors(), state.tensors(), strict=True):
                target.copy_(tensor)
            return labels, torch.stack([scores, state.lost.to(scores.dtype)])

        self._graph = torch.cuda.CUDAGraph()
        with capture_stream(small.device) as stream:
            stream.wait_stream(torch.cuda.current_stream(small.device))
            # The outer stream also brings the thread back to its own one when a capture fails, which torch does not.
            with torch.cuda.stream(stream):
                # Libraries choose their kernels in the first runs, which must not be part of the graph.
                for _ in range(3):
                    run()
                # thread_local: another thread goes on uploading frames meanwhile, which is no part of the graph.
                with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                    self._results = run()
            torch.cuda.current_stream(small.device).wait_stream(stream)
        for target, tensor in zip(self._state.tensors(), start, strict=True):
            target.copy_(tensor)
        self._current: Objects | None = None

    def __call__(self, small: torch.Tensor, objects: Objects) -> tuple[Objects, torch.Tensor, torch.Tensor]:
        count = len(objects.ids)
        if objects is not self._current:  # edited since, or another graph's
            for target, tensor in zip(self._state.tensors(), objects.tensors(), strict=True):
                target[:count].copy_(tensor)
            self._state.live[count:] = False
            self._ids.zero_()
            self._ids[:count] = torch.tensor(objects.ids, dtype=self._ids.dtype, device=self._ids.device)
            self._current = self._state.mapped(lambda tensor: tensor[:count], objects.ids)
        self._small.copy_(small)
        self._graph.replay()
        labels, scores = self._results
        return self._current, labels, scores[:, :count]


class Graphs:
    """The step of a frame, captured at its first use for each number of objects and size."""

    def __init__(self, network: Network):
        self._network = network
        self._captured: dict[tuple, Captured] = {}
        self._pool = None
        self._threshold: torch.Tensor | None = None
        self._value: float | None = None
        self.usable = True

    def __call__(self, small, objects: Objects, threshold: float, size, ids: torch.dtype):
        """The state after the frame, the label image ``(H, W)`` and ``(2, N)``: scores and whether lost.

        None when graphs cannot be used on this device; that is said once.
        """
        if self._threshold is None:
            self._threshold = torch.empty((), device=small.device)
            self._pool = torch.cuda.graph_pool_handle()
        if threshold != self._value:
            self._threshold.fill_(threshold)
            self._value = threshold
        key = (bucket(len(objects.ids)), tuple(small.shape), tuple(size), ids)
        if key not in self._captured:
            if len(self._captured) >= LARGEST:
                self._captured.clear()
                self._pool = torch.cuda.graph_pool_handle()  # the former one ended with its last graph
            try:
                filled = filled_up(objects, key[0])
                self._captured[key] = Captured(self._network, small, filled, self._threshold, size, ids, self._pool)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                self.usable = False
                warnings.warn(f"CUDA graphs cannot be used here, so a step takes longer: {error}", stacklevel=2)
                return None
        return self._captured[key](small, objects)


def filled_up(objects: Objects, count: int) -> Objects:
    """The same objects in a batch of ``count``, filled up with rows that are not live."""
    spare = count - len(objects.ids)

    def fill(tensor: torch.Tensor) -> torch.Tensor:
        return torch.cat([tensor, tensor.new_zeros(spare, *tensor.shape[1:])])

    return objects.mapped(fill, objects.ids + (0,) * spare)

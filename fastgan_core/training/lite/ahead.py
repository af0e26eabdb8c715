"""The next clips are drawn while the network learns from these."""

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from fastgan_core.data.synthesis import Clips, Synthesis
from fastgan_core.training.lite.recipe import Stretch


class Ahead:
    """Clips of a stretch, one batch ahead of the step, by a thread and a stream of its own.

    Half of a step's time on a fast GPU is Python's; most of it does not hold the interpreter. On a CPU, where nothing
    is gained, clips are drawn when they are asked for.
    """

    def __init__(self, synthesis: Synthesis, stretch: Stretch, device: torch.device):
        self._synthesis, self._stretch = synthesis, stretch
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._pool = ThreadPoolExecutor(1) if self._stream else None
        self._next: Future | None = self._pool.submit(self._draw) if self._pool else None

    def take(self) -> Clips:
        """The next batch."""
        if self._pool is None:
            return self._draw()
        clips = self._next.result()
        self._next = self._pool.submit(self._draw)
        current = torch.cuda.current_stream(clips.frames.device)
        current.wait_event(clips.drawn)
        for tensor in (clips.frames, clips.masks, clips.valid):
            tensor.record_stream(current)  # the other stream must not use their memory before the step is over
        return clips

    def _draw(self) -> Clips:
        stretch = self._stretch
        with torch.cuda.stream(self._stream), torch.no_grad():
            clips = self._synthesis.draw(stretch.clips, stretch.frames + 1, stretch.objects, stretch.size)
            if self._stream:
                clips.drawn = self._stream.record_event()
        return clips

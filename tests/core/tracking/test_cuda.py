"""What only a CUDA device shows: streams, pinned memory, graphs beside another thread, memory that comes back."""

import gc
import threading

import numpy as np
import pytest
import torch
from footage import frame, labels

from fastgan_core.tracking.tracker import Tracker

pytestmark = pytest.mark.gpu


def test_a_mirrored_frame_and_one_that_cannot_be_written_are_taken(model):
    tracker = Tracker(model, device="cuda", size=64)
    mirrored, fixed = frame()[:, ::-1, ::-1], frame()
    fixed.setflags(write=False)
    tracker.set_reference(mirrored, labels(1))
    assert tracker.step(fixed).labels.shape == (90, 120)


def test_frames_are_uploaded_while_another_thread_captures_graphs(model):
    """As in the node: one thread receives, the model's thread and those of services change the objects."""
    tracker = Tracker(model, device="cuda", precision="fp32", size=64)
    stop, errors, received = threading.Event(), [], []

    def receive():
        try:
            while not stop.is_set():
                size = (90, 120) if len(received) % 2 else (240, 240)
                small = tracker.shrink(frame(*size, seed=len(received)))
                received.append(float(small.pixels.float().mean()))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        for number in (1, 2, 3, 4):
            tracker.set_reference(frame(), labels(*range(1, number + 1)))
            for seed in range(10):
                assert tracker.step(frame(seed=seed)).labels.shape == (90, 120)
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert all(100 < mean < 155 for mean in received)
    assert tracker._graphs.usable


@pytest.mark.parametrize("graphs", [False, True])
def test_a_tracker_that_is_dropped_gives_its_memory_back(model, graphs):
    """What the node does when it is deactivated. The first leaves what a process keeps once, cuBLAS's workspaces."""
    left = []
    for _ in range(3):
        tracker = Tracker(model, device="cuda", size=64, graphs=graphs)
        tracker.set_reference(frame(), labels(1, 2, 3))
        for seed in range(3):
            tracker.step(frame(seed=seed))
        held = tracker.device_memory()
        del tracker
        gc.collect()
        torch.cuda.empty_cache()
        left.append(torch.cuda.memory_reserved())
        assert held > left[-1]
    assert left[2] <= left[1] <= left[0]


def test_objects_that_the_memory_does_not_suffice_for_leave_the_tracks_as_they_are(model):
    tracker = Tracker(model, device="cuda", precision="fp32", size=256)
    tracker.set_reference(frame(), labels(1))
    tracker.lost_threshold = 0.0
    many = np.repeat(np.arange(1, 33, dtype=np.uint8)[None], 90, axis=0).repeat(4, axis=1)[:, :120]
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 40e6) / total)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            tracker.set_reference(frame(), many)
        assert tracker.ids == (1,)
        assert tracker.step(frame(seed=1)).labels.shape == (90, 120)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    tracker.set_reference(frame(), many)
    assert len(tracker.step(frame(seed=1)).objects) == 30
    assert tracker._graphs.usable

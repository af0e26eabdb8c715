"""The network and the step as they run give what the plain ones give."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from footage import frame, labels

from fastgan_core.model import VARIANTS, FaSTGAN, build
from fastgan_core.running.folding import folded
from fastgan_core.running.transfer import Transfer
from fastgan_core.tracking.graphs import BUCKETS, bucket, capture_stream, filled_up
from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.opening import network_of
from fastgan_core.tracking.step import advance, device_labels, host_labels
from fastgan_core.tracking.tracker import Tracker


@pytest.mark.parametrize("variant", ["resnet18", "resnet50"])
def test_folding_changes_nothing_but_the_operations(variant):
    torch.manual_seed(0)
    model = FaSTGAN(variant).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training: not the identity
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.7, 1.5)
            module.weight.data.uniform_(0.7, 1.3)
            module.bias.data.uniform_(-0.2, 0.2)
    fast = folded(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fast.modules())
    image, mask = torch.rand(1, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        reference = model.encode_reference(image, mask)
        torch.testing.assert_close(fast.encode_reference(image, mask), reference, rtol=1e-3, atol=1e-3)
        inputs = image, mask, reference, model.initial_memory(2, (64, 96), like=image)
        for ours, plain in zip(fast(*inputs), model(*inputs), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("lost", [(False, False, False), (True, False, False), (True, True, True)])
def test_labels_on_the_host_are_those_of_the_device(lost):
    torch.manual_seed(1)
    logits = torch.nn.functional.interpolate(4 * torch.randn(3, 1, 8, 10), size=(64, 80), mode="bicubic")
    lost = torch.tensor(lost)
    wanted = device_labels(logits, lost, torch.tensor([3, 9, 200]), (150, 190)).numpy()
    rows = (~lost).nonzero().flatten().tolist()
    found = host_labels(logits.numpy(), rows, (3, 9, 200), (150, 190))
    assert found.dtype == np.uint8
    assert set(np.unique(wanted)) == {0, *(i for i, gone in zip((3, 9, 200), lost, strict=True) if not gone)}
    assert (found == wanted).mean() > 0.99


def test_rows_that_fill_up_a_batch_do_not_touch_the_objects(any_model):
    """A graph for four objects that runs with three."""
    tracker = Tracker(any_model, device="cpu", precision="fp32", size=64)
    tracker.set_reference(frame(), labels(1, 2, 3))
    small = tracker.shrink(frame(seed=1)).pixels
    with torch.inference_mode():
        state, logits, scores = advance(tracker._network, small, tracker._objects, 0.0)
        padded, more_logits, more_scores = advance(tracker._network, small, filled_up(tracker._objects, 4), 0.0)
    torch.testing.assert_close(more_logits[:3], logits)
    torch.testing.assert_close(more_scores, torch.cat([scores, torch.zeros(1)]))
    assert (more_logits[3] == float("-inf")).all()
    for ours, plain in zip(padded.tensors(), state.tensors(), strict=True):
        torch.testing.assert_close(ours[:3], plain, rtol=1e-3, atol=1e-3)


def test_a_row_that_was_an_objects_before_does_not_touch_the_others(any_model):
    """A graph for four objects when one of four is removed: its row keeps what it had."""
    tracker = Tracker(any_model, device="cpu", precision="fp32", size=64)
    tracker.set_reference(frame(), labels(1, 2, 3, 4))
    four, three = tracker._objects, tracker._objects.without([4])
    small = tracker.shrink(frame(seed=1)).pixels
    with torch.inference_mode():
        state, logits, _ = advance(tracker._network, small, three, 0.0)
        stale, more_logits, _ = advance(
            tracker._network, small, replace(four, live=torch.tensor([True, True, True, False])), 0.0
        )
    torch.testing.assert_close(more_logits[:3], logits)
    assert (more_logits[3] == float("-inf")).all()
    for ours, plain in zip(stale.tensors(), state.tensors(), strict=True):
        torch.testing.assert_close(ours[:3], plain, rtol=1e-3, atol=1e-3)


class OnMeta:
    """Runs a step on the device whose tensors have shapes and nothing in them: to look at a value is an error."""

    name, precision, dtype, device = "meta", "fp32", torch.float32, torch.device("meta")

    def __init__(self, variant: str):
        self.variant = variant
        with self.device:
            self._step = VARIANTS[variant].step(build(variant).eval()).to(self.device)

    def __call__(self, *inputs):
        return self._step(*inputs)


@pytest.mark.parametrize("variant", ["resnet18", "lite"])
def test_a_step_never_looks_at_a_value(variant):
    """Which would wait for the device, and could not be captured."""
    network = network_of(OnMeta(variant))
    with network.device, torch.inference_mode():
        small, masks = torch.empty(64, 96, 3, dtype=torch.uint8), torch.empty(3, 1, 64, 96)
        objects = Objects.new((1, 2, 3), small, masks, *network.start(torch.empty(1, 3, 64, 96), masks))
        after, logits, _ = advance(network, small, objects, torch.empty(()))
        labels = device_labels(logits, after.lost, torch.empty(3, dtype=torch.uint8), (48, 72))
    assert labels.shape == (48, 72)
    assert [t.shape for t in after.tensors()] == [t.shape for t in objects.tensors()]
    assert [t.dtype for t in after.tensors()] == [t.dtype for t in objects.tensors()]


def test_every_number_of_objects_has_a_bucket():
    assert [bucket(n) for n in (1, 2, 3, 5, 32, 33, 255)] == [1, 2, 4, 8, 32, 33, 255]
    assert list(BUCKETS) == sorted(BUCKETS)


def test_graphs_of_a_device_are_captured_on_one_stream_by_one_thread_at_a_time(monkeypatch):
    streams: dict = {}
    monkeypatch.setattr("fastgan_core.tracking.graphs._streams", streams)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: [device])
    taken, inside = [], threading.Lock()

    def capture(number: int):
        with capture_stream(torch.device("cuda", number % 2)) as stream:
            assert inside.acquire(blocking=False)
            taken.append(stream)
            time.sleep(0.002)
            inside.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(capture, range(16)))
    with pytest.raises(ValueError, match="failed"), capture_stream(torch.device("cuda", 0)):
        raise ValueError("a capture failed")
    capture(0)
    assert len(taken) == 17 and len(streams) == 2
    assert all(stream is streams[stream[0]] for stream in taken)


def test_transfer_on_a_cpu_copies_nothing():
    array = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    transfer = Transfer(torch.device("cpu"))
    tensor = transfer.up(array)
    assert tensor.data_ptr() == array.ctypes.data
    assert transfer.down(tensor)[0].ctypes.data == array.ctypes.data


@pytest.mark.gpu
@pytest.mark.parametrize("ids", [(1,), (1, 2, 3), (300,)])
def test_graphs_give_the_masks_of_plain_cuda(any_model, ids):
    results = []
    for graphs in (True, False):
        tracker = Tracker(any_model, device="cuda", precision="fp32", size=64, graphs=graphs)
        tracker.lost_threshold = 0.0
        tracker.step(frame())
        tracker.set_reference(frame(), labels(*ids))
        steps = [tracker.step(frame(seed=n)) for n in range(4)]
        tracker.set_reference(frame(), labels(9), mode="add")
        steps += [tracker.step(frame(seed=n)) for n in range(4)]
        tracker.remove([9])
        steps += [tracker.step(frame(120, 90, seed=n)) for n in range(4)]
        results.append(steps)
        if graphs:
            assert tracker._graphs.usable
    for ours, plain in zip(*results, strict=True):
        assert ours.labels.dtype == plain.labels.dtype
        assert (ours.labels == plain.labels).mean() > 0.99
        assert [o.state for o in ours.objects] == [o.state for o in plain.objects]


@pytest.mark.gpu
def test_a_branch_and_its_tracker_take_turns_on_cuda(any_model):
    """Objects that catch up leave those that are followed on alone, and the other way round."""
    results = []
    for graphs in (True, False):
        tracker = Tracker(any_model, device="cuda", precision="fp32", size=64, graphs=graphs)
        tracker.lost_threshold = 0.0
        tracker.set_reference(frame(), labels(1))
        branch = tracker.branch()
        branch.set_reference(frame(seed=5), labels(2))
        steps = [t.step(frame(seed=n)) for n in range(4) for t in (tracker, branch)]
        tracker.adopt(branch, frame(), "add", tracker.epoch)
        results.append(steps + [tracker.step(frame(seed=n)) for n in range(4)])
    for ours, plain in zip(*results, strict=True):
        assert (ours.labels == plain.labels).mean() > 0.99

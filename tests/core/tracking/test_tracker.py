"""The tracker's contract, with an untrained model: what holds for any weights."""

import threading

import numpy as np
import pytest
import torch
from footage import frame, labels

from fastgan_core.errors import FastganError
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.model.aggregation import aggregate, winners, won
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracked import describe
from fastgan_core.tracking.stepper import network_size
from fastgan_core.tracking.tracker import Tracker


@pytest.fixture
def tracker(any_model) -> Tracker:
    tracker = Tracker(any_model, device="cpu", precision="fp32", size=64, max_objects=4)
    tracker.lost_threshold = 0.0  # an untrained model is sure of nothing
    return tracker


def test_without_objects_the_mask_is_empty(tracker):
    tracked = tracker.step(frame())
    assert tracked.labels.shape == (90, 120)
    assert not tracked.labels.any()
    assert tracked.objects == ()


def test_labels_have_the_frames_size_and_the_references_ids(tracker):
    assert tracker.set_reference(frame(), labels(3, 7)) == [3, 7]
    tracked = tracker.step(frame(seed=1))
    assert tracked.labels.shape == (90, 120)
    assert set(np.unique(tracked.labels)) <= {0, 3, 7}
    assert [(o.id, o.area) for o in tracked.objects] == [(n, (tracked.labels == n).sum()) for n in (3, 7)]


def test_ids_over_255_make_a_16_bit_label_image(tracker):
    tracker.set_reference(frame(), labels(300))
    assert tracker.step(frame()).labels.dtype == np.uint16


def test_objects_of_one_batch_are_as_if_alone_before_aggregation(model):
    """Several objects cost one pass, and with the paper's network none of them sees another's mask."""
    tracker = Tracker(model, device="cpu", precision="fp32", size=64)
    tracker.set_reference(frame(), labels(1, 2))
    both = tracker._objects
    for row, number in enumerate((1, 2)):
        alone = np.where(labels(1, 2) == number, number, 0).astype(np.uint8)
        tracker.set_reference(frame(), alone)
        torch.testing.assert_close(tracker._objects.state.reference[0], both.state.reference[row], rtol=1e-4, atol=1e-4)


FOLLOWED = torch.zeros(5, dtype=torch.bool)


def test_aggregation_is_the_sigmoid_for_one_object_and_sums_to_at_most_one():
    logits = torch.randn(1, 1, 5, 5)
    torch.testing.assert_close(aggregate(logits, FOLLOWED[:1]), logits.sigmoid())
    many = aggregate(torch.randn(5, 1, 8, 8) * 100, FOLLOWED)
    assert many.isfinite().all()
    assert many.sum(dim=0).max() <= 1 + 1e-6
    # Odds 1 : 3 : 1 for background and two objects.
    two = aggregate(torch.tensor([3.0, 1.0]).log().view(2, 1, 1, 1), FOLLOWED[:2])
    assert two.flatten().tolist() == pytest.approx([0.6, 0.2])


def test_a_lost_object_takes_nothing_from_one_that_is_followed():
    logits = torch.tensor([6.0, 5.0, -1.0]).view(3, 1, 1, 1)
    lost = torch.tensor([False, True, False])
    alone = aggregate(logits[[0, 2]], FOLLOWED[:2]).flatten()
    first, second, third = aggregate(logits, lost).flatten()
    torch.testing.assert_close(torch.stack([first, third]), alone)
    torch.testing.assert_close(second, aggregate(logits, FOLLOWED[:3])[1, 0, 0, 0])
    pixels, _ = won(aggregate(logits, lost))
    assert pixels.flatten().tolist() == [1, 0, 0]


def test_twins_are_not_both_lost():
    # At one pixel two objects have 0.45 and 0.35 and the background 0.2: the first has it, though under 0.5.
    masks = torch.tensor([[0.45, 0.1], [0.35, 0.1]]).view(2, 1, 1, 2)
    pixels, shares = won(masks)
    assert pixels.flatten().tolist() == [1, 0, 0, 0]
    assert shares.tolist() == pytest.approx([0.5, 0])
    index, inside = winners(masks[:, 0])
    assert (index[0, 0], inside.tolist()) == (0, [[True, False]])


def test_what_is_said_of_an_object_is_measured_on_its_pixels():
    image = np.zeros((20, 30), np.uint8)
    image[5:10, 3:9] = 4
    seen, lost = describe(image, ids=(4, 6), scores=[0.9, 0.2], found=[0])
    assert (seen.id, seen.score, seen.area, seen.box, seen.state) == (4, 0.9, 30, (3, 5, 6, 5), "tracked")
    assert (lost.id, lost.score, lost.area, lost.box, lost.state) == (6, 0.2, 0, (0, 0, 0, 0), "lost")


def test_add_keeps_the_others_and_replace_does_not(tracker):
    tracker.set_reference(frame(), labels(1))
    assert tracker.set_reference(frame(), labels(2), mode="add") == [2]
    assert tracker.ids == (1, 2)
    tracker.set_reference(frame(), labels(2), mode="add")  # set anew, not twice
    assert tracker.ids == (1, 2)
    tracker.set_reference(frame(), labels(5))
    assert tracker.ids == (5,)


def test_more_is_another_view_of_what_is_tracked_and_leaves_the_others(lite):
    tracker = Tracker(lite, device="cpu", precision="fp32", size=64)
    tracker.set_reference(frame(), labels(1, 2))
    epoch, before = tracker.epoch, tracker._objects
    assert tracker.set_reference(frame(seed=1), labels(2, height=90), mode="more") == [2]
    assert set(tracker.ids) == {1, 2} and tracker.epoch == epoch + 1
    for number, views in ((1, 1), (2, 2)):
        row, former = tracker.ids.index(number), before.ids.index(number)
        assert (tracker._objects.state.absent[row] == 0).sum() == views
        assert torch.equal(tracker._objects.state.values[row, 0], before.state.values[former, 0])
        assert (tracker._objects.looks[row].sum(dim=1) > 0).sum() == views + 1  # and what it looks like lately
    assert {o.id for o in tracker.step(frame()).objects} == {1, 2}


def test_more_of_what_is_not_tracked_is_refused(tracker):
    tracker.set_reference(frame(), labels(1, 2))
    epoch = tracker.epoch
    with pytest.raises(FastganError, match=r"nothing that this could be.*\[3\] are not tracked.*\[1, 2\]"):
        tracker.set_reference(frame(), labels(2, 3), mode="more")
    with pytest.raises(FastganError, match="'replace', 'add', 'more'"):
        tracker.set_reference(frame(), labels(2), mode="again")
    assert (tracker.ids, tracker.epoch) == ((1, 2), epoch)


def test_a_network_of_one_view_refuses_more(model):
    tracker = Tracker(model, device="cpu", precision="fp32", size=64)
    tracker.set_reference(frame(), labels(1))
    with pytest.raises(FastganError, match=r"remembers one view.*mode add"):
        tracker.set_reference(frame(), labels(1), mode="more")
    assert tracker.ids == (1,)


def test_remove_and_reset(tracker):
    tracker.set_reference(frame(), labels(1, 2, 3))
    with pytest.raises(FastganError, match="9"):
        tracker.remove([1, 9])
    assert tracker.ids == (1, 2, 3)
    assert tracker.remove([2]) == [2]
    assert tracker.ids == (1, 3)
    assert {o.id for o in tracker.step(frame()).objects} == {1, 3}
    tracker.reset()
    assert tracker.ids == ()


def test_epoch_grows_with_every_edit_and_is_that_of_the_result(tracker):
    seen = [tracker.epoch]
    tracker.set_reference(frame(), labels(1, 2))
    seen.append(tracker.epoch)
    tracker.remove([1])
    seen.append(tracker.epoch)
    assert tracker.step(frame()).epoch == tracker.epoch
    tracker.reset()
    seen.append(tracker.epoch)
    assert seen == sorted(set(seen))


def test_warmed_up_it_is_as_it_was(tracker):
    tracker.warm_up((90, 120))
    assert tracker.ids == () and tracker.epoch == 0
    assert not tracker.step(frame()).labels.any()
    cold = Tracker(tracker._network, size=64, max_objects=4)
    cold.lost_threshold = tracker.lost_threshold
    for one in (tracker, cold):
        one.set_reference(frame(), labels(1, 2))
    assert (tracker.step(frame(seed=1)).labels == cold.step(frame(seed=1)).labels).all()


def test_what_is_slow_is_done_before_there_are_objects(tracker, monkeypatch):
    sizes = []
    run = type(tracker)._run
    monkeypatch.setattr(type(tracker), "_run", lambda self, small, _: sizes.append(small.size) or run(self, small, _))
    tracker.warm_up((90, 120))
    assert sizes == [(90, 120)]
    tracker.step(frame())  # as expected: nothing more to do
    tracker.step(frame(180, 240))  # the same to the network
    tracker.step(frame(60, 240))  # not as expected
    tracker.step(frame(60, 240))
    assert sizes == [(90, 120), (60, 240)]
    tracker.set_reference(frame(), labels(1))
    assert len(sizes) == 2, "a reference is answered at once"
    tracker.step(frame())
    assert len(sizes) == 3


def test_state_does_not_grow(tracker):
    tracker.set_reference(frame(), labels(1, 2))

    def size() -> int:
        return sum(t.numel() for t in tracker._objects.tensors())

    before = size()
    for seed in range(5):
        tracker.step(frame(seed=seed))
    assert size() == before


@pytest.mark.parametrize("size", [(90, 120), (180, 240), (120, 90), (33, 400), (1, 1), (7, 5)])
def test_any_size_and_a_change_of_size_on_the_way(tracker, size):
    tracker.set_reference(frame(), labels(1))
    tracker.step(frame())
    assert tracker.step(frame(*size)).labels.shape == size
    tracker.set_reference(frame(), labels(2), mode="add")
    assert tracker.step(frame()).labels.shape == (90, 120)


def test_network_size_has_the_aspect_and_the_area():
    assert network_size((512, 512), 512) == (512, 512)
    assert network_size((480, 640), 256) == (224, 288)
    assert network_size((1, 1_000_000), 256) == (32, 2048)  # no longer than the area allows
    assert network_size((1_000_000, 1), 32) == (32, 32)
    height, width = network_size((480, 854), 512)
    assert height % 32 == width % 32 == 0
    assert height * width == pytest.approx(512 * 512, rel=0.1)


def test_equal_input_gives_equal_output(tracker):
    results = []
    for _ in range(2):
        tracker.set_reference(frame(), labels(1, 2))
        results.append([tracker.step(frame(seed=s)).labels for s in range(3)])
    assert all((a == b).all() for a, b in zip(*results, strict=True))


def test_a_non_contiguous_frame_is_fine(tracker):
    tracker.set_reference(frame(), labels(1))
    assert tracker.step(frame()[:, ::-1]).labels.shape == (90, 120)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((90, 120), np.uint8), "empty"),
        (labels(1, height=45), "120x45 and the image 120x90"),
        (np.ones((90, 120), np.float32), "integers"),
        (np.ones((90, 120, 3), np.uint8), r"\(H, W\)"),
        (np.full((90, 120), -1), "between 1 and 65535"),
        (np.full((90, 120), 70000), "between 1 and 65535"),
        (np.arange(90 * 120).reshape(90, 120) % 6, "more than the 4 allowed"),
        (None, "label image"),
    ],
)
def test_a_refused_mask_says_why_and_leaves_the_tracks(tracker, mask, words):
    tracker.set_reference(frame(), labels(1))
    epoch = tracker.epoch
    with pytest.raises(FastganError, match=words):
        tracker.set_reference(frame(), mask)
    assert (tracker.ids, tracker.epoch) == ((1,), epoch)


@pytest.mark.parametrize("bad", [frame()[..., 0], frame().astype(np.float32), frame()[:0], "image", frame()[..., :2]])
def test_a_frame_that_is_none_is_refused(tracker, bad):
    with pytest.raises(FastganError, match="frame"):
        tracker.step(bad)


def test_too_many_objects_counts_those_already_there(tracker):
    tracker.set_reference(frame(), labels(1, 2, 3))
    with pytest.raises(FastganError, match="5 objects are more than the 4"):
        tracker.set_reference(frame(), labels(8, 9), mode="add")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "tpu"}, "not known"),
        ({"device": "cpu", "precision": "fp16"}, "fp16 needs a GPU"),
        ({"precision": "int3"}, "not known"),
        ({"size": 100}, "multiple of 32"),
        ({"max_objects": 0}, "max_objects"),
    ],
)
def test_options_that_cannot_be(model, options, words):
    with pytest.raises(FastganError, match=words):
        Tracker(model, **options)


def test_auto_falls_back_to_the_cpu(model):
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert Tracker(model, device="auto").device.type == expected


def test_a_reference_that_cannot_be_prepared_for_leaves_the_tracks_as_they_are(tracker, monkeypatch):
    tracker.set_reference(frame(), labels(1, 2))
    before, epoch = tracker._objects, tracker.epoch

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tracker, "_prepare", full)
    branch = tracker.branch()
    branch._objects = before.without([1])
    with pytest.raises(torch.OutOfMemoryError):
        tracker.set_reference(frame(), labels(3))
    with pytest.raises(torch.OutOfMemoryError):
        tracker.adopt(branch, frame(), "replace", epoch)
    assert tracker._objects is before and tracker.epoch == epoch


def test_threads_may_edit_while_frames_run(tracker):
    errors = []

    def edit():
        try:
            for n in range(1, 30):
                tracker.set_reference(frame(), labels(1 + n % 3), mode="add")
                tracker.reset()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=edit)
    thread.start()
    epoch = 0
    while thread.is_alive():
        tracked = tracker.step(frame())
        assert set(np.unique(tracked.labels)) - {0} == {o.id for o in tracked.objects if o.area}
        assert tracked.epoch >= epoch
        epoch = tracked.epoch
    thread.join()
    assert errors == []


@pytest.mark.gpu
def test_cuda_gives_the_cpus_masks():
    """With the weights that ship: random ones are undecided in so many places that rounding decides there."""
    scene, masks = Scene(320, 240), {}
    for device in ("cpu", "cuda"):
        tracker = Tracker.from_weights(device=device, precision="fp32")
        tracker.set_reference(*scene[0])
        masks[device] = [tracker.step(scene[index][0]).labels > 0 for index in range(2, 22, 2)]
    assert all(mask.any() for mask in masks["cpu"])
    assert np.mean([region_similarity(*pair) for pair in zip(masks["cpu"], masks["cuda"], strict=True)]) > 0.99

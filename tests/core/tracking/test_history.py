"""The kept frames: bounds in time and memory, finding a stamp, and catching up with the present."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fastgan_core.errors import FastganError
from fastgan_core.tracking import catch_up as module
from fastgan_core.tracking.catch_up import catch_up
from fastgan_core.tracking.history import NO_FRAME, SECOND, History
from fastgan_core.tracking.tracker import Small, Tracker

FRAME = 8 * 8 * 3  # bytes


def small(value: int = 0) -> Small:
    return Small(torch.full((8, 8, 3), value, dtype=torch.uint8), (16, 16))


def filled(frames: int, rate: float = 10.0, **bounds) -> History:
    """Frames from second 1 on, each with its number as its pixels."""
    history = History(**({"seconds": 10.0, "megabytes": 1.0} | bounds))
    for i in range(frames):
        history.add(SECOND + round(i * SECOND / rate), small(i))
    return history


def test_frames_older_than_the_time_are_let_go():
    history = filled(50, seconds=2.0)
    count, span, megabytes = history.extent()
    assert (count, span) == (21, 2.0) and megabytes == pytest.approx(21 * FRAME / 1e6)
    assert history.after(0)[0].stamp == SECOND + 29 * SECOND // 10


def test_memory_bounds_them_as_well():
    history = filled(50, megabytes=7.5 * FRAME / 1e6)
    assert history.extent()[0] == 7
    assert [int(kept.small.pixels[0, 0, 0]) for kept in history.after(0)] == list(range(43, 50))


@pytest.mark.parametrize("bounds", [{"seconds": 0.0}, {"megabytes": 0.0}])
def test_nothing_is_kept_where_nothing_may_be(bounds):
    history = filled(5, **bounds)
    assert history.extent()[0] == 0 and not history.keeps(SECOND)


def test_frames_without_a_stamp_are_not_kept():
    history = filled(3)
    history.add(0, small())
    assert history.extent()[0] == 3


def test_time_that_goes_back_begins_anew():
    history = filled(30)
    history.add(SECOND + 5, small(99))  # as after `ros2 bag play --loop`
    assert [kept.stamp for kept in history.after(0)] == [SECOND + 5]
    assert history.find(SECOND + 5).small.pixels.max() == 99


def test_a_stamp_finds_its_frame_and_one_that_is_rounded_the_nearest():
    history = filled(30)
    assert history.find(SECOND + 7 * SECOND // 10).small.pixels.max() == 7
    assert history.find(SECOND + 7 * SECOND // 10 + 40_000_000).small.pixels.max() == 7
    assert history.find(SECOND + 7 * SECOND // 10 + 60_000_000).small.pixels.max() == 8


@pytest.mark.parametrize(("stamp", "word"), [(SECOND // 2, "older than all"), (9 * SECOND, "newer than all")])
def test_a_stamp_outside_gets_the_range_that_there_is(stamp, word):
    with pytest.raises(FastganError) as refusal:
        filled(30).find(stamp)
    assert word in str(refusal.value) and str(refusal.value).startswith(NO_FRAME)
    assert "from 1.000000000 s to 3.900000000 s" in str(refusal.value)


def test_a_stamp_in_a_gap_is_of_no_frame():
    history = filled(10)
    history.add(9 * SECOND, small())
    with pytest.raises(FastganError, match=f"{NO_FRAME}: .* is of none"):
        history.find(5 * SECOND)


def test_a_mask_waits_for_the_frame_that_it_overtook():
    history = filled(10)
    stamp = 2 * SECOND
    threading.Timer(0.1, history.add, (stamp, small(77))).start()
    assert history.find(stamp, patience=30.0).small.pixels.max() == 77
    with pytest.raises(FastganError, match="newer than all"):
        history.find(stamp + SECOND, patience=0.05)


def test_before_the_first_frame_the_refusal_says_so():
    with pytest.raises(FastganError, match=f"{NO_FRAME}: no frames are kept yet"):
        History(10.0, 1.0).find(SECOND)


@pytest.fixture
def clock(monkeypatch):
    """Time goes by only where a test says so: a busy machine changes nothing."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr(module, "time", clock)
    return clock


class Slow:
    """Stands in for a tracker on a device that takes `cost` seconds a frame; notes which frames it was given."""

    def __init__(self, clock, cost: float, meanwhile=lambda: None):
        self.clock, self.cost, self.meanwhile, self.seen = clock, cost, meanwhile, []

    def step(self, frame: Small) -> None:
        self.seen.append(int(frame.pixels.max()))
        self.clock.sleep(self.cost)
        self.meanwhile()


def test_a_fast_device_runs_every_frame(clock):
    slow = Slow(clock, 0.01)
    done = catch_up(slow, filled(30), SECOND + SECOND // 10, budget=10.0)
    assert slow.seen == list(range(2, 30))
    assert (done.run, done.skipped, done.stamp) == (28, 0, SECOND + 29 * SECOND // 10)


def test_frames_that_arrive_meanwhile_are_run_too(clock):
    history = filled(5)
    more = iter(range(5, 8))

    def arrive():
        if (i := next(more, None)) is not None:
            history.add(SECOND + i * SECOND // 10, small(i))

    slow = Slow(clock, 0.01, arrive)
    catch_up(slow, history, SECOND, budget=10.0)
    assert slow.seen == [1, 2, 3, 4, 5, 6, 7]


def test_a_slow_device_leaves_frames_out_evenly_and_ends_on_the_newest(clock):
    slow = Slow(clock, 0.05)
    done = catch_up(slow, filled(200, seconds=60.0), SECOND, budget=1.0)
    gaps = np.diff(slow.seen)[1:-1]  # the first step only measures; the last takes what is left
    assert slow.seen[-1] == 199 and done.run + done.skipped == 199
    assert 15 <= done.run <= 20, "about what a second allows"
    assert gaps.max() <= 1.5 * gaps.min()
    assert clock.now < 1.1


def test_without_any_budget_the_newest_frame_alone_is_run(clock):
    slow = Slow(clock, 0.01)
    done = catch_up(slow, filled(30), SECOND, budget=0.0)
    assert slow.seen == [29] and (done.run, done.skipped) == (1, 28)


def test_a_camera_faster_than_the_device_does_not_hold_it_for_ever(clock):
    history = filled(30)

    def arrive():
        last = history.after(0)[-1].stamp
        history.add(last + SECOND // 10, small())

    slow = Slow(clock, 0.15, arrive)  # at 10 Hz one frame and a half come meanwhile
    catch_up(slow, history, SECOND, budget=2.0)
    assert clock.now < 2.5


def test_it_ends_when_it_is_told_to(clock):
    slow = Slow(clock, 0.01)
    done = catch_up(slow, filled(30), SECOND, budget=10.0, stop=lambda: len(slow.seen) == 3)
    assert done.run == 3


def test_a_branch_leaves_the_tracker_alone_until_it_is_adopted(model, scene):
    tracker = Tracker(model, device="cpu", precision="fp32", size=64)
    frame, labels = scene[0]
    tracker.set_reference(frame, labels)
    branch, epoch = tracker.branch(), tracker.epoch
    branch.set_reference(frame, labels * 2)
    branch.step(scene[1][0])
    assert (tracker.ids, tracker.epoch, branch.ids) == ((1,), epoch, (2,))
    assert tracker.adopt(branch, scene[1][0], "add", epoch) == [2]
    assert tracker.ids == (1, 2) and tracker.epoch == epoch + 1
    assert {t.id for t in tracker.step(scene[2][0]).objects} == {1, 2}


def test_a_branch_comes_too_late_after_another_change(model, scene):
    tracker = Tracker(model, device="cpu", precision="fp32", size=64)
    branch, epoch = tracker.branch(), tracker.epoch
    branch.set_reference(*scene[0])
    tracker.reset()
    with pytest.raises(FastganError, match="another request"):
        tracker.adopt(branch, scene[1][0], "replace", epoch)
    assert tracker.ids == ()


def test_an_adopted_branch_may_not_be_too_many(model, scene):
    tracker = Tracker(model, device="cpu", precision="fp32", size=64, max_objects=1)
    frame, labels = scene[0]
    tracker.set_reference(frame, labels)
    branch = tracker.branch()
    branch.set_reference(frame, labels * 2)
    with pytest.raises(FastganError, match="more than the 1 allowed"):
        tracker.adopt(branch, frame, "add", tracker.epoch)
    assert tracker.ids == (1,)


def test_a_branch_goes_on_as_the_tracker_would_have(model, scene):
    """Set late and run through the kept frames, the masks are those of a reference that was on time."""
    on_time, late = (Tracker(model, device="cpu", precision="fp32", size=64) for _ in range(2))
    history = History(1000.0, 10.0)
    on_time.set_reference(*scene[0])
    for i in range(6):
        history.add(SECOND + i * 100 * SECOND, late.shrink(scene[i][0]))  # so slow a camera that no frame is left out
        if i:
            on_time.step(scene[i][0])
    branch = late.branch()
    branch.set_reference(history.find(SECOND).small, scene[0][1])
    assert catch_up(branch, history, SECOND, 60.0).run == 5
    late.adopt(branch, scene[5][0], "replace", late.epoch)
    assert (late.step(scene[6][0]).labels == on_time.step(scene[6][0]).labels).all()

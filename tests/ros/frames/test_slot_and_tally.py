"""Small parts of a frame's way by themselves: slot and tally."""

import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")

from fastgan_ros.frames import tally as events
from fastgan_ros.frames.slot import Slot
from fastgan_ros.frames.tally import Tally


def test_the_slot_keeps_the_newest_only():
    slot = Slot()
    assert [slot.put(n) for n in (1, 2, 3)] == [False, True, True]
    assert slot.take() == 3
    assert not slot.put(4)
    assert slot.clear() and not slot.clear()


def test_a_closed_slot_wakes_its_reader_and_takes_nothing_more():
    slot = Slot()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(slot.take()))
    reader.start()
    assert not slot.close()
    reader.join(10)
    assert taken == [None]
    assert slot.put(1) and slot.take() is None


def test_the_slot_says_what_it_throws_away_when_closed():
    slot = Slot()
    slot.put(1)
    assert slot.close()


def test_rates_are_those_since_the_last_report(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("fastgan_ros.frames.tally.time.monotonic", lambda: now[0])
    tally = Tally()
    for _ in range(30):
        tally.count(events.RECEIVED)
    for _ in range(20):
        tally.published(0.01, {"model": 0.02})
    now[0] += 2.0
    first = tally.report()
    assert (first.rate_in, first.rate_out) == (15.0, 10.0)
    assert tally.silence() == 2.0
    now[0] += 1.0
    second = tally.report()
    assert (second.rate_in, second.rate_out) == (0.0, 0.0)
    assert second.counts == first.counts == {events.RECEIVED: 30, events.PUBLISHED: 20}


def test_percentiles_are_over_the_last_ten_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("fastgan_ros.frames.tally.time.monotonic", lambda: now[0])
    tally = Tally()
    tally.published(99.0, {"model": 99.0})
    now[0] += 11.0
    for n in range(101):
        tally.published(n / 100 if n else None, {"model": n / 1000, "waiting": 1.0} if n else {"model": 0.0})
    report = tally.report()
    assert report.stages["model"] == (0.05, 0.099)
    assert report.stages["waiting"] == (1.0, 1.0)
    assert report.stages["transport"] is None
    assert report.age == pytest.approx((0.51, 0.99), abs=0.011)
    now[0] += 11.0
    assert tally.report().age is None

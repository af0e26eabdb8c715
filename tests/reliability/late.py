"""Masks that come late: how good the masks of the present are, against those of a mask that was on time.

    python -m tests.reliability.late --delays 0 1 3 --rate 15

The node runs in a process of its own with the weights that ship, a camera plays the moving scene in real time. A
mask drawn on one of its frames is sent so many seconds after that frame, in three ways: with the frame's stamp
(the node runs through the frames since then); with the frame itself but no stamp (the node starts from the old
place); and as if it were of the newest frame. Printed is the mean IoU of the masks of the two seconds after the answer.
"""

import argparse
import itertools
import statistics
import sys
import time
from typing import NamedTuple

from tests.reliability.process import node  # sets the ROS environment; before rclpy

import rclpy  # isort: skip
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.scenes.scene import Scene
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.messages.images import to_labels, to_msg
from fastgan_ros.programs.dds import use_profile

WAYS = ("stamp", "image", "newest")
STARTS = (0, 40, 170, 215)  # frames of the scene, at 15 Hz, with the object in full view, and three seconds later too
AFTER = 2.0  # seconds of masks that are judged


class Result(NamedTuple):
    """One mask sent late."""

    way: str
    delay: float  # seconds between the frame and the request
    run: int
    skipped: int
    answer: float  # seconds until the answer
    ious: dict[int, float]  # by frame of the scene, of all masks after the answer
    judged: tuple[int, int]  # first and last frame of the scene that the delay is judged by

    def iou(self, ious: dict[int, float]) -> float:
        """The mean of `ious` over the frames that this result is judged by."""
        first, last = self.judged
        return statistics.mean(iou for index, iou in ious.items() if first <= index <= last)


class Stage(Node):
    """Camera, operator and judge in one: knows which frame of the scene each stamp belongs to."""

    def __init__(self, scene: Scene, rate: float):
        super().__init__("stage")
        self.scene, self.rate = scene, rate
        self.frames = {}  # drawn before they are played
        self.played: dict[int, int] = {}  # stamp in nanoseconds to frame of the scene
        self.masks: list[tuple[int, Image]] = []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._camera = self.create_publisher(Image, "image", QoSProfile(depth=5))
        self.create_subscription(Image, "/fastgan_tracker/mask", self._on_mask, QoSProfile(depth=50))
        self._reset = self.create_client(Trigger, "/fastgan_tracker/reset")
        self._reference = self.create_client(SetReferenceMask, "/fastgan_tracker/set_reference_mask")

    def ready(self, timeout: float = 60.0) -> None:
        """Wait until the tracker answers images with masks."""
        end = time.monotonic() + timeout
        while not self.masks:
            if time.monotonic() > end:
                raise TimeoutError("no mask came from the tracker")
            self._send(0)
            self._serve(1 / self.rate)

    def rehearse(self, way: str, delay: float, start: int, length: float) -> Result:
        """Play `length` seconds of the scene from `start` on and send the mask of `start` after `delay` seconds."""
        self._await(self._reset.call_async(Trigger.Request()))
        first = start - round(self.rate / 2)
        last = start + round(length * self.rate)
        for index in range(first, last + 1):
            self._drawn(index)
        stamps, future, asked, answered = {}, None, 0.0, None
        clock = time.monotonic()
        for index in range(first, last + 1):
            stamps[index] = self._send(index)
            if future is None and index >= start + round(delay * self.rate):
                asked = time.monotonic()
                future = self._reference.call_async(self._request(way, start, stamps[start]))
            self._serve(clock + (index - first + 1) / self.rate - time.monotonic())
            if answered is None and future is not None and future.done():
                answered, took = index, time.monotonic() - asked
        if answered is None:
            raise TimeoutError(f"no answer within {time.monotonic() - asked:.1f} s")
        answer = future.result()
        if not answer.success:
            raise RuntimeError(answer.message)
        ious = {self.played[stamp]: self._iou(mask) for stamp, mask in self.masks if stamp > stamps[answered]}
        judged = answered, answered + round(AFTER * self.rate)
        return Result(way, delay, answer.frames_run, answer.frames_skipped, took, ious, judged)

    def _request(self, way: str, start: int, stamp: int) -> SetReferenceMask.Request:
        frame, labels = self._drawn(start)
        named = Header(stamp=Time(sec=stamp // 10**9, nanosec=stamp % 10**9)) if way == "stamp" else Header()
        request = SetReferenceMask.Request(mask=to_msg(labels, "mono8", named))
        if way == "image":
            request.image = to_msg(frame, "rgb8", Header())
        return request

    def _drawn(self, index: int):
        index %= len(self.scene)
        if index not in self.frames:
            self.frames[index] = self.scene[index]
        return self.frames[index]

    def _send(self, index: int) -> int:
        stamp = self.get_clock().now()
        self.played[stamp.nanoseconds] = index
        self._camera.publish(to_msg(self._drawn(index)[0], "rgb8", Header(stamp=stamp.to_msg(), frame_id="camera")))
        return stamp.nanoseconds

    def _serve(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._executor.spin_once(timeout_sec=max(end - time.monotonic(), 0.0))
            if time.monotonic() >= end:
                return

    def _await(self, future) -> None:
        while not future.done():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_mask(self, msg: Image) -> None:
        self.masks.append((_nanoseconds(msg), msg))

    def _iou(self, mask: Image) -> float:
        truth = self._drawn(self.played[_nanoseconds(mask)])[1]
        return float(region_similarity(truth > 0, to_labels(mask) > 0))


def _nanoseconds(msg: Image) -> int:
    return msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec


def measure(delays, rate: float, size: tuple[int, int]) -> list[tuple[Result, float]]:
    """For each delay in seconds, way and start a result, and the IoU that was to be had on time."""
    use_profile()
    scene = Scene(*size, length=round(20 * rate))  # a round takes 20 s at any rate
    length = max(delays) + 3.0 + AFTER
    results = []
    with node():
        rclpy.init()
        try:
            stage = Stage(scene, rate)
            stage.ready()
            for start in (round(start * rate / 15) for start in STARTS):
                on_time = stage.rehearse("image", 0.0, start, length)
                for delay, way in itertools.product(delays, WAYS):
                    late = stage.rehearse(way, delay, start, length)
                    results.append((late, late.iou(on_time.ious)))
        finally:
            rclpy.shutdown()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 1.0, 3.0], help="seconds")
    parser.add_argument("--rate", type=float, default=15.0, help="frames a second")
    parser.add_argument("--size", default="640x480", help="of the camera (%(default)s)")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    results = measure(options.delays, options.rate, (width, height))
    print(f"{width} x {height} at {options.rate:g} Hz, {len(STARTS)} starts")
    print(f"{'late by':>8} {'sent with':>10} {'IoU':>6} {'on time':>8} {'worst difference':>17}", end="")
    print(f" {'run':>5} {'left out':>9} {'answer after':>13}")
    for delay, way in itertools.product(options.delays, WAYS):
        rows = [(late, late.iou(late.ious), best) for late, best in results if (late.way, late.delay) == (way, delay)]
        iou, best = (statistics.mean(row[i] for row in rows) for i in (1, 2))
        worst = min(iou - best for _, iou, best in rows)
        run, skipped = (round(statistics.mean(v)) for v in zip(*((r.run, r.skipped) for r, *_ in rows), strict=True))
        answer = statistics.median(late.answer for late, *_ in rows)
        print(f"{delay:6.1f} s {way:>10} {iou:6.3f} {best:8.3f} {worst:17.3f} {run:5d} {skipped:9d} {answer:11.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

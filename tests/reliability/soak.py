"""Many frames at full speed, with objects set, corrected, removed and reset all along.

    python -m tests.reliability.soak --frames 100000

The node runs in a process of its own with the weights that ship. Each frame has its own number painted into a
corner and a size that depends on the number; each result is checked against the frame that its stamp names,
and its ids against what the requests answered so far allow. Exit code 1 when anything is not as it should be.
"""

import argparse
import sys
import time
from collections import Counter

import numpy as np

from tests.reliability.process import Memory, node  # sets the ROS environment; before rclpy

import rclpy  # isort: skip
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from fastgan_interfaces.msg import TrackedObjects
from fastgan_interfaces.srv import RemoveObjects, SetReferenceMask
from fastgan_ros.messages.images import to_labels, to_msg, to_rgb
from tests.reliability.ledger import Ledger

ENDS = ("published", "dropped", "paused", "unusable", "outdated", "failed")


def size_of(number: int) -> tuple[int, int]:
    """(height, width) of a frame: with the stamp's number, a check of its own."""
    return 96 + number % 5, 128 + number % 7


def picture(number: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: two moving boxes on a ramp, the number in the corner."""
    height, width = size_of(number)
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 2] = np.linspace(0, 90, width, dtype=np.uint8)
    for (y, x), colour in zip(boxes(number), ((230, 60, 40), (60, 220, 80)), strict=True):
        rgb[y : y + 40, x : x + 48] = colour
    rgb[:3, :3] = code(number)
    return rgb


def boxes(number: int) -> tuple:
    """Corners (y, x) of the two boxes."""
    swing = round(10 * np.sin(number / 20))
    return (8, 14 + swing), (52, 66 - swing)


def code(number: int) -> tuple[int, int, int]:
    return number & 255, (number >> 8) & 255, (number >> 16) & 255


def labels(number: int, ids) -> np.ndarray:
    """(H, W) label image of the boxes: `ids` are one or two."""
    out = np.zeros(size_of(number), np.uint8)
    for (y, x), value in zip(boxes(number), ids, strict=False):
        out[y : y + 40, x : x + 48] = value
    return out


class Soak(Node):
    """Sends frames and requests, and checks what comes back."""

    def __init__(self, seed: int):
        super().__init__("soak")
        self.random = np.random.default_rng(seed)
        self.ledger = Ledger()
        self.sent = self.heard = 0
        self.requests: Counter[str] = Counter()
        self.counts: dict[str, int] = {}
        self._request = None  # (future, what answers it)
        self._calm = 0
        qos = QoSProfile(depth=50)
        self._camera = self.create_publisher(Image, "image", QoSProfile(depth=5))
        self.create_subscription(Image, "/fastgan_tracker/mask", self._on_mask, qos)
        self.create_subscription(Image, "/fastgan_tracker/overlay", self._on_overlay, qos)
        self.create_subscription(TrackedObjects, "/fastgan_tracker/objects", self._on_objects, qos)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos)
        self._clients_ = {
            name: self.create_client(kind, f"/fastgan_tracker/{name}")
            for kind, name in (
                (SetReferenceMask, "set_reference_mask"),
                (RemoveObjects, "remove_objects"),
                (Trigger, "reset"),
                (SetBool, "set_paused"),
            )
        }

    def ready(self) -> bool:
        found = self._camera.get_subscription_count() and all(c.service_is_ready() for c in self._clients_.values())
        return bool(found)

    def send(self) -> None:
        self.sent += 1
        stamp = self.get_clock().now().to_msg()
        self.ledger.sent(self.sent, stamp)
        self._camera.publish(to_msg(picture(self.sent), "rgb8", Header(stamp=stamp, frame_id=str(self.sent))))

    def ask(self) -> None:
        """Take the answer of the request under way, or make the next one now and then."""
        if self._request is not None:
            future, answered = self._request
            if future.done():
                self._request = None
                answered(future.result())
        elif self.sent >= self._calm:
            self._calm = self.sent + int(self.random.integers(2, 40))
            ask = self.random.choice(
                [self._replace, self._correct, self._remove, self._reset, self._pause, self._nonsense],
                p=[0.25, 0.3, 0.2, 0.12, 0.05, 0.08],
            )
            ask()

    def _call(self, name: str, what: str, request, ids) -> None:
        """Make a request after which the tracker holds `ids`, or what it held before when it is refused."""
        before = self.ledger.states[-1]
        self.ledger.asked(ids)

        def answered(answer):
            self.requests[f"{what}, {'done' if answer.success else 'refused'}"] += 1
            if not answer.message and name != "reset":
                self.ledger.wrong(f"{what} was answered without a word")
            self.ledger.answered(ids if answer.success else before)

        self._request = self._clients_[name].call_async(request), answered

    def _set(self, what: str, ids, mode: int) -> None:
        number = self.sent
        request = SetReferenceMask.Request(mode=mode)
        request.mask = to_msg(labels(number, ids), "mono8", Header(stamp=self.ledger.stamp(number)))
        if self.random.random() < 0.7:
            request.image = to_msg(picture(number), "rgb8", Header(stamp=self.ledger.stamp(number)))
        held = self.ledger.states[-1] if mode else frozenset()
        self._call("set_reference_mask", what, request, held | set(ids))

    def _replace(self) -> None:
        first = int(self.random.integers(1, 250))
        self._set("replace", (first, first + 1)[: int(self.random.integers(1, 3))], 0)

    def _correct(self) -> None:
        held = sorted(self.ledger.states[-1])
        if len(held) < 2:
            self._set("add", (int(self.random.integers(1, 250)),), 1)
        else:
            what, mode = ("correct", 1) if self.random.random() < 0.4 else ("more", 2)
            self._set(what, (int(self.random.choice(held)),), mode)

    def _remove(self) -> None:
        held = sorted(self.ledger.states[-1])
        number = int(self.random.choice(held)) if held else 7
        self._call("remove_objects", "remove", RemoveObjects.Request(ids=[number]), frozenset(held) - {number})

    def _reset(self) -> None:
        self._call("reset", "reset", Trigger.Request(), frozenset())

    def _pause(self) -> None:
        held = self.ledger.states[-1]
        self._call("set_paused", "pause", SetBool.Request(data=True), held)
        answered = self._request[1]

        def resume(answer):
            answered(answer)
            self._call("set_paused", "resume", SetBool.Request(data=False), held)

        self._request = self._request[0], resume

    def _nonsense(self) -> None:
        """A request that must be refused and change nothing."""
        held = self.ledger.states[-1]
        mask = to_msg(np.zeros((5, 5), np.uint8), "mono8", Header())
        self._call("set_reference_mask", "nonsense", SetReferenceMask.Request(mask=mask, mode=1), held)

    def _on_mask(self, message) -> None:
        number = self.ledger.number(message.header)
        self.heard = max(self.heard, number)
        if number and (message.height, message.width) != size_of(number):
            self.ledger.wrong(f"the mask of frame {number} has the size of another frame")
        self.ledger.mask(number, to_labels(message))

    def _on_overlay(self, message) -> None:
        number = self.ledger.number(message.header)
        self.ledger.overlay(number, tuple(int(v) for v in to_rgb(message)[0, 0]) == code(number))

    def _on_objects(self, message) -> None:
        self.ledger.objects(self.ledger.number(message.header), [o.id for o in message.objects])

    def _on_diagnostics(self, message) -> None:
        values = {pair.key: pair.value for status in message.status for pair in status.values}
        self.counts = {name: int(values[f"frames {name}"]) for name in ("received", *ENDS)}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--frames", type=int, default=100_000, help="frames that reach the node")
    parser.add_argument("--side", type=int, default=32, help="side of the network's input in pixels")
    parser.add_argument("--window", type=int, default=3, help="frames under way at a time; over 2 some are dropped")
    parser.add_argument("--allowed", type=float, default=10.0, help="growth of resident memory that passes, MB")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rclpy.init()
    soak = Soak(options.seed)
    executor = SingleThreadedExecutor()
    executor.add_node(soak)
    # At this size and on these frames nothing has a good score; objects are to be in the masks all the same.
    with node(device="cpu", input_size=options.side, diagnostics_period=0.5, lost_threshold=0.0) as process:
        _wait(executor, soak.ready, 180)
        memory = Memory(process.pid)
        every = max(options.frames // 20, 1)
        moved = time.monotonic()
        heard = 0
        while soak.counts.get("received", 0) < options.frames and process.poll() is None:
            if soak.heard != heard:
                heard, moved = soak.heard, time.monotonic()
            # Without a mask for a while: they are dropped, paused or outdated, and the next frame has to come.
            if soak.sent - soak.heard < options.window or time.monotonic() - moved > 0.05:
                soak.send()
                moved = time.monotonic()
            executor.spin_once(timeout_sec=0.02)
            soak.ask()
            if soak.counts.get("received", 0) >= len(memory.readings) * every:
                memory.read(soak.counts["received"])
        alive = process.poll() is None
        _wait(executor, lambda: soak.counts["received"] == sum(soak.counts[end] for end in ENDS), 20)
        memory.read(soak.counts["received"])
        said = [line for line in process.log.read_text().splitlines() if "Traceback" in line or "[ERROR]" in line]
    soak.destroy_node()
    rclpy.shutdown()
    return report(soak, memory, alive, said, options.allowed)


def report(soak: Soak, memory: Memory, alive: bool, said: list[str], allowed: float) -> int:
    """Print what happened; return the exit code."""
    counts, ledger = soak.counts, soak.ledger
    ends = sum(counts[end] for end in ENDS)
    print("\nframes: " + ", ".join(f"{name} {counts[name]}" for name in ("received", *ENDS)))
    print("requests: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.requests.items())))
    print("checked: " + ", ".join(f"{name} {count}" for name, count in ledger.checked.items()))
    print(f"resident memory, last third over middle third: {memory.growth():+.1f} MB")
    problems = [*ledger.problems, *said]
    if not alive:
        problems.append("the node ended")
    if counts["received"] != ends:
        problems.append(f"received {counts['received']} frames, but the ends of frames sum up to {ends}")
    if counts["failed"] or counts["unusable"]:
        problems.append("frames failed")
    if not ledger.checked["masks with objects in them"]:
        problems.append("no mask had an object in it")
    if memory.growth() > allowed:
        problems.append(f"memory grew by {memory.growth():.1f} MB")
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    print(f"{len(problems)} things wrong" if problems else "all as it should be")
    return 1 if problems else 0


def _wait(executor, condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)


if __name__ == "__main__":
    sys.exit(main())

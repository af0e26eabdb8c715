"""From the camera to the mask: what each part of the way costs on this machine.

    ros2 run fastgan_ros bench                 # without ROS: python -m fastgan_ros.tools.bench

A camera and the tracker, each in its own process, and this one, which takes the masks. The camera publishes one
drawn frame over and over, so that drawing costs nothing.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from rclpy.signals import SignalHandlerOptions

from fastgan_core.errors import FastganError
from fastgan_core.scenes.scene import Scene
from fastgan_core.settings import camera_size
from fastgan_ros.frames.tally import STAGES, WINDOW
from fastgan_ros.messages.stamps import nanoseconds
from fastgan_ros.programs.command import ros
from fastgan_ros.programs.dds import VARIABLES, use_profile
from fastgan_ros.programs.domain import keep_to_ourselves
from fastgan_ros.tools.children import START_TIMEOUT, Child
from fastgan_ros.tools.demo_client import DemoClient

COLUMNS = ("camera", "Hz", "sent", "masks", "dropped", "p50", "p99", *STAGES, "delivery", "over model", "CPU")
WIDTHS = [max(10, len(name) + 2) for name in COLUMNS]


class Listener(DemoClient):
    """Notes when the mask of each stamp came (ns), and keeps nothing else."""

    def _on_mask(self, msg) -> None:
        self.last_mask = time.monotonic()
        self.masks[nanoseconds(msg.header.stamp)] = time.time_ns()


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; returns the exit code."""
    options = parser().parse_args(arguments)
    keep_to_ourselves()
    if options.default_transport:
        for name in VARIABLES:
            os.environ.pop(name, None)
    else:
        use_profile()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    try:
        cameras = [(size, rate) for size in map(camera_size, options.camera) for rate in options.rate]
        for size, rate in cameras:
            with busy(options.load):
                rows.append(measure(size, rate, options))
            if len(rows) == 1:
                print(rows[0]["conditions"])
                print("milliseconds, medians; p99 beside the first; CPU: of the tracker's process per mask\n")
                print("".join(f"{name:>{width}}" for name, width in zip(COLUMNS, WIDTHS, strict=True)))
            print(line(rows[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    except (FastganError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def busy(count: int):
    """So many programs that keep a core busy each, as a planner or a compiler would."""
    command = [sys.executable, "-c", "while True: sum(range(100000))"]
    others = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    result.add_argument("--camera", nargs="+", default=["640x480", "1280x720", "1920x1080"], metavar="WxH")
    result.add_argument("--rate", type=float, nargs="+", default=[30.0, 60.0], metavar="HZ")
    result.add_argument("--seconds", type=float, default=WINDOW, help="measured of each (%(default)s)")
    result.add_argument("--weights", default="", help="checkpoint or ONNX file; default: the one that ships")
    result.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    result.add_argument("--size", type=int, default=0, help="side of the network's square; 0: the weights' own")
    result.add_argument("--load", type=int, default=0, metavar="N", help="programs that compute beside it; 0: none")
    result.add_argument("--default-transport", action="store_true", help="without the Fast DDS profile that ships")
    result.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    return result


def measure(size: tuple[int, int], rate: float, options) -> dict:
    """Run camera and tracker for a while and take the figures of that time."""
    height, width = size
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastgan_bench_")))
        stack.enter_context(ros([], signal_handler_options=SignalHandlerOptions.NO))
        loading = {"weights": options.weights, "device": options.device, "input_size": options.size}
        node = stack.enter_context(Child("node", "fastgan_ros.node", logs / "node.log", loading))
        sending = {"width": width, "height": height, "rate": rate, "hold": True, "log": str(logs / "frames.txt")}
        camera = stack.enter_context(Child("camera", "fastgan_ros.tools.camera", logs / "camera.log", sending))
        client = stack.enter_context(closing(Listener(lambda: node.ended() or camera.ended())))
        client.wait_for_node(START_TIMEOUT)
        client.set_reference(*Scene(width, height)[0])
        settle = time.monotonic() + 2
        client.spin_until(lambda: time.monotonic() > settle, 60, "the first masks")
        start, used = time.time_ns(), node.cpu_seconds()
        client.masks.clear()
        end = time.monotonic() + options.seconds
        client.spin_until(lambda: time.monotonic() > end, options.seconds + 60, "masks")
        stop, used = time.time_ns(), node.cpu_seconds() - used
        # The node's figures are of its last ten seconds, and come once a second.
        sent = [int(stamp.split()[0]) for stamp in (logs / "frames.txt").read_text().splitlines()[:-1]]
    came = {stamp: at for stamp, at in client.masks.items() if start <= stamp < stop}
    if not came:
        raise FastganError(f"no mask came back for {width}x{height} at {rate:g} Hz; try a lower --rate")
    ages = sorted((at - stamp) * 1e-6 for stamp, at in came.items())
    stages = {name: float(client.diagnostic(f"{name} time p50 (ms)") or "nan") for name in STAGES}
    p50 = statistics.median(ages)
    where = ", ".join(client.diagnostic(name) for name in ("device", "precision", "network size"))
    load = f"; {options.load} programs beside it" if options.load else ""
    transport = "Fast DDS's default transport" if options.default_transport else "Fast DDS profile on"
    return {
        "conditions": f"{where}; {os.cpu_count()} cores; {transport}; {options.seconds:g} s each{load}",
        "camera": f"{width}x{height}",
        "rate": rate,
        "sent": sum(start <= stamp < stop for stamp in sent),
        "masks": len(came),
        "p50_ms": p50,
        "p99_ms": ages[round(0.99 * (len(ages) - 1))],
        "stages_ms": stages,
        "delivery_ms": p50 - sum(stages.values()),
        "over_model_ms": p50 - stages["model"],
        "cpu_ms_per_mask": used / len(came) * 1e3,
    }


def line(row: dict) -> str:
    """A row of the table."""
    dropped = max(0, row["sent"] - row["masks"])
    figures = [row["p50_ms"], row["p99_ms"], *row["stages_ms"].values()]
    figures += [row["delivery_ms"], row["over_model_ms"], row["cpu_ms_per_mask"]]
    cells = [row["camera"], f"{row['rate']:g}", row["sent"], row["masks"], dropped, *(f"{x:.1f}" for x in figures)]
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


if __name__ == "__main__":
    sys.exit(main())

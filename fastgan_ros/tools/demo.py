"""The whole thing at work on this machine alone: the real node and a camera, each in its own process.

    python -m fastgan_ros.tools.demo [--video clip.mp4 --mask first.png]

The camera holds its first frame until the reference mask is set, then runs; the masks are matched to the
frames by their stamps. At the end there are an overlay video, a contact sheet and a table. The exit code is 0
if the object was followed, else 1 with a sentence that says why not.
"""

import argparse
import os
import signal
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from rclpy.signals import SignalHandlerOptions

from fastgan_core.errors import FastganError
from fastgan_core.media.masks import read_mask
from fastgan_core.scenes.scene import Scene
from fastgan_ros.programs.command import ros
from fastgan_ros.programs.domain import keep_to_ourselves
from fastgan_ros.tools.children import START_TIMEOUT, Child
from fastgan_ros.tools.demo_client import DemoClient
from fastgan_ros.tools.demo_report import Footage, Outcome, render

STALL = 10.0  # seconds without a mask while the camera runs
LENGTH = 300  # frames of the scene


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    options = _options(arguments)
    keep_to_ourselves()
    # What a plain `kill` sends is to end the children too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        outcome = _run(options)
    except (FastganError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped.", file=sys.stderr)
        return 130
    print(f"\n{outcome.table()}\n\n  {options.output}/overlay.mp4, {options.output}/contact_sheet.png\n")
    if fault := outcome.fault():
        print(f"demo: {fault}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fastgan_ros.tools.demo", description="Track an object: real node, camera, masks."
    )
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for what it leaves")
    parser.add_argument("--video", default="", help="video file or folder of frames; default: a drawn scene")
    parser.add_argument("--mask", type=Path, help="label or binary image of the object in the first frame")
    parser.add_argument("--mask-frame", type=int, default=0, help="begin with this frame, the mask's")
    parser.add_argument("--rate", type=float, default=15.0, help="frames per second (%(default)s)")
    parser.add_argument("--frames", type=int, default=0, help="how many; default: 300, or the whole video")
    parser.add_argument("--weights", default="", help="checkpoint; default: the one that ships")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    options = parser.parse_args(arguments)
    if bool(options.video) != bool(options.mask):
        parser.error("--video and --mask go together: the mask shows which object of the video to follow")
    if options.mask_frame and not options.video:
        parser.error("--mask-frame is for a --video")
    if options.frames < 0 or options.frames == 1 or options.mask_frame < 0 or not 0 < options.rate <= 1000:
        parser.error("--frames is to be at least 2, --mask-frame at least 0, --rate over 0 and at most 1000")
    return options


def _material(options) -> tuple[Footage, np.ndarray, np.ndarray]:
    """The footage, its first frame (H, W, 3) uint8 RGB, and that frame's reference labels (H, W)."""
    if not options.video:
        scene = Scene(length=options.frames or LENGTH)
        return Footage(scene), *scene[0]
    footage = Footage(None, options.video)
    labels = read_mask(options.mask)
    first = next((frame for _, frame in footage.walk({options.mask_frame})), None)
    if first is None:
        raise FastganError(f"{options.video} has no frame {options.mask_frame}; lower --mask-frame.")
    if labels.shape != first.shape[:2]:
        raise FastganError(
            f"{options.mask} is {labels.shape[1]} x {labels.shape[0]} pixels but {options.video} is "
            f"{first.shape[1]} x {first.shape[0]}; draw the mask on a frame of the video itself."
        )
    return footage, first, labels


def _run(options) -> Outcome:
    """Start everything, wait for the end of the footage, stop everything, look at what came."""
    footage, first, labels = _material(options)
    output, frames_log = options.output, options.output / "camera_frames.txt"
    print(f"ROS domain {os.environ['ROS_DOMAIN_ID']}, this machine only. Logs are in {output}.")
    with ros([], signal_handler_options=SignalHandlerOptions.NO), ExitStack() as stack:
        loading = {
            "weights": options.weights,
            "device": options.device,
            "mask_encoding": "mono8" if labels.max() < 256 else "mono16",
        }
        node = stack.enter_context(Child("node", "fastgan_ros.node", output / "node.log", loading))
        playing = {
            "source": options.video,
            "length": len(footage.scene or range(LENGTH)),
            "drawn": True,  # while the node loads its model; a camera would not take much of the CPU either
            "rate": options.rate,
            "start": options.mask_frame,
            "frames": options.frames,
            "loop": False,
            "hold": True,
            "log": str(frames_log),
        }
        camera = stack.enter_context(Child("camera", "fastgan_ros.tools.camera", output / "camera.log", playing))

        def check():
            camera.ended()
            if node.ended():
                raise FastganError(f"The node ended before the demo did; see {output / 'node.log'}.")

        client = stack.enter_context(closing(DemoClient(check)))
        print("Waiting for the node to load the model ...")
        client.wait_for_node(START_TIMEOUT)
        print(f"Node: {client.set_reference(first, labels)}")
        client.release_camera()
        _watch(client, camera, frames_log)
        where = f"{client.diagnostic('device')}, {client.diagnostic('precision')}"
        model = client.diagnostic("model time p50 (ms)"), client.diagnostic("model time p99 (ms)")
    print("Drawing the overlay ...")
    return _outcome(client.masks, _published(frames_log), footage, output, model, where)


def _watch(client: DemoClient, camera: Child, frames_log: Path) -> None:
    """Serve ROS until the camera has ended and its last frame has its mask; complain when masks stay away."""
    said = time.monotonic()

    def over():
        nonlocal said
        quiet = time.monotonic() - client.last_mask
        if camera.ended():
            # The last frame is never dropped for a newer one; if it was lost on the way, the wait is short.
            return quiet > 3 or list(_published(frames_log))[-1] in client.masks
        if quiet > STALL:
            log = frames_log.parent / "node.log"
            raise FastganError(f"No mask for {quiet:.0f} s while the camera runs; see {log}.")
        if time.monotonic() - said > 5:
            said = time.monotonic()
            published = _published(frames_log).keys()
            print(f"  {len(published)} frames, {len(published & client.masks.keys())} masks")
        return False

    client.spin_until(over, float("inf"), "the end of the footage")


def _published(frames_log: Path) -> dict[int, int]:
    """Index by stamp (ns) of the frames in the camera's log, without the repeats of the first one."""
    lines = [line.split() for line in frames_log.read_text().splitlines() if line.count(" ") == 1]
    frames = [(int(stamp), int(index)) for stamp, index in lines]
    held = sum(index == frames[0][1] for _, index in frames) - 1 if frames else 0
    return dict(frames[held:])


def _outcome(received, published: dict[int, int], footage, output: Path, model, where: str) -> Outcome:
    """Match masks to frames by stamp and draw and measure what there is."""
    if len(published) < 2:
        raise FastganError(f"The camera published {len(published)} frames, too few to show anything.")
    stamps = sorted(published)
    duration = (stamps[-1] - stamps[0]) * 1e-9 * len(stamps) / (len(stamps) - 1)
    answered = sorted(stamp for stamp in published if stamp in received)
    if not answered or stamps[-1] - answered[-1] > 3e9:
        raise FastganError(f"The masks stopped coming before the footage ended; see {output}/node.log.")
    masks = {published[stamp]: received[stamp][1] for stamp in answered}
    return Outcome(
        published=len(published),
        masks=len(answered),
        duration=duration,
        ages=[(received[stamp][0] - stamp) * 1e-9 for stamp in answered],
        model=model,
        where=where,
        iou=render(footage, masks, output, fps=len(answered) / duration),
        hidden={index: footage.scene.hidden(index) for index in masks} if footage.scene else {},
    )


if __name__ == "__main__":
    sys.exit(main())

"""Masks for a video, a folder of frames, a camera or a bag."""

import argparse
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fastgan_core.commands.interrupt import stoppable
from fastgan_core.commands.options import make_tracker
from fastgan_core.errors import FastganError
from fastgan_core.media.masks import read_mask, write_mask
from fastgan_core.media.painting import overlay
from fastgan_core.media.video import VideoWriter, is_bag, open_source
from fastgan_core.tracked import Tracked, describe


class NewFolder:
    """One palette PNG per frame."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, tracked: Tracked) -> None:
        write_mask(self.path / f"{name}.png", tracked.labels)

    def close(self) -> None:
        """Nothing is left to do."""


def track(args: argparse.Namespace) -> None:
    """Track through ``args.input``. What there is is kept on Ctrl-C, and when the input turns out to be damaged."""
    check_places(args)
    reference = read_mask(args.mask)
    source, make_output = open_places(args)
    tracker = make_tracker(args)
    read = written = 0
    try:
        with ExitStack() as stack:
            stopped = stack.enter_context(stoppable())
            output = stack.enter_context(closing(make_output()))
            video = stack.enter_context(VideoWriter(args.overlay, source.fps)) if args.overlay else None
            for name, frame in tqdm(source, total=len(source) or None, unit="frame"):
                read += 1
                if read > args.mask_frame and frame is not None:
                    tracked = tracker.step(frame) if written else start(tracker, frame, reference)
                    output.write(name, tracked)
                    written += 1
                    if video:
                        video.write(overlay(frame, tracked.labels))
                elif read == args.mask_frame + 1:
                    raise FastganError(f"--mask-frame {args.mask_frame}: that image cannot be used. {source.reason}")
                if stopped.is_set():
                    raise KeyboardInterrupt
            if not written:
                raise FastganError(f"--mask-frame {args.mask_frame}: {args.input} has {read} frames; the first is 0")
    finally:
        unreadable = getattr(source, "unreadable", 0)
        if unreadable and written:
            said = f"{unreadable} images cannot be used and have no mask. The first: {source.reason}"
            print(f"{args.input}: {said}", file=sys.stderr)
        if written:
            print(f"{written} masks in {args.output}" + (f", overlay in {args.overlay}" if args.overlay else ""))
    if read < len(source):
        print(f"{args.input}: {read} of {len(source)} frames could be read; is it cut off?", file=sys.stderr)


def open_places(args: argparse.Namespace):
    """The frames of ``args.input``, and a function that makes the place for their masks."""
    if not is_bag(args.input):
        if args.topic or args.storage:
            raise FastganError(f"{args.input}: is not a bag; --topic and --storage are for bags")
        return open_source(args.input), lambda: NewFolder(args.output)
    from fastgan_core.media.bags import Bag
    from fastgan_core.media.new_bag import NewBag

    source = Bag(args.input, args.topic)
    output = NewBag(args.output, args.storage or source.storage)  # now, since it may be refused
    return source, lambda: output


def start(tracker, frame: np.ndarray, reference: np.ndarray) -> Tracked:
    """Mark the objects in a frame; what is tracked in it is what was marked."""
    ids = tuple(tracker.set_reference(frame, reference))
    return Tracked(reference, describe(reference, ids, [1.0] * len(ids), list(range(len(ids)))), tracker.epoch)


def check_places(args: argparse.Namespace) -> None:
    """Raise FastganError for places that must not be written to, and for a frame before the first."""
    source, bag = Path(args.input).resolve(), is_bag(args.input)
    for place in filter(None, (args.output, args.overlay)):
        if place.resolve() == source or (bag and place.resolve().is_relative_to(source)):
            raise FastganError(f"{place}: is the input, which would be overwritten; choose another place")
    if args.overlay and bag and args.overlay.resolve().is_relative_to(args.output.resolve()):
        raise FastganError(f"--overlay {args.overlay}: lies in the new bag; choose another place")
    if args.mask_frame < 0:
        raise FastganError(f"--mask-frame {args.mask_frame}: the first frame is 0")

"""Mark objects from a mask file or by a box, in a terminal or a script.

ros2 run fastgan_ros set_reference --mask mask.png [--image frame.png]
ros2 run fastgan_ros set_reference --box 120 80 200 160 --id 3 --add
ros2 run fastgan_ros set_reference --box 90 75 210 170 --id 3 --more
"""

import argparse
import re
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_core.labels import MAX_ID
from fastgan_core.media.images import read_image
from fastgan_core.media.masks import read_mask
from fastgan_interfaces.srv import SetReferenceBox, SetReferenceMask
from fastgan_ros.messages.contract import NO_IMAGE, PATIENCE, box_request, reference_request
from fastgan_ros.programs.command import names, own_arguments, ros


class Client(Node):
    """Talks to a tracker by the name of its node, such as ``/fastgan_tracker``."""

    def __init__(self, tracker: str):
        super().__init__("set_reference")
        self._tracker = tracker.rstrip("/")
        self._state = self.create_client(GetState, f"{self._tracker}/get_state")
        self._references = {
            SetReferenceMask.Request: self.create_client(SetReferenceMask, f"{self._tracker}/set_reference_mask"),
            SetReferenceBox.Request: self.create_client(SetReferenceBox, f"{self._tracker}/set_reference_box"),
        }

    def wait_until_active(self, seconds: float) -> None:
        """Return when the tracker runs; FastganError with its state when it does not within ``seconds``."""
        end, state = time.monotonic() + seconds, None
        while (left := end - time.monotonic()) > 0:
            if self._state.wait_for_service(timeout_sec=min(1.0, left)):
                state = self._call(self._state, GetState.Request(), left).current_state.label
                if state == "active":
                    return
                time.sleep(0.2)
        if state is None:
            raise FastganError(f"there is no {self._tracker}; is it running, with this name and ROS_DOMAIN_ID?")
        raise FastganError(f"{self._tracker} is {state}; run 'ros2 lifecycle set {self._tracker} activate'")

    def set_reference(self, request: SetReferenceMask.Request | SetReferenceBox.Request, seconds: float) -> str:
        """The node's answer; FastganError with its reason when it refuses.

        The first image is waited for, ``seconds`` at most: a tracker that has just started has none yet.
        """
        client, end = self._references[type(request)], time.monotonic() + seconds
        if not client.wait_for_service(timeout_sec=seconds):  # found later than the state's, or none of a tracker's
            raise FastganError(f"{self._tracker} is active, but {client.srv_name} is not there; is it a tracker?")
        while True:
            answer = self._call(client, request, PATIENCE)
            if answer.success:
                return answer.message
            if not answer.message.startswith(NO_IMAGE) or time.monotonic() > end:
                raise FastganError(answer.message)
            time.sleep(0.2)

    def _call(self, client, request, seconds: float):
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self, future, timeout_sec=seconds)
        if not future.done():
            raise FastganError(f"{client.srv_name} did not answer within {seconds:.0f} s")
        return future.result()


def stamp(text: str) -> Time:
    """A stamp from seconds with up to nine decimals, as the node's messages write it."""
    match = re.fullmatch(r"(\d+)(?:\.(\d{1,9}))?", text)
    if not match or int(match[1]) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is no stamp; write seconds with nine decimals, as 12.050000000")
    return Time(sec=int(match[1]), nanosec=int((match[2] or "0").ljust(9, "0")))


def pixels(text: str) -> int:
    """A whole number of pixels, 0 or more."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of pixels, 0 or more")
    return int(text)


def object_id(text: str) -> int:
    """An object's id."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_ID:
        raise argparse.ArgumentTypeError(f"{text!r} is no id; ids are 1 to {MAX_ID}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog="set_reference", description="Mark an object for the tracker, by a mask file or by a box around it."
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--mask", type=Path, help="label or binary PNG: 0 = background, id = object")
    what.add_argument(
        "--box", type=pixels, nargs=4, metavar=("X", "Y", "W", "H"),
        help="upper left corner and size in pixels of the camera image; the node finds the outline in it",
    )  # fmt: skip
    made.add_argument("--image", type=Path, help="the frame that mask or box belong to; default: the camera's")
    made.add_argument(
        "--id", type=object_id,
        help="the object's id; default: as in the mask, else the lowest free one, with --more the only one tracked",
    )  # fmt: skip
    made.add_argument(
        "--stamp", type=stamp, metavar="SEC.NANOSEC", default=Time(),
        help="header stamp of the frame, seconds with nine decimals; default: the newest frame",
    )  # fmt: skip
    others = made.add_mutually_exclusive_group()
    others.add_argument(
        "--add", action="store_const", dest="mode", const="add", default="replace",
        help="keep the objects that are tracked already",
    )  # fmt: skip
    others.add_argument(
        "--more", action="store_const", dest="mode", const="more",
        help="another view of an object that is tracked: from another side, or rightly where its mask drifted",
    )  # fmt: skip
    made.add_argument("--node", default="/fastgan_tracker", help="name of the tracker's node (%(default)s)")
    made.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the node (%(default)s)")
    return made


def request_of(options: argparse.Namespace) -> SetReferenceMask.Request | SetReferenceBox.Request:
    """The request for the command's arguments; FastganError for files that cannot be used."""
    image = read_image(options.image) if options.image else None
    header = Header(stamp=options.stamp)
    if options.box:
        return box_request(tuple(options.box), options.id or 0, image, options.mode, header)
    # A binary mask stays one: with --add the node gives it the lowest free id.
    labels = read_mask(options.mask, keep_binary=True)
    if options.id:
        labels = _numbered(labels, options.id, options.mask)
    return reference_request(labels, image, options.mode, header)


def _numbered(labels: np.ndarray, number: int, path: Path) -> np.ndarray:
    found = [int(i) for i in np.unique(labels) if i]
    if len(found) > 1:
        raise FastganError(f"{path}: has objects {', '.join(map(str, found))}; --id is for a mask of one object")
    if number == 255:
        raise FastganError("--id 255: a mask of 0 and 255 alone is taken for black and white; use another id")
    return (labels > 0).astype(np.uint8 if number < 255 else np.uint16) * number


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when the objects are set, 2 with a sentence when they are not."""
    argv = sys.argv if arguments is None else ["set_reference", *arguments]
    try:
        options = parser().parse_args(own_arguments(argv))
        request = request_of(options)
        with ros(argv):
            with names():
                client = Client(options.node)
            client.wait_until_active(options.timeout)
            print(client.set_reference(request, options.timeout))
    except FastganError as error:
        print(f"set_reference: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Mark objects from a file: ``ros2 run fastgan_ros set_reference --mask mask.png [--image frame.png]``."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from std_msgs.msg import Header

from fastgan_core.data.folders import read_image
from fastgan_core.errors import FastganError
from fastgan_core.masks import read_mask
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.images import to_msg
from fastgan_ros.services import NO_IMAGE


def reference_request(
    labels: np.ndarray, image: np.ndarray | None = None, add: bool = False, header: Header | None = None
) -> SetReferenceMask.Request:
    """The service's request for ``(H, W)`` labels, and the ``(H, W, 3) uint8 RGB`` frame that they belong to.

    Without an image the mask applies to the newest frame of the node.
    """
    header = header or Header()
    encoding = "mono8" if labels.dtype == np.uint8 else "mono16"
    request = SetReferenceMask.Request(mask=to_msg(labels, encoding, header))
    request.mode = SetReferenceMask.Request.MODE_ADD if add else SetReferenceMask.Request.MODE_REPLACE
    if image is not None:
        request.image = to_msg(image, "rgb8", header)
    return request


class Client(Node):
    """Talks to a tracker by the name of its node, such as ``/fastgan_tracker``."""

    def __init__(self, tracker: str):
        super().__init__("set_reference")
        self._tracker = tracker.rstrip("/")
        self._state = self.create_client(GetState, f"{self._tracker}/get_state")
        self._reference = self.create_client(SetReferenceMask, f"{self._tracker}/set_reference_mask")

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

    def set_reference(self, request: SetReferenceMask.Request, seconds: float) -> str:
        """The node's answer; FastganError with its reason when it refuses.

        The first image is waited for, ``seconds`` at most: a tracker that has just started has none yet.
        """
        end = time.monotonic() + seconds
        while True:
            answer = self._call(self._reference, request, seconds=30)
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


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when the objects are set, 2 with a sentence when they are not."""
    parser = argparse.ArgumentParser(prog="set_reference", description=__doc__.split(":")[0] + ".")
    parser.add_argument("--mask", type=Path, required=True, help="label or binary PNG: 0 = background, id = object")
    parser.add_argument("--image", type=Path, help="the frame that the mask was drawn on; default: the newest one")
    parser.add_argument("--add", action="store_true", help="keep the objects that are tracked already")
    parser.add_argument("--node", default="/fastgan_tracker", help="name of the tracker's node (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the node (%(default)s)")
    argv = sys.argv if arguments is None else ["set_reference", *arguments]
    options = parser.parse_args(remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    try:
        # A binary mask stays one: with --add the node gives it the lowest free id.
        labels = read_mask(options.mask, keep_binary=True)
        image = read_image(options.image) if options.image else None
        client = Client(options.node)
        client.wait_until_active(options.timeout)
        print(client.set_reference(reference_request(labels, image, options.add), options.timeout))
    except FastganError as error:
        print(f"set_reference: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Mark objects from a file: ``ros2 run fastgan_ros set_reference --mask mask.png [--image frame.png]``."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from std_msgs.msg import Header

from fastgan_core.data.folders import read_image
from fastgan_core.errors import FastganError
from fastgan_core.masks import read_mask
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.images import to_msg


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


def ask(node: Node, service: str, request: SetReferenceMask.Request, seconds: float) -> str:
    """Send the request as soon as the tracker takes it, for ``seconds`` at most; returns its message.

    A tracker that is still starting refuses at first; its last answer is the FastganError's text.
    """
    client = node.create_client(SetReferenceMask, service)
    end = time.monotonic() + seconds
    answer = f"there is no service {client.srv_name}; is the tracker running, with this name and ROS_DOMAIN_ID?"
    while time.monotonic() < end:
        if not client.wait_for_service(timeout_sec=1.0):
            continue
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=max(1.0, end - time.monotonic()))
        if not future.done():
            answer = f"{client.srv_name} did not answer within {seconds:.0f} s"
        elif future.result().success:
            return future.result().message
        else:
            answer = future.result().message
        time.sleep(0.5)
    raise FastganError(answer)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when the objects are set, 2 with a sentence when they are not."""
    parser = argparse.ArgumentParser(prog="set_reference", description=__doc__.split(":")[0] + ".")
    parser.add_argument("--mask", type=Path, required=True, help="label or binary PNG: 0 = background, id = object")
    parser.add_argument("--image", type=Path, help="the frame that the mask was drawn on; default: the newest one")
    parser.add_argument("--add", action="store_true", help="keep the objects that are tracked already")
    parser.add_argument("--service", default="/fastgan_tracker/set_reference_mask", help="%(default)s")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the tracker (%(default)s)")
    argv = sys.argv if arguments is None else ["set_reference", *arguments]
    options = parser.parse_args(remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    try:
        labels = read_mask(options.mask)
        image = read_image(options.image) if options.image else None
        node = Node("set_reference")
        print(ask(node, options.service, reference_request(labels, image, options.add), options.timeout))
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

"""A camera without hardware: publishes the scene with known truth, a video, a folder of frames or a webcam.

ros2 run fastgan_ros camera --ros-args -p source:=clip.mp4 -r image:=/camera/image_raw
"""

import itertools
import signal
import sys
from array import array

import cv2
import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastgan_core.errors import FastganError
from fastgan_core.media.video import open_source
from fastgan_core.scenes.scene import Scene
from fastgan_ros.messages.images import to_msg
from fastgan_ros.messages.stamps import nanoseconds

# name: (default, what it is). All are read at the start but `hold`, which can be set at any time.
PARAMETERS = {
    "source": ("", "What to publish: empty = a scene drawn by the node; a video file, a folder of frames, or "
               "the number of a webcam."),
    "rate": (15.0, "Frames per second, over 0 up to 1000."),
    "width": (0, "Width in pixels; 0 = the source's own, 640 for the scene. Give height too."),
    "height": (0, "Height in pixels; 0 = the source's own, 480 for the scene. Give width too."),
    "length": (300, "Frames of the scene's one round."),
    "seed": (0, "Another number draws another scene."),
    "drawn": (False, "Whether to draw the whole scene before its first frame is published, so that drawing takes "
              "nothing from the tracker: some seconds, and 280 MB for 300 frames of 640 x 480."),
    "loop": (True, "Whether to begin again at the end of the source; otherwise the node ends."),
    "start": (0, "Index of the frame to begin with."),
    "frames": (0, "The node ends after so many frames; 0 = never."),
    "encoding": ("rgb8", "Encoding of the images: rgb8 or bgr8."),
    "compressed": (False, "Whether to publish JPEG on image/compressed as well."),
    "reliable": (True, "Reliability offered to subscribers: reliable, else best effort."),
    "frame_id": ("camera", "frame_id in the headers."),
    "hold": (False, "While true the first frame is published again and again; set it to false to go on."),
    "log": ("", "File that gets a line for each image: its stamp in nanoseconds and the frame's index."),
}  # fmt: skip


class Camera(Node):
    """Publishes frames on `image` (and `image/compressed`), stamped with the node's clock at publishing.

    `finished` is a future that is done once the last frame is out. Raises FastganError for a wrong parameter
    and a source that cannot be opened.
    """

    def __init__(self, **kwargs):
        super().__init__("camera", **kwargs)
        self._given = {name: self._declare(name, *entry) for name, entry in PARAMETERS.items()}
        self._check()
        given = self._given
        self._frames = self._source()
        self._next = next(self._frames, None)
        if self._next is None:
            raise FastganError(
                f"{given['source'] or 'The scene'} has no frame {given['start']}; set start to one it has."
            )
        self._count = 0
        # Line by line, so that it can be followed while the camera runs.
        self._log = open(given["log"], "w", buffering=1) if given["log"] else None  # noqa: SIM115
        qos = QoSProfile(
            # An image is many packets: with a depth of 1 the next one can push it out half sent.
            history=HistoryPolicy.KEEP_LAST,
            depth=2,
            reliability=ReliabilityPolicy.RELIABLE if given["reliable"] else ReliabilityPolicy.BEST_EFFORT,
        )
        self._raw = self.create_publisher(Image, "image", qos)
        self._jpeg = None
        if given["compressed"]:
            # image_transport hangs its topics under the raw one, wherever that is remapped to.
            self._jpeg = self.create_publisher(CompressedImage, self._raw.topic_name + "/compressed", qos)
        self.finished = Future()
        self._timer = self.create_timer(1.0 / given["rate"], self._tick)
        height, width = self._next[1].shape[:2]
        self.get_logger().info(
            f"Publishing {given['source'] or 'a drawn scene'} on {self._raw.topic_name}: {width} x {height} "
            f"{given['encoding']} at {given['rate']:g} Hz."
        )

    def stop(self) -> None:
        """End: `finished` is done, with the number of frames."""
        if not self.finished.done():
            self.finished.set_result(self._count)

    def close(self) -> None:
        """Wait until reliable subscribers have the last frames, at most a second, and close the log."""
        if self._given["reliable"]:
            self._raw.wait_for_all_acked(Duration(seconds=1))
        if self._log:
            self._log.close()

    def _declare(self, name, default, text):
        descriptor = ParameterDescriptor(description=text, read_only=name != "hold")
        try:
            return self.declare_parameter(name, default, descriptor).value
        except InvalidParameterTypeException as error:
            kind = {
                bool: "true or false",
                int: "an integer",
                float: f"a decimal number, such as {default}",
                str: f"text; where that looks like a number, write {name}:='\"0\"'",
            }
            raise FastganError(f"Parameter '{name}' must be {kind[type(default)]}.") from error

    def _check(self) -> None:
        given = self._given
        if not 0 < given["rate"] <= 1000:
            raise FastganError(f"Parameter 'rate' is {given['rate']}; set it over 0 and at most 1000 Hz.")
        if given["encoding"] not in ("rgb8", "bgr8"):
            raise FastganError(f"Parameter 'encoding' is {given['encoding']!r}; set it to rgb8 or bgr8.")
        for name in ("start", "frames", "width", "height"):
            if given[name] < 0:
                raise FastganError(f"Parameter '{name}' is {given[name]}; set it to 0 or more.")
        if bool(given["width"]) != bool(given["height"]):
            raise FastganError("Parameters 'width' and 'height' go together: set both, or neither.")

    def _source(self):
        """Yield (index, frame (H, W, 3) uint8 RGB)."""
        given = self._given
        size = (given["width"], given["height"])
        if not given["source"]:
            scene = Scene(*(size if all(size) else (640, 480)), given["length"], given["seed"])
            drawn = [scene[index][0] for index in range(len(scene))] if given["drawn"] else []
            stop = None if given["loop"] else len(scene)
            for index in itertools.islice(itertools.count(), given["start"], stop):
                yield index, drawn[index % len(scene)] if drawn else scene[index][0]
            return
        source = given["source"]
        while True:
            frames = open_source(source)
            index = -1
            for index, (_, frame) in enumerate(frames):
                if index >= given["start"]:
                    yield index, cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if all(size) else frame
            if not given["loop"] or index < given["start"]:
                return

    def _tick(self) -> None:
        index, frame = self._next
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._given["frame_id"])
        pixels = frame[..., ::-1] if self._given["encoding"] == "bgr8" else frame
        self._raw.publish(to_msg(pixels, self._given["encoding"], header))
        if self._jpeg is not None and self._jpeg.get_subscription_count():
            data = array("B", cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes())
            form = f"{self._given['encoding']}; jpeg compressed bgr8"
            self._jpeg.publish(CompressedImage(header=header, format=form, data=data))
        if self._log:
            self._log.write(f"{nanoseconds(header.stamp)} {index}\n")
        if self.get_parameter("hold").value:
            return
        self._count += 1
        self._next = None if self._count == self._given["frames"] else next(self._frames, None)
        if self._next is None:
            self._timer.cancel()
            self.get_logger().info(f"That was the last of {self._count} frames.")
            self.stop()


def main(args: list[str] | None = None) -> int:
    """Run the camera to its last frame or a signal; returns 0, or 2 when it cannot be started or go on."""
    # rclpy's own handlers end the context at once, in the middle of a frame.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    camera = None
    try:
        camera = Camera()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: camera.stop())
        rclpy.spin_until_future_complete(camera, camera.finished)
        camera.close()
    except FastganError as error:
        print(f"camera: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the handlers were in place
        pass
    finally:
        if camera is not None:
            camera.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Many deactivations and activations while a camera streams: nothing is left behind by any of them.

    python -m tests.reliability.cycles --cycles 200

The node runs in a process of its own with the weights that ship. In each cycle it is activated, an object is set,
some frames are tracked, and it is deactivated while frames come. Exit code 1 when anything is not as it should be.
"""

import argparse
import sys
import time

from tests.reliability.process import Memory, node  # sets the ROS environment; before rclpy

import rclpy  # isort: skip
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fastgan_interfaces.msg import TrackedObjects
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.messages.images import to_msg
from tests.reliability.soak import labels, picture

PATIENCE = 60.0  # seconds for an answer or a mask; only a failure takes that long


class Operator(Node):
    """Streams images, and asks for one thing at a time."""

    def __init__(self, rate: float):
        super().__init__("cycles")
        self.sent = 0
        self.results = []
        self.objects: list[TrackedObjects] = []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._camera = self.create_publisher(Image, "image", QoSProfile(depth=5))
        self.create_subscription(TrackedObjects, "/fastgan_tracker/objects", self._on_objects, QoSProfile(depth=50))
        self._state = self.create_client(ChangeState, "/fastgan_tracker/change_state")
        self._reference = self.create_client(SetReferenceMask, "/fastgan_tracker/set_reference_mask")
        self.create_timer(1.0 / rate, self._send)

    def wait(self, condition, what: str) -> None:
        """Stream until condition() is true; TimeoutError when that takes too long."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE:.0f} s in vain for {what}")
            self._executor.spin_once(timeout_sec=0.1)

    def reachable(self) -> bool:
        return self._state.service_is_ready() and self._reference.service_is_ready()

    def change(self, transition: int) -> bool:
        """Ask for a transition; return whether it succeeded."""
        return self._answer(self._state, ChangeState.Request(transition=Transition(id=transition))).success

    def mark(self) -> str:
        """Set object 1; return what is wrong with the answer, or ""."""
        image = to_msg(picture(1), "rgb8", Header())
        answer = self._answer(self._reference, SetReferenceMask.Request(image=image, mask=self._mask()))
        return "" if answer.success else answer.message

    def track(self, frames: int) -> None:
        """Wait for so many results with object 1."""
        del self.objects[:]
        self.wait(lambda: sum(bool(r.objects) for r in self.objects) >= frames, "results with the object in them")

    def _answer(self, client, request):
        future = client.call_async(request)
        self.wait(future.done, "an answer")
        return future.result()

    def _mask(self) -> Image:
        return to_msg(labels(1, (1,)), "mono8", Header())

    def _send(self) -> None:
        self.sent += 1
        stamp = self.get_clock().now().to_msg()
        self._camera.publish(to_msg(picture(1), "rgb8", Header(stamp=stamp, frame_id="camera")))

    def _on_objects(self, message: TrackedObjects) -> None:
        self.objects.append(message)


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--frames", type=int, default=20, help="tracked in each cycle")
    parser.add_argument("--rate", type=float, default=30.0, help="of the camera, Hz")
    parser.add_argument("--side", type=int, default=0, help="side of the network's input; 0: the checkpoint's own")
    parser.add_argument("--allowed", type=float, default=10.0, help="growth of resident memory that passes, MB")
    options = parser.parse_args(arguments)
    rclpy.init()
    operator, problems = Operator(options.rate), []
    done = tracked = 0
    with node(device="cpu", input_size=options.side) as process:
        memory = Memory(process.pid)
        try:
            operator.wait(operator.reachable, "the node")
            operator.wait(lambda: operator.objects, "the first result")
            for done in range(options.cycles + 1):
                if done and not operator.change(Transition.TRANSITION_ACTIVATE):
                    problems.append(f"activation {done} failed")
                problem = operator.mark()
                if problem:
                    problems.append(f"cycle {done}: {problem}")
                operator.track(options.frames)
                tracked += len(operator.objects)
                if not operator.change(Transition.TRANSITION_DEACTIVATE):
                    problems.append(f"deactivation {done} failed")
                if done % max(options.cycles // 20, 1) == 0:
                    memory.read(done)
        except TimeoutError as error:
            problems.append(f"cycle {done}: {error}")
        if process.poll() is not None:
            problems.append(f"the node ended with code {process.poll()}")
        log = process.log.read_text().splitlines()
    problems += [line for line in log if "Traceback" in line or "[ERROR]" in line]
    operator.destroy_node()
    rclpy.shutdown()
    return report(done, operator.sent, tracked, memory, problems, options.allowed)


def report(done: int, sent: int, tracked: int, memory: Memory, problems: list[str], allowed: float) -> int:
    """Print what happened; return the exit code."""
    print(f"\n{done} cycles, {sent} images sent, {tracked} results received")
    print(f"resident memory, last third over middle third: {memory.growth():+.1f} MB")
    if memory.growth() > allowed:
        problems.append(f"memory grew by {memory.growth():.1f} MB")
    for name in ("threads", "files"):
        counts = [found[name] for *_, found in memory.readings[len(memory.readings) // 3 :]]
        if counts and max(counts) > min(counts):
            problems.append(f"{name} of the process: from {min(counts)} to {max(counts)}")
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    print(f"{len(problems)} things wrong" if problems else "all as it should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

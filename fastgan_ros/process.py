"""Runs a node in a process: signals, executor, clean end."""

import signal
import sys
import threading
import traceback

import rclpy
from rclpy.executors import MultiThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from fastgan_core.errors import FastganError


def run(make_node, args: list[str] | None = None, threads: int = 4) -> int:
    """Spin the node that make_node() returns until SIGINT or SIGTERM; return the exit code.

    0 after a signal, 2 with a sentence on stderr when the node cannot be made from what it was given. The
    node's close() is called while its context is still valid, so that it can end its lifecycle.
    """
    try:
        # rclpy's own handlers would end the context before the node could say goodbye.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        print(f"The ROS arguments cannot be used: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        node = make_node()
    except FastganError as error:
        print(error, file=sys.stderr)
        rclpy.shutdown()
        return 2
    executor = MultiThreadedExecutor(num_threads=threads)
    executor.add_node(node)
    spinning = threading.Thread(target=_spin, args=(executor, node.get_logger(), stop), name="executor")
    spinning.start()
    try:
        stop.wait()
    finally:
        stop.set()
        executor.wake()
        spinning.join()
        # Waits for callbacks under way, such as the loading of the model.
        executor.shutdown()
        node.close()
        node.destroy_node()
        rclpy.shutdown()
    return 0


def _spin(executor, logger, stop: threading.Event) -> None:
    while not stop.is_set() and rclpy.ok():
        try:
            executor.spin_once()
        except Exception:
            # A client that went away before its answer, an entity destroyed at the wrong moment: rclpy
            # raises these here, and one of them must not end the node.
            logger.error(f"A callback failed; the node goes on.\n{traceback.format_exc()}")
    stop.set()

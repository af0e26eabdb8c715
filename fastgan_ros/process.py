"""Runs a node in a process: signals, executor, clean end."""

import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import rclpy
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    ConditionReachedException,
    Executor,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)
from rclpy.signals import SignalHandlerOptions

from fastgan_core.errors import FastganError


class PatientExecutor(Executor):
    """Runs callbacks in a pool of threads, outlives their exceptions, and can wait for them to end.

    rclpy's MultiThreadedExecutor ends with the first exception (a client that went away before its answer is
    enough), and in some releases its shutdown() returns while callbacks still run.
    """

    def __init__(self, logger, threads: int = 4, context=None):
        super().__init__(context=context)
        self._logger = logger
        self._pool = ThreadPoolExecutor(threads)

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback and hand it to the pool."""
        try:
            task, _, _ = self.wait_for_ready_callbacks(timeout_sec)
        except (ConditionReachedException, ExternalShutdownException, ShutdownException, TimeoutException):
            return
        except InvalidHandle:  # something was destroyed while it was being waited for
            return
        self._pool.submit(self._execute, task)

    def interrupt(self) -> None:
        """Let a spin_once() that waits return."""
        self.create_task(lambda: None)

    def finish(self) -> None:
        """Wait for the callbacks under way; call it when nothing spins any more."""
        self._pool.shutdown(wait=True)
        self.shutdown()

    def _execute(self, task) -> None:
        task()
        error = task.exception() if task.done() else None
        if error is not None:
            lines = "".join(traceback.format_exception(error))
            self._logger.error(f"A callback failed; the node goes on.\n{lines}")


def run(make_node, args: list[str] | None = None) -> int:
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
    executor = PatientExecutor(node.get_logger())
    executor.add_node(node)
    spinning = threading.Thread(target=spin, args=(executor, stop), name="executor")
    spinning.start()
    try:
        stop.wait()
    finally:
        stop.set()
        executor.interrupt()
        spinning.join()
        executor.finish()
        node.close()
        node.destroy_node()
        rclpy.shutdown()
    return 0


def spin(executor: PatientExecutor, stop: threading.Event) -> None:
    """Execute callbacks until `stop` is set or the executor's context ends."""
    while not stop.is_set() and executor.context.ok():
        executor.spin_once()
    stop.set()

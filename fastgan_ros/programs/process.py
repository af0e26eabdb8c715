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

_NOTHING_TO_DO = (
    ConditionReachedException,
    ExternalShutdownException,
    InvalidHandle,
    ShutdownException,
    TimeoutException,
)


class PatientExecutor(Executor):
    """Runs callbacks in a pool of threads, outlives their exceptions, and can wait for them to end.

    rclpy's MultiThreadedExecutor ends with the first exception (a client that went away before its answer is
    enough), and in some releases its shutdown() returns while callbacks still run.
    """

    def __init__(self, logger, threads: int = 4, context=None):
        super().__init__(context=context)
        self._logger = logger
        self._pool = ThreadPoolExecutor(threads)
        # Without it, a callback that waits for a thread would be found ready, and handed over, again and again.
        self._free = threading.BoundedSemaphore(threads)

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback and hand it to the pool."""
        self._free.acquire()
        try:
            task, _, _ = self.wait_for_ready_callbacks(timeout_sec)
        except BaseException as error:
            self._free.release()
            # An InvalidHandle was destroyed while it was being waited for.
            if isinstance(error, _NOTHING_TO_DO):
                return
            raise
        self._pool.submit(self._execute, task)

    def interrupt(self) -> None:
        """Let a spin_once() that waits return."""
        self.create_task(lambda: None)

    def finish(self) -> None:
        """Wait for the callbacks under way; call it when nothing spins any more."""
        self._pool.shutdown(wait=True)
        self.shutdown()

    def _execute(self, task) -> None:
        try:
            task()
        finally:
            self._free.release()
        error = task.exception() if task.done() else None
        # Humble lets a message arrive for a subscription that was destroyed meanwhile.
        if error is not None and not isinstance(error, InvalidHandle):
            lines = "".join(traceback.format_exception(error))
            self._logger.error(f"A callback failed; the node goes on.\n{lines}")


def run(make_node, args: list[str] | None = None) -> int:
    """Spin the node that make_node() returns until SIGINT or SIGTERM; return the exit code.

    0 after a signal, 2 with a sentence on stderr when the node cannot be made from what it was given. The
    node's hurry() is called before its callbacks are waited for, its close() while its context is still valid, so
    that it can end its lifecycle.
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
        node.hurry()
        executor.finish()
        node.close()
        node.destroy_node()
        rclpy.shutdown()
    return 0


def spin(executor: PatientExecutor, stop: threading.Event) -> None:
    """Execute callbacks until `stop` is set or the executor's context ends."""
    try:
        while not stop.is_set() and executor.context.ok():
            executor.spin_once()
    finally:  # whatever ended it: a process that answers nothing must not stay
        stop.set()

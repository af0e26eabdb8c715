"""What the commands for a terminal share: ROS begun and ended, and words for what it cannot use."""

from contextlib import contextmanager

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.utilities import remove_ros_args

from fastgan_core.errors import FastganError


def own_arguments(arguments: list[str]) -> list[str]:
    """Those that are the command's, without its name and those for ROS; FastganError where ROS cannot use its own."""
    with _arguments():
        return remove_ros_args(arguments)[1:]


@contextmanager
def ros(arguments: list[str], **options):
    """ROS within the block; `options` are those of `rclpy.init`. FastganError for arguments that it cannot use."""
    with _arguments():
        rclpy.init(args=arguments, **options)
    try:
        yield
    finally:
        rclpy.try_shutdown()


@contextmanager
def names():
    """FastganError for names of nodes and topics within the block that ROS cannot use."""
    try:
        yield
    except (NameValidationException, RuntimeError) as error:  # RuntimeError: one that cannot be resolved
        raise FastganError(_one_line(error)) from None


@contextmanager
def _arguments():
    try:
        yield
    except RuntimeError as error:
        raise FastganError(f"the ROS arguments cannot be used: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

"""Images and masks of one stamp find each other, in whatever order the network brings them."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")

from builtin_interfaces.msg import Time
from harness import picture
from std_msgs.msg import Header

from fastgan_ros.messages.images import to_msg
from fastgan_ros.messages.pairing import EARLY, Pairing


def image(second: int):
    return to_msg(picture(), "rgb8", Header(stamp=Time(sec=second)))


def mask(second: int):
    return to_msg(np.full((48, 64), second, np.uint8), "mono8", Header(stamp=Time(sec=second)))


def shown(pairing: Pairing) -> tuple[int, int | None]:
    """Seconds of the image, and what is in its mask."""
    live = pairing.live()
    return live.header.stamp.sec, None if live.labels is None else int(live.labels.max())


def test_a_mask_finds_its_image():
    pairing = Pairing()
    for second in (1, 2, 3):
        pairing.add_image(image(second))
    pairing.add_mask(mask(2))
    assert shown(pairing) == (2, 2)
    pairing.add_mask(mask(1))
    assert shown(pairing) == (2, 2), "its image is gone, and time does not go back"
    pairing.add_mask(mask(3))
    assert shown(pairing) == (3, 3)


def test_an_image_finds_the_mask_that_came_before_it():
    pairing = Pairing()
    for second in (1, 2, 3):
        pairing.add_mask(mask(second))
        assert pairing.live() is None
    for second in (2, 1, 3):
        pairing.add_image(image(second))
        assert shown(pairing) == (max(second, 2), max(second, 2)), "no older mask after a newer one"
    assert not pairing.silent("mask")


def test_masks_that_always_come_first_are_shown_all_the_same():
    pairing = Pairing()
    for second in range(1, 40):
        pairing.add_mask(mask(second))
        pairing.add_image(image(second))
        assert shown(pairing) == (second, second)


def test_no_more_than_a_few_masks_wait():
    pairing = Pairing()
    for second in range(1, EARLY + 3):
        pairing.add_mask(mask(second))
    pairing.add_image(image(2))
    assert shown(pairing) == (2, None), "that one was dropped"
    pairing.add_image(image(3))
    assert shown(pairing) == (3, 3)

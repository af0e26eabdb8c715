"""Images and masks of one stamp brought together, for a viewer that gets both from the network."""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fastgan_ros.messages.images import from_compressed, to_labels, to_rgb
from fastgan_ros.messages.stamps import nanoseconds

KEPT = 90, 200_000_000  # images that wait for their masks: at most so many, and so many bytes
EARLY = 8  # masks that wait for their images, at most; on a slow link these can come after their masks
STALE = 2.0  # seconds without a mask after which the image is shown without one


class Live(NamedTuple):
    """The newest image that can be shown with its mask; without one when no masks come."""

    rgb: np.ndarray  # (H, W, 3) uint8
    header: Header
    labels: np.ndarray | None  # (H, W)


class Pairing:
    """Keeps images until their masks arrive. Messages may come from any thread; live() is for one alone."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, Image | CompressedImage] = OrderedDict()
        self._early: OrderedDict[int, Image] = OrderedDict()
        self._pair: tuple = (None, None)  # image and mask of one stamp
        self._arrivals = {"image": 0.0, "mask": 0.0}
        self._shown: tuple = (None, None, None)  # messages, and what was made of them

    def add_image(self, msg: Image | CompressedImage) -> None:
        """Take in an image."""
        with self._lock:
            self._arrivals["image"] = time.monotonic()
            self._waiting[nanoseconds(msg.header.stamp)] = msg
            most = max(min(KEPT[0], KEPT[1] // max(len(msg.data), 1)), 1)
            while len(self._waiting) > most:
                self._waiting.popitem(last=False)
            self._match(nanoseconds(msg.header.stamp))

    def add_mask(self, msg: Image) -> None:
        """Take in a mask; one whose image has not arrived yet waits for it."""
        with self._lock:
            self._early[nanoseconds(msg.header.stamp)] = msg
            while len(self._early) > EARLY:
                self._early.popitem(last=False)
            self._match(nanoseconds(msg.header.stamp))

    def _match(self, stamp: int) -> None:
        """Show image and mask of this stamp if both are there; what came before them is not shown any more."""
        if stamp not in self._waiting or stamp not in self._early:
            return
        self._arrivals["mask"] = time.monotonic()
        self._pair = self._waiting[stamp], self._early[stamp]
        while next(iter(self._waiting)) != stamp:
            self._waiting.popitem(last=False)
        while self._early.popitem(last=False)[0] != stamp:
            pass

    def silent(self, kind: str) -> bool:
        """Whether no "image", or no "mask" with an image, came for a while."""
        return time.monotonic() - self._arrivals[kind] > STALE

    def live(self) -> Live | None:
        """What is newest; None before the first image. FastganError when it cannot be read."""
        with self._lock:
            image, mask = self._pair
            if self._waiting and self.silent("mask"):
                image, mask = next(reversed(self._waiting.values())), None
        if image is None:
            return None
        if image is not self._shown[0] or mask is not self._shown[1]:
            rgb = to_rgb(image) if isinstance(image, Image) else from_compressed(image)
            labels = None if mask is None else to_labels(mask)
            if labels is not None and labels.shape != rgb.shape[:2]:
                labels = None  # another camera's, with the same stamp
            self._shown = image, mask, Live(rgb, image.header, labels)
        return self._shown[2]

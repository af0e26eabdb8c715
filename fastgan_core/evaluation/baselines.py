"""What a learned tracker has to beat: methods without weights, with the tracker's interface."""

from dataclasses import dataclass

import cv2
import numpy as np

from fastgan_core.labels import check_frame, check_labels


@dataclass(frozen=True)
class Labelled:
    """The result of one frame."""

    labels: np.ndarray  # (H, W) integer, 0 = background; the reference's size


class Repeat:
    """The reference for ever: the score of a sequence in which nothing moves."""

    def __init__(self):
        self._labels: np.ndarray | None = None

    def set_reference(self, frame: np.ndarray, labels: np.ndarray, mode: str = "replace") -> list[int]:
        """Mark objects, as :meth:`fastgan_core.tracking.tracker.Tracker.set_reference` does."""
        check_frame(frame)
        ids = check_labels(labels, frame.shape[:2])
        kept = self._labels if mode == "add" else None
        self._labels = labels if kept is None else np.where(labels > 0, labels, kept)
        return ids

    def step(self, frame: np.ndarray) -> Labelled:
        """The labels of the reference."""
        return Labelled(np.zeros(frame.shape[:2], np.uint8) if self._labels is None else self._labels)


class Flow:
    """Masks carried along by optical flow: DIS (Kroeger et al. 2016), OpenCV's preset "medium".

    Each object's mask is warped from frame to frame with bilinear weights and only its output is
    thresholded, at one half. Nothing is ever taken back: what is hidden once is lost.
    """

    def __init__(self):
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._masks: dict[int, np.ndarray] = {}  # id -> (H, W) float32, 0 to 1
        self._grey: np.ndarray | None = None

    def set_reference(self, frame: np.ndarray, labels: np.ndarray, mode: str = "replace") -> list[int]:
        """Mark objects, as :meth:`fastgan_core.tracking.tracker.Tracker.set_reference` does."""
        check_frame(frame)
        ids = check_labels(labels, frame.shape[:2])
        if mode != "add":
            self._masks = {}
        free = (labels == 0).astype(np.float32)
        self._masks = {number: mask * free for number, mask in self._masks.items() if number not in ids}
        self._masks |= {number: (labels == number).astype(np.float32) for number in ids}
        self._grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        return ids

    def step(self, frame: np.ndarray) -> Labelled:
        """Warp all masks to the next frame, ``(H, W, 3) uint8 RGB`` of the reference's size."""
        labels = np.zeros(frame.shape[:2], np.uint16 if max(self._masks, default=0) > 255 else np.uint8)
        if not self._masks:
            return Labelled(labels)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        # From this frame back to the last one: every pixel asks where it came from.
        source = self._flow.calc(grey, self._grey, None)
        source += np.dstack(np.meshgrid(*map(np.arange, grey.shape[::-1])))
        for number, mask in self._masks.items():
            self._masks[number] = cv2.remap(mask, source, None, cv2.INTER_LINEAR)
            # The masks' sum is at most 1, so that no two objects claim a pixel.
            labels[self._masks[number] > 0.5] = number
        self._grey = grey
        return Labelled(labels)

"""Frames and label images in memory: what is one, and what is in it. 0 is background, all else the id of an object."""

import cv2
import numpy as np

from fastgan_core.errors import FastganError

MAX_ID = 65535


def check_frame(frame: np.ndarray) -> None:
    """Raise FastganError unless ``frame`` is ``(H, W, 3) uint8`` and not empty."""
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        found = f"{frame.shape} {frame.dtype}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise FastganError(f"frame: expected an RGB image (H, W, 3) of uint8, got {found}")
    if 0 in frame.shape:
        raise FastganError(f"frame: the image is empty, {frame.shape}")


def check_labels(labels: np.ndarray, size: tuple[int, int]) -> list[int]:
    """The ids in a label image. Raises FastganError when it cannot be the mask of a frame of ``size``."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype.kind not in "bui":
        found = f"{labels.shape} {labels.dtype}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise FastganError(f"mask: expected a label image (H, W) of integers, got {found}; send one id per pixel")
    if labels.shape != tuple(size):
        raise FastganError(
            f"mask: it is {labels.shape[1]}x{labels.shape[0]} and the image {size[1]}x{size[0]} (width x height); "
            "draw it on an image of the camera's size"
        )
    ids = [int(i) for i in np.unique(labels) if i != 0]
    if not ids:
        raise FastganError("mask: it is empty, all pixels are 0; mark the object with its id, for instance 1")
    if ids[0] < 0 or ids[-1] > MAX_ID:
        raise FastganError(f"mask: ids must lie between 1 and {MAX_ID}, found {ids[0]} to {ids[-1]}")
    return ids


def binary_to_one(labels: np.ndarray) -> np.ndarray:
    """A mask whose only non-zero value is 255 marks one object: ``(H, W)`` with 255 replaced by 1."""
    if labels.max(initial=0) == 255 and ((labels == 0) | (labels == 255)).all():
        return (labels > 0).astype(labels.dtype)
    return labels


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """``(x, y, width, height)`` in pixels of the true pixels of ``(H, W)``; zeros when there are none."""
    return cv2.boundingRect(mask.astype(np.uint8))

"""Label images: 0 is background, every other value is the id of an object."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fastgan_core.errors import FastganError

MAX_ID = 65535


def davis_palette(count: int = 256) -> np.ndarray:
    """The colour map of PASCAL VOC and DAVIS, ``(count, 3) uint8 RGB``: bits of the id spread over the channels."""
    ids = np.arange(count)
    palette = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> channel) & 1) << (7 - bit)).astype(np.uint8)
        ids = ids >> 3
    return palette


PALETTE = davis_palette()


def read_mask(path: str | Path, keep_binary: bool = False) -> np.ndarray:
    """A label image from a palette, grey or binary PNG.

    Args:
        keep_binary: leave a binary mask at 0 and 255, for somebody else to choose its id.

    Returns:
        ``(H, W) uint8`` (``uint16`` for 16-bit files). A mask of 0 and 255 alone is
        binary and becomes 0 and 1.

    Raises:
        FastganError: the file is missing, broken, or has colour channels that are not labels.
    """
    try:
        with Image.open(path) as picture:
            labels = np.array(picture)
    except FileNotFoundError:
        raise FastganError(f"{path}: there is no such mask file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FastganError(f"{path}: cannot be read as a mask ({error}); save it as PNG") from None
    if labels.ndim == 3:
        colours = labels[..., : 1 if labels.shape[2] == 2 else 3]  # without alpha
        if not (colours == colours[..., :1]).all():
            raise FastganError(
                f"{path}: is a colour picture; a mask is a palette or grey PNG with 0 = background and the "
                "object's id elsewhere"
            )
        labels = colours[..., 0]
    if labels.dtype.kind == "f" or labels.min(initial=0) < 0 or labels.max(initial=0) > MAX_ID:
        raise FastganError(f"{path}: holds fractions or values outside of 0 to {MAX_ID}; save ids as 8- or 16-bit PNG")
    if labels.dtype == bool:
        labels = labels.astype(np.uint8) * 255
    labels = labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.uint16)
    return labels if keep_binary else binary_to_one(labels)


def binary_to_one(labels: np.ndarray) -> np.ndarray:
    """A mask whose only non-zero value is 255 marks one object: ``(H, W)`` with 255 replaced by 1."""
    if labels.max(initial=0) == 255 and ((labels == 0) | (labels == 255)).all():
        return (labels > 0).astype(labels.dtype)
    return labels


def write_mask(path: str | Path, labels: np.ndarray) -> None:
    """Write ``(H, W)`` labels as DAVIS does: a palette PNG, or 16-bit grey when an id is over 255."""
    if labels.max(initial=0) > 255:
        Image.fromarray(labels.astype(np.uint16)).save(path)
        return
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    picture.putpalette(PALETTE.tobytes())
    picture.save(path)


def overlay(frame: np.ndarray, labels: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Objects tinted in their palette colour, with a contour.

    Args:
        frame: ``(H, W, 3) uint8 RGB``. labels: ``(H, W)`` integer. alpha: 0 (frame) to 1 (flat colour).

    Returns:
        ``(H, W, 3) uint8 RGB``, a new array.
    """
    result = frame.copy()
    x, y, width, height = bounding_box(labels > 0)
    if not width:
        return result
    # Where there is something to paint, and by OpenCV: ten times faster than NumPy's indexing over the whole frame.
    window = np.s_[y : y + height, x : x + width]
    ids, painted = np.ascontiguousarray(labels[window]), result[window]
    tinted = cv2.addWeighted(painted, 1 - alpha, colours(ids), alpha, 0)
    painted[:] = cv2.copyTo(tinted, (ids > 0).view(np.uint8), painted.copy())
    for number in np.flatnonzero(np.bincount(ids.ravel())[1:]) + 1:
        found = (ids == number).view(np.uint8)
        contours, _ = cv2.findContours(found, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(x, y))
        cv2.drawContours(result, contours, -1, PALETTE[number & 255].tolist(), 2)
    return result


def colours(labels: np.ndarray) -> np.ndarray:
    """Label image ``(H, W)`` integer in the colours of the palette, ``(H, W, 3) uint8 RGB``."""
    ids = (labels & 255).astype(np.uint8)
    return cv2.LUT(cv2.merge((ids, ids, ids)), PALETTE[None])


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """``(x, y, width, height)`` in pixels of the true pixels of ``(H, W)``; zeros when there are none."""
    return cv2.boundingRect(mask.astype(np.uint8))

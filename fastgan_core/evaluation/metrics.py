"""J and F as DAVIS defines them (Perazzi et al. 2016; semi-supervised protocol of DAVIS 2017)."""

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.labels import bounding_box

TOLERANCE = 0.008  # how far a contour may be off, as a share of the image's diagonal


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """J: intersection over union of two ``(H, W) bool`` masks, 0 to 1; 1 when both are empty."""
    union = np.count_nonzero(truth | prediction)
    return np.count_nonzero(truth & prediction) / union if union else 1.0


def contour_accuracy(truth: np.ndarray, prediction: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """F: harmonic mean of the contours' precision and recall, 0 to 1; see :func:`measures`."""
    return measures(truth, prediction, tolerance)[1]


def measures(truth: np.ndarray, prediction: np.ndarray, tolerance: float = TOLERANCE) -> tuple[float, float]:
    """J and F of one object in one frame.

    Pixels of one contour that lie within a disk's radius of the other count as matched. F is 1
    when both contours are empty and 0 when one is.

    Args:
        truth, prediction: ``(H, W) bool``.
        tolerance: radius of the disk as a share of the image's diagonal, rounded up to pixels.

    Raises:
        FastganError: the sizes differ.
    """
    if truth.shape != prediction.shape:
        raise FastganError(f"the prediction has the size {prediction.shape}, the annotation {truth.shape}; resize it")
    radius = int(np.ceil(tolerance * np.hypot(*truth.shape)))
    # All that counts lies within a pixel of the masks, and most masks are a small part of their image.
    x, y, width, height = bounding_box(truth | prediction)
    window = np.s_[max(0, y - 1) : y + height + 1, max(0, x - 1) : x + width + 1]
    truth, prediction = truth[window], prediction[window]
    region = region_similarity(truth, prediction)
    # Truth is bit 0 and prediction bit 1 of one image, so that everything is computed once for both.
    contours = boundary(truth.view(np.uint8) | prediction.view(np.uint8) << 1)
    true, found = np.count_nonzero(contours & 1), np.count_nonzero(contours & 2)
    if not (true and found):
        return region, float(true == found)
    close = dilate(contours, radius)
    precision = np.count_nonzero(contours & close << 1 & 2) / found
    recall = np.count_nonzero(contours & close >> 1 & 1) / true
    return region, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(masks: np.ndarray) -> np.ndarray:
    """Pixels that differ from their east, south or south-east neighbour, for each bit of ``(H, W) uint8``.

    The last row and column are compared along the border only, as in the official tool.
    """
    padded = cv2.copyMakeBorder(masks, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    edges = masks ^ padded[:-1, 1:]
    edges |= masks ^ padded[1:, :-1]
    edges |= masks ^ padded[1:, 1:]
    return edges


def dilate(bits: np.ndarray, radius: int) -> np.ndarray:
    """Dilation of each bit of ``(H, W) uint8`` by a disk of ``radius`` pixels.

    A disk is a stack of rows: the image is widened once per width that occurs and moved up and down. The
    moves are shifts of the flat array, which is faster than a disk given to OpenCV; ``radius`` empty
    columns keep one row's pixels out of the next.
    """
    height, width = bits.shape
    padded = cv2.copyMakeBorder(bits, radius, radius, 0, radius, cv2.BORDER_CONSTANT, value=0)
    row = width + radius
    wide = padded.reshape(-1)
    result, reach = np.zeros_like(wide), 0
    for distance in range(radius, 0, -1):
        wide = widen(wide, reach, reach := int(np.sqrt(radius**2 - distance**2)))
        result[distance * row :] |= wide[: -distance * row]
        result[: -distance * row] |= wide[distance * row :]
    result |= widen(wide, reach, radius)
    return result.reshape(padded.shape)[radius : radius + height, :width]


def widen(flat: np.ndarray, reach: int, target: int) -> np.ndarray:
    """``flat uint8`` that was already spread by ``reach`` pixels to both sides, spread by ``target`` pixels."""
    while reach < target:
        shift = min(target - reach, reach + 1)  # a longer one would leave gaps
        wider = flat.copy()
        wider[shift:] |= flat[:-shift]
        wider[:-shift] |= flat[shift:]
        flat, reach = wider, reach + shift
    return flat


def statistics(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, recall (share over 0.5) and decay (first quarter's mean less the last's) of a value per frame."""
    values = np.asarray(values, float)
    edges = (np.round(np.linspace(1, len(values), 5) + 1e-10) - 1).astype(int)
    quarters = [values[edges[i] : edges[i + 1] + 1] for i in range(4)]
    return float(values.mean()), float((values > 0.5).mean()), float(quarters[0].mean() - quarters[3].mean())


def summarise(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """DAVIS measures of one object from its J and F in every scored frame.

    Returns:
        ``J&F-Mean, J-Mean, J-Recall, J-Decay, F-Mean, F-Recall, F-Decay`` as the official tool names
        them, 0 to 1 (decay: -1 to 1).
    """
    result = {"J&F-Mean": float(np.mean(pairs))}
    for name, values in zip("JF", zip(*pairs, strict=True), strict=True):
        mean, recall, decay = statistics(values)
        result |= {f"{name}-Mean": mean, f"{name}-Recall": recall, f"{name}-Decay": decay}
    return result


def score_sequence(truth: list[np.ndarray], prediction: list[np.ndarray]) -> dict[str, float]:
    """All DAVIS measures of one object in one sequence, see :func:`summarise`.

    Args:
        truth, prediction: ``(H, W) bool`` for every frame; the first (given) and last are left out.
    """
    return summarise([measures(t, p) for t, p in list(zip(truth, prediction, strict=True))[1:-1]])

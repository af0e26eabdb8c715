"""J and F as DAVIS defines them (Perazzi et al. 2016; semi-supervised protocol of DAVIS 2017)."""

import cv2
import numpy as np


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """J: intersection over union of two ``(H, W) bool`` masks; 1 when both are empty."""
    union = np.count_nonzero(truth | prediction)
    return np.count_nonzero(truth & prediction) / union if union else 1.0


def boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels of ``(H, W) bool`` that differ from their east, south or south-east neighbour."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here, east, south, both = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    edges = (here != east) | (here != south) | (here != both)
    # On the last row and column the official tool looks along the border only; in the corner nowhere.
    edges[-1, :] = mask[-1, :] != east[-1, :]
    edges[:, -1] = mask[:, -1] != south[:, -1]
    edges[-1, -1] = False
    return edges


def contour_accuracy(truth: np.ndarray, prediction: np.ndarray, tolerance: float = 0.008) -> float:
    """F: harmonic mean of the boundaries' precision and recall, matched within a disk.

    Args:
        truth, prediction: ``(H, W) bool``.
        tolerance: radius of the disk as a share of the image's diagonal.
    """
    radius = int(np.ceil(tolerance * np.hypot(*truth.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    true_edges, found_edges = boundary(truth).astype(np.uint8), boundary(prediction).astype(np.uint8)
    total_true, total_found = int(true_edges.sum()), int(found_edges.sum())
    if total_true == 0 and total_found == 0:
        return 1.0
    if total_true == 0 or total_found == 0:
        return 0.0
    precision = (found_edges & cv2.dilate(true_edges, disk)).sum() / total_found
    recall = (true_edges & cv2.dilate(found_edges, disk)).sum() / total_true
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def statistics(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, recall (share over 0.5) and decay (first quarter's mean less the last's) of a value per frame."""
    values = np.asarray(values, float)
    edges = (np.round(np.linspace(1, len(values), 5) + 1e-10) - 1).astype(int)
    quarters = [values[edges[i] : edges[i + 1] + 1] for i in range(4)]
    return float(values.mean()), float((values > 0.5).mean()), float(quarters[0].mean() - quarters[3].mean())


def score_sequence(truth: list[np.ndarray], prediction: list[np.ndarray]) -> dict[str, float]:
    """All DAVIS measures of one object in one sequence.

    Args:
        truth, prediction: ``(H, W) bool`` for every frame; the first (given) and last are left out.

    Returns:
        ``J-Mean, J-Recall, J-Decay, F-Mean, F-Recall, F-Decay``, 0 to 1.
    """
    pairs = list(zip(truth, prediction, strict=True))[1:-1]
    result = {}
    for name, measure in (("J", region_similarity), ("F", contour_accuracy)):
        mean, recall, decay = statistics([measure(t, p) for t, p in pairs])
        result |= {f"{name}-Mean": mean, f"{name}-Recall": recall, f"{name}-Decay": decay}
    return result

"""Pictures, masks and a video made on the spot."""

import cv2
import numpy as np


def frame(height: int = 90, width: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def labels(*ids: int, height: int = 90, width: int = 120) -> np.ndarray:
    result = np.zeros((height, width), np.uint16 if max(ids) > 255 else np.uint8)
    for n, number in enumerate(ids):
        result[10:60, 5 + 25 * n : 25 + 25 * n] = number
    return result


def picture(seed: int, size=(64, 96), box=(20, 16, 30, 24)) -> tuple[np.ndarray, np.ndarray]:
    """A coloured box (x, y, width, height) with id 1 before a gradient; colours and noise by ``seed``."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = np.linspace(40, 160, width)[None, :, None] + rng.uniform(0, 40, 3) + np.zeros((height, 1, 1))
    labels = np.zeros(size, np.uint8)
    x, y, w, h = box
    labels[y : y + h, x : x + w] = 1
    image[labels > 0] = rng.uniform(60, 250, 3)
    return image.clip(0, 255).astype(np.uint8), labels


class Video:
    """A drawn video: two squares of 20 pixels on noise; 1 lies still, 2 moves right by 2 pixels a frame."""

    def __init__(self, late: int = 0):
        self.late = late  # the frame in which the second square appears

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        texture = np.random.default_rng(0).integers(0, 255, (96, 160, 3), np.uint8)
        frame, labels = cv2.GaussianBlur(texture, (5, 5), 0), np.zeros((96, 160), np.uint8)
        labels[10:30, 20:40] = 1
        frame[10:30, 20:40] = cv2.GaussianBlur(texture[::-1], (3, 3), 0)[10:30, 20:40]
        if index >= self.late:
            x = 20 + 2 * index
            labels[60:80, x : x + 20] = 2
            frame[60:80, x : x + 20] = cv2.GaussianBlur(texture[:, ::-1], (3, 3), 0)[60:80, 20:40]
        return frame, labels

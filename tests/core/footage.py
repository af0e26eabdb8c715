"""Drawn pictures to train on."""

import numpy as np


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

"""Pictures in files."""

from pathlib import Path

import cv2
import numpy as np

from fastgan_core.errors import FastganError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def read_image(path: Path) -> np.ndarray:
    """``(H, W, 3) uint8 RGB``. Raises FastganError naming the file when it cannot be decoded."""
    try:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # of sizes that no picture has
        bgr = None
    if bgr is None:
        raise FastganError(f"{path}: missing or not an image; remove it or fetch the data set again")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

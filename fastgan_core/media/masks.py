"""Label images in files."""

from pathlib import Path

import numpy as np
from PIL import Image

from fastgan_core.errors import FastganError
from fastgan_core.labels import MAX_ID, binary_to_one
from fastgan_core.media.painting import PALETTE


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


def write_mask(path: str | Path, labels: np.ndarray) -> None:
    """Write ``(H, W)`` labels as DAVIS does: a palette PNG, or 16-bit grey when an id is over 255."""
    if labels.max(initial=0) > 255:
        Image.fromarray(labels.astype(np.uint16)).save(path)
        return
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    picture.putpalette(PALETTE.tobytes())
    picture.save(path)



"""Geometry and colour of training clips. All functions draw from the generator they are given."""

import functools

import cv2
import numpy as np

Matrix = np.ndarray  # (2, 3) float: source pixels -> output pixels


def similarity(centre, scale, angle: float, to) -> Matrix:
    """Rotate by ``angle`` (radians) and scale ``(sx, sy)`` about ``centre``, which lands on ``to``."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(scale)
    return np.hstack([linear, (np.asarray(to) - linear @ np.asarray(centre))[:, None]])


def compose(after: Matrix, before: Matrix) -> Matrix:
    """The map that does ``before`` first and ``after`` then."""
    linear = after[:, :2] @ before[:, :2]
    return np.hstack([linear, (after[:, :2] @ before[:, 2] + after[:, 2])[:, None]])


def view(
    rng: np.random.Generator,
    mask: np.ndarray,
    size: int,
    zoom=(0.75, 1.25),
    degrees: float = 30.0,
    stretch: float = 0.0,
) -> Matrix:
    """A random square view of a picture with the object in it (scale, rotation and flip of section 5).

    ``zoom`` is relative to the view that holds the picture's shorter side; a view that would
    lose a large object is widened, one that would make a tiny one invisible is narrowed.
    The angle is uniform, up to ``degrees`` to each side; ``stretch`` is the deviation of the aspect's logarithm.
    """
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    if w == 0:
        x, y, w, h = width // 4, height // 4, width // 2, height // 2
    scale = size / min(height, width) * np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1])))
    scale = min(scale, 0.95 * size / max(w, h)) if rng.random() < 0.8 else scale
    scale = max(scale, size / max(height, width), 0.06 * size / np.sqrt(w * h))
    aspect = np.exp(rng.normal(0, stretch))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    # Anywhere in the view, but mostly inside of it.
    room = np.clip(0.5 - 0.4 * scale * np.array([w, h]) / size, 0.08, 0.38)
    to = size * (0.5 + rng.uniform(-room, room))
    angle = np.deg2rad(degrees) * rng.uniform(-1, 1)
    return similarity((x + w / 2, y + h / 2), (flip * scale * aspect, scale / aspect), angle, to)


def drift(rng: np.random.Generator, count: int, size: int, strength: float) -> list[Matrix]:
    """A smooth random motion of a view of ``size`` pixels: ``count`` maps, the first near the identity."""
    velocity = rng.normal(0, 1, 5) * np.array([0.05, 0.05, 0.05, 0.04, 0.07]) * strength
    state, motion = np.zeros(5), []
    for _ in range(count):
        dx, dy, zoom, stretch, angle = state
        centre = np.array([size / 2, size / 2])
        factors = (np.exp(zoom + stretch), np.exp(zoom - stretch))
        motion.append(similarity(centre, factors, angle, centre + size * np.array([dx, dy])))
        velocity = velocity + rng.normal(0, 1, 5) * np.array([0.025, 0.025, 0.02, 0.02, 0.03]) * strength
        state = state + velocity
    return motion


def elastic_fields(rng: np.random.Generator, count: int, size: int, strength: float) -> list[np.ndarray]:
    """Smooth deformations that change over time: ``count`` arrays ``(size, size, 2)`` of pixel offsets."""
    grid = rng.normal(0, strength * size, (4, 4, 2))
    fields = []
    for _ in range(count):
        fields.append(cv2.resize(grid.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC))
        grid = 0.8 * grid + rng.normal(0, 0.6 * strength * size, grid.shape)
    return fields


def warp(picture: np.ndarray, matrix: Matrix, size: int, border: int = cv2.BORDER_REFLECT_101) -> np.ndarray:
    """``picture`` seen through ``matrix``, ``(size, size[, 3])`` of the same dtype."""
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


@functools.cache
def pixel_grid(size: int) -> np.ndarray:
    """``(size, size, 2) float32``: the coordinates (x, y) of each pixel."""
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(np.float32)


def bend(picture: np.ndarray, field: np.ndarray, border: int = cv2.BORDER_REFLECT_101) -> np.ndarray:
    """``picture`` deformed by an offset field of :func:`elastic_fields`."""
    return cv2.remap(picture, pixel_grid(len(field)) + field, None, cv2.INTER_LINEAR, borderMode=border)


class Colour:
    """A colour change drawn once for a clip (or a layer of it), with small changes from frame to frame."""

    def __init__(self, rng: np.random.Generator, strength: float = 1.0):
        self.rng = rng
        self.gain = 1 + strength * (rng.uniform(-0.25, 0.25) + rng.uniform(-0.08, 0.08, 3))
        self.offset = strength * rng.uniform(-25, 25)
        self.gamma = np.exp(strength * rng.normal(0, 0.15))
        self.grey = rng.random() < 0.04 * strength

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        flicker = 1 + self.rng.normal(0, 0.02)
        ramp = 255 * (np.arange(256) / 255) ** self.gamma
        table = np.clip(ramp[:, None] * self.gain * flicker + self.offset, 0, 255).astype(np.uint8)
        if self.grey:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return cv2.LUT(picture, np.ascontiguousarray(table[None]))


def camera_defects(rng: np.random.Generator, frames: list[np.ndarray]) -> list[np.ndarray]:
    """Motion or focus blur and sensor noise, the same kind over a clip, in a third of the clips."""
    kind = rng.random()
    if kind < 0.12:
        return [cv2.GaussianBlur(f, (0, 0), rng.uniform(0.5, 1.5)) for f in frames]
    if kind < 0.24:
        length = int(rng.integers(3, 8))
        turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
        line = np.zeros((length, length), np.float32)
        line[length // 2] = 1
        kernel = cv2.warpAffine(line, turn, (length, length))
        return [cv2.filter2D(f, -1, kernel / max(kernel.sum(), 1e-6)) for f in frames]
    if kind < 0.34:
        sigma = rng.uniform(2, 10)
        return [np.clip(f + rng.normal(0, sigma, f.shape), 0, 255).astype(np.uint8) for f in frames]
    return frames


def rough_mask(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """A mask that is wrong in the ways a tracker's is.

    Args:
        mask: the truth, ``(S, S) float32`` in [0, 1].

    Returns:
        shifted, scaled, grown, shrunk, softened, or (rarely) empty; same shape and range.
    """
    if rng.random() < 0.11:
        return np.zeros_like(mask)
    size = mask.shape[0]
    x, y, w, h = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    centre = np.array([x + w / 2, y + h / 2])
    shift = rng.normal(0, 0.08, 2) * (w, h)
    factors = np.exp(rng.normal(0, 0.08, 2))
    rough = warp(mask, similarity(centre, factors, rng.normal(0, 0.08), centre + shift), size, cv2.BORDER_CONSTANT)
    radius = int(rng.integers(0, max(2, size // 40)))
    if radius:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        rough = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(rough, kernel)
    if rng.random() < 0.25:  # a missing part, or a leak
        hole = (rng.uniform(x, x + w + 1), rng.uniform(y, y + h + 1))
        axes = (int(1 + rng.uniform(0.1, 0.4) * w), int(1 + rng.uniform(0.1, 0.4) * h))
        rough = cv2.ellipse(
            np.ascontiguousarray(rough), (int(hole[0]), int(hole[1])), axes, rng.uniform(0, 180), 0, 360,
            float(rng.integers(0, 2)), -1,
        )  # fmt: skip
    return np.clip(cv2.GaussianBlur(rough, (0, 0), rng.uniform(0.3, 2.5)), 0, 1)

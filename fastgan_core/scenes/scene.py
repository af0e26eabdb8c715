"""A moving picture whose truth is known: a patterned, deforming thing goes round a tree.

Drawn with NumPy and OpenCV alone, and the same for the same seed and index. The camera pans over a blurred
garden in which other things move about. The object turns, breathes, shears, comes nearer and goes away; it
looks behind the tree, draws back, passes behind it, wholly for a moment, comes out on the other side and
returns in front: a loop without a seam.
"""

import cv2
import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.scenes import scenery

# How much of its way about the tree the object has gone (0 = left of it, 1/4 = behind, 1/2 = right, 3/4 = in
# front, 1 = left again) at which share of the loop.
_TIMES = (0.0, 0.08, 0.19, 0.29, 0.47, 0.62, 0.80, 0.93)
_TURNS = (0.0, 0.03, 0.14, 0.05, 0.25, 0.46, 0.72, 0.94)

_OTHERS = ((214, 120, 34), (198, 176, 58))  # RGB of the other things


class Scene:
    """`scene[i]` is `(frame (H, W, 3) uint8 RGB, labels (H, W) uint8)`: 1 where the object is seen, else 0.

    `length` frames make one round; a greater index goes round again. `FastganError` when a size is too small.
    """

    def __init__(self, width: int = 640, height: int = 480, length: int = 300, seed: int = 0):
        if min(width, height) < 64:
            raise FastganError(f"A scene of {width} x {height} pixels is too small; use at least 64 x 64.")
        if length < 2:
            raise FastganError(f"A scene of length {length} does not move; use at least 2 frames.")
        self.width, self.height, self.length = width, height, length
        self._hidden: dict[int, float] = {}  # of the frames drawn so far
        self._unit = float(min(np.sqrt(width * height), 0.95 * width))  # all sizes are in this
        rng = np.random.default_rng(seed)
        self._garden = scenery.garden(rng, int(1.25 * width), int(1.25 * height))
        self._tree = scenery.trunk(rng, int(0.285 * self._unit), int(1.2 * height))
        self._object = _Thing(rng, scenery.banded(rng), wobble=0.055)
        self._others = [_Thing(rng, scenery.ball(rng, rgb), wobble=0.04) for rgb in _OTHERS]
        self._grain = rng.normal(0, 2.0, (height + 32, width + 32, 3)).astype(np.int8)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._draw(index % self.length)

    def hidden(self, index: int) -> float:
        """Share of the object, 0 to 1, that is behind the tree in frame `index`."""
        index %= self.length
        if index not in self._hidden:
            self._draw(index)
        return self._hidden[index]

    def _draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        u = index / self.length
        t = 2 * np.pi * u
        width, height, unit = self.width, self.height, self._unit
        pan_x, pan_y = -0.05 * width * np.cos(t), 0.03 * height * np.sin(2 * t + 0.6)
        frame = self._background(t, pan_x, pan_y)

        for i, other in enumerate(self._others):
            s = t + 2.5 * i
            x = width * (0.5 + (0.34 - 0.7 * i) * np.cos(s)) - 0.6 * pan_x
            y = height * (0.22 + 0.55 * i + 0.06 * np.sin(2 * s))
            other.draw(frame, x, y, unit * (0.075 + 0.012 * np.sin(s)), turn=s, tilt=0.4 * s, t=t)

        angle = np.pi - 2 * np.pi * _along(u)
        depth = np.sin(angle)  # 1 = behind the tree, -1 = in front of it
        tree_x = 0.515 * width - 0.35 * pan_x
        x = tree_x + 0.29 * width * np.cos(angle)
        y = height * (0.54 - 0.05 * depth + 0.025 * np.sin(5 * t))
        radius = unit * 0.186 * (0.96 - 0.26 * depth - 0.10 * depth * depth)
        place = dict(radius=radius, turn=0.55 * np.sin(2 * t) + 0.25 * np.sin(t), tilt=t, t=t)

        if depth < 0:
            self._draw_tree(frame, tree_x, pan_y)
        seen = self._object.draw(frame, x, y, **place)
        area = int(seen.sum())
        if depth >= 0:
            seen &= ~self._draw_tree(frame, tree_x, pan_y)
        self._hidden[index] = 1.0 - int(seen.sum()) / area
        row, column = index * 7919 % 32, index * 104729 % 32
        grain = self._grain[row : row + height, column : column + width]
        return cv2.add(frame, grain, dtype=cv2.CV_8U), seen.astype(np.uint8)

    def _background(self, t: float, pan_x: float, pan_y: float) -> np.ndarray:
        """The garden as the panning, slightly rolling and zooming camera sees it."""
        centre = self._garden.shape[1] / 2, self._garden.shape[0] / 2
        matrix = cv2.getRotationMatrix2D(centre, 1.2 * np.sin(t), 1.0 + 0.03 * np.sin(3 * t))
        matrix[:, 2] += self.width / 2 - centre[0] - pan_x, self.height / 2 - centre[1] - pan_y
        size = self.width, self.height
        return cv2.warpAffine(self._garden, matrix, size, borderMode=cv2.BORDER_REFLECT)

    def _draw_tree(self, frame: np.ndarray, x: float, pan_y: float) -> np.ndarray:
        """Draw the tree with its middle at column `x`; returns where it covers: (H, W) bool."""
        tall, wide = self._tree.shape[:2]
        left = max(int(np.floor(x - wide / 2)) - 1, 0)
        right = min(left + wide + 3, self.width)
        shift = np.float32([[1, 0, x - wide / 2 - left], [0, 1, (self.height - tall) / 2 - pan_y]])
        tree = cv2.warpAffine(self._tree, shift, (right - left, self.height))
        _blend(frame[:, left:right], tree[..., :3], tree[..., 3] / np.float32(255))
        covered = np.zeros(frame.shape[:2], bool)
        covered[:, left:right] = tree[..., 3] > 127
        return covered


class _Thing:
    """A rounded body with a texture; its outline, seen from -1 to 1, waves as time goes by."""

    def __init__(self, rng: np.random.Generator, texture: np.ndarray, wobble: float):
        self._texture = texture
        self._size = wobble * rng.uniform(0.6, 1.0, 3)
        self._phase = rng.uniform(0, 2 * np.pi, 3)

    def draw(self, frame, x, y, radius, turn, tilt, t) -> np.ndarray:
        """Draw into `frame` with the middle at (x, y); pixels, radians; returns where it is: (H, W) bool."""
        covered = np.zeros(frame.shape[:2], bool)
        reach = int(radius * 1.35) + 2
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        right, bottom = min(int(x) + reach, frame.shape[1]), min(int(y) + reach, frame.shape[0])
        if left >= right or top >= bottom:
            return covered
        # Picture coordinates in radii, then into the body's own: perspective, shear and stretch, rotation.
        dx, dy = np.meshgrid(
            (np.arange(left, right, dtype=np.float32) - np.float32(x)) / np.float32(radius),
            (np.arange(top, bottom, dtype=np.float32) - np.float32(y)) / np.float32(radius),
        )
        near = 1 + np.float32(0.13 * np.sin(tilt)) * dx + np.float32(0.10 * np.cos(2 * tilt)) * dy
        stretch = 1 + 0.09 * np.sin(2 * t + 1)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        shear = np.float32(0.12 * np.sin(t + 0.5))
        a = (c * dx + s * dy) / near
        b = (c * dy - s * dx) / near * np.float32(stretch) + shear * a
        r, theta = cv2.cartToPolar(a, b)
        edge = np.float32(1)
        for k, (size, phase) in enumerate(zip(self._size, self._phase, strict=True), 2):
            edge = edge + np.float32(size) * np.cos(k * theta + np.float32(phase + (k - 1) * t))
        inside = r / edge
        alpha = np.clip((1 - inside) * np.float32(radius) + 0.5, 0, 1)

        half = self._texture.shape[0] / 2
        sway = np.float32(0.10 * np.sin(3 * t)) * (1 - inside) * half  # the pattern slides on the skin
        across, down = a / edge * half + half + sway, b / edge * half + half
        colour = cv2.remap(self._texture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # Lit from the upper left as a ball would be, darker towards the rim, with a soft highlight.
        rise = np.sqrt(np.clip(1 - inside * inside, 0, 1))
        light = 0.50 - 0.20 * dx - 0.30 * dy + 0.42 * rise
        shine = 70 * np.clip(rise - 0.25 - (dx + 0.40) ** 2 * 1.6 - (dy + 0.45) ** 2 * 1.6, 0, 1) ** 2
        lit = np.clip(colour * np.clip(light, 0.2, 1.25)[..., None] + shine[..., None], 0, 255)
        _blend(frame[top:bottom, left:right], lit, alpha)
        covered[top:bottom, left:right] = alpha > 0.5
        return covered


def _blend(frame: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lay `colour` over the uint8 `frame`, in place, by `alpha` in [0, 1]."""
    mixed = frame + (colour - frame.astype(np.float32)) * alpha[..., None]
    np.copyto(frame, mixed, casting="unsafe")


def _along(u: float) -> float:
    """Turns about the tree at the share `u` of the loop: a cubic through the table that closes on itself."""
    times = np.array([_TIMES[-1] - 1, *_TIMES, 1.0, 1 + _TIMES[1]])
    turns = np.array([_TURNS[-1] - 1, *_TURNS, 1.0, 1 + _TURNS[1]])
    slopes = (turns[2:] - turns[:-2]) / (times[2:] - times[:-2])
    k = int(np.searchsorted(times[1:-1], u, side="right")) - 1
    step = times[k + 2] - times[k + 1]
    s = (u - times[k + 1]) / step
    before, after = turns[k + 1], turns[k + 2]
    bend = slopes[k] * step * (s - 2 * s**2 + s**3) + slopes[k + 1] * step * (s**3 - s**2)
    return float(before + (after - before) * (3 * s**2 - 2 * s**3) + bend)

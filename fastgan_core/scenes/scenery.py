"""Textures for `scene`, drawn once from a seed: a blurred garden, bark, and skins. All uint8 RGB(A)."""

import cv2
import numpy as np

SKIN = 320
"""Side of a skin's texture, pixels."""


def noise(rng: np.random.Generator, width: int, height: int, coarse, fine, stretch=1.0) -> np.ndarray:
    """Cloudy noise, (H, W) float32 in [0, 1]: octaves of `coarse` to `fine` pixels, taller by `stretch`."""
    total = np.zeros((height, width), np.float32)
    cell, weight = coarse, 1.0
    while cell >= fine:
        rows, columns = max(int(height / cell / stretch), 2), max(int(width / cell), 2)
        grid = rng.random((rows + 1, columns + 1), np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cell, weight = cell / 2, weight * 0.55
    low, high = np.percentile(total, (1, 99))
    return np.clip((total - low) / (high - low), 0, 1)


def ramp(values: np.ndarray, *colours: tuple[int, int, int]) -> np.ndarray:
    """(H, W) in [0, 1] to (H, W, 3) float32: 0 is the first colour, 1 the last, the others evenly between."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(values, stops, [colour[c] for colour in colours]) for c in range(3)]
    return np.dstack(channels).astype(np.float32)


def garden(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Foliage out of focus with flowers, (H, W, 3): far and hazy at the top, near and dark at the bottom."""
    unit = float(np.sqrt(width * height))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    cloud = noise(rng, width, height, unit / 4, unit / 60)
    picture = ramp(cloud, (30, 46, 28), (70, 92, 52), (118, 132, 86)) * (1.15 - 0.45 * down)[..., None]
    picture += ((1 - down) ** 2)[..., None] * np.float32((34, 46, 56))
    # Leaves from far to near: larger, sharper, darker.
    layers = ((420, 0.020, 0.010, 1.15), (260, 0.030, 0.005, 0.95), (150, 0.042, 0.0025, 0.75))
    for count, size, blur, bright in layers:
        for _ in range(count):
            centre = int(rng.integers(width)), int(height * rng.beta(1.6, 1.1))
            axes = int(unit * size * rng.uniform(0.7, 1.5)) + 1, int(unit * size * rng.uniform(0.2, 0.5)) + 1
            tone = bright * rng.uniform(0.6, 1.25)
            dry = np.array((26, 8, -6)) * rng.random()
            colour = np.array((74, 108, 46)) * tone + rng.normal(0, 9, 3) + dry
            cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        picture = cv2.GaussianBlur(picture, (0, 0), unit * blur)
    for hue in ((206, 184, 66), (190, 120, 168), (214, 212, 204), (196, 96, 48)) * 4:
        centre = np.array((rng.uniform(0, width), height * rng.uniform(0.35, 1)))
        for petal in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 6):
            at = centre + unit * 0.014 * np.array((np.cos(petal), np.sin(petal)))
            shade = (np.array(hue) * rng.uniform(0.7, 1.0)).tolist()
            cv2.circle(picture, at.astype(int).tolist(), int(unit * 0.012) + 1, shade, -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), unit * 0.0022)
    picture *= (0.82 + 0.36 * noise(rng, width, height, unit / 3, unit / 6))[..., None]  # sun and shade
    return np.clip(picture, 0, 255).astype(np.uint8)


def trunk(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A tree's bark, (H, W, 4) with alpha: furrowed along, round across, its edges not quite straight."""
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    furrows = noise(rng, width, height, width / 5, 3, stretch=6)
    patches = noise(rng, width, height, width / 2, width / 6)
    value = np.clip(0.75 * np.abs(2 * furrows - 1) + 0.35 * patches, 0, 1)
    colour = ramp(value, (38, 30, 25), (92, 76, 60), (142, 124, 102))
    moss = np.clip(patches * 1.8 - 1.1, 0, 1)[..., None] * 0.5
    colour = colour * (1 - moss) + np.float32((86, 104, 58)) * moss
    colour *= (0.42 + 0.75 * np.sqrt(np.clip(1 - (across * 0.93 + 0.25) ** 2, 0, 1)))[..., None]
    bumps = np.interp(np.arange(height), np.linspace(0, height, 9), rng.uniform(0, 0.03, 9))[:, None]
    alpha = np.clip((1 - bumps - np.abs(across)) * width / 2, 0, 1)
    return np.clip(np.dstack([colour, alpha * 255]), 0, 255).astype(np.uint8)


def banded(rng: np.random.Generator) -> np.ndarray:
    """A blue skin with bent pale bands edged in dark, and freckles: (SKIN, SKIN, 3)."""
    y, x = np.mgrid[-1 : 1 : SKIN * 1j, -1 : 1 : SKIN * 1j].astype(np.float32)
    cloud = noise(rng, SKIN, SKIN, SKIN / 3, 8)
    picture = ramp(cloud, (16, 60, 146), (30, 108, 190), (84, 168, 216))
    bent = x + 0.22 * y * y + 0.10 * (cloud - 0.5)
    for middle, wide in ((-0.48, 0.11), (0.22, 0.14), (0.84, 0.08)):
        gap = np.abs(bent - middle)
        dark = np.clip((wide + 0.055 - gap) * 40, 0, 1)[..., None]
        pale = np.clip((wide - gap) * 40, 0, 1)[..., None]
        picture = picture * (1 - dark) + np.float32((22, 28, 48)) * dark
        picture = picture * (1 - pale) + ramp(cloud, (208, 204, 190), (242, 238, 222)) * pale
    for _ in range(26):
        spot = rng.uniform(0.1, 0.9, 2) * SKIN
        cv2.circle(picture, spot.astype(int).tolist(), int(rng.uniform(3, 7)), (18, 36, 84), -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
    return np.clip(picture * (0.9 + 0.2 * noise(rng, SKIN, SKIN, 24, 4))[..., None], 0, 255).astype(np.uint8)


def ball(rng: np.random.Generator, colour: tuple[int, int, int]) -> np.ndarray:
    """A skin of one colour with stripes of a darker tone of it: (SKIN, SKIN, 3)."""
    y, x = np.mgrid[-1 : 1 : SKIN * 1j, -1 : 1 : SKIN * 1j].astype(np.float32)
    cloud = noise(rng, SKIN, SKIN, SKIN / 3, 10)
    stripes = 0.5 + 0.5 * np.sin(9 * x + 3 * y * y + 2 * cloud)
    tone = 0.55 + 0.35 * cloud + 0.35 * stripes
    return np.clip(np.float32(colour) * tone[..., None], 0, 255).astype(np.uint8)

"""Training clips made of moving layers: a picture or a video, and objects cut out of other pictures before it.

What to draw is decided here on the CPU, in NumPy, for a whole batch; drawing it is the device's (render.py, damage.py).
"""

from dataclasses import dataclass

import numpy as np
import torch

from fastgan_core.data.bank import Bank
from fastgan_core.data.damage import blur, compress, noise, recolour
from fastgan_core.data.motion import bends, drift, matrices
from fastgan_core.data.render import Path, paste, sample, soft
from fastgan_core.settings import setting

SPRITES = 3  # layers before the base
NOBODY, OFF = -1, -2  # roles of a sprite that is no object to follow: drawn, and not drawn
VISIBLE = 0.003  # share of the view that an object must have in the reference to be followed
BASE_GRID, SPRITE_GRID = 5, 9  # control points of the bending, along each side


@dataclass
class Mix:
    """What clips are made of, as shares of clips and ranges."""

    whole: float = setting(0.4, "share of clips on stills whose base's own object is followed", 0, 1)
    second: float = setting(0.85, "share of clips with a second object to follow", 0, 1)
    alike: float = setting(0.3, "share of sprites that are the same object as another in the clip", 0, 1)
    loose: float = setting(0.5, "share of spare sprites that are drawn, as objects that nobody follows", 0, 1)
    away: float = setting(0.15, "share of sprites that are out of sight for a part of the clip", 0, 1)
    jump: float = setting(0.35, "share of clips whose reference is of another time than the frames that follow", 0, 1)
    view: list[float] = setting([0.6, 1.2], "side of the view, from and to, in shorter sides of the picture", 0.1, 4)
    motion: float = setting(1.0, "strength of all motion", 0, 5)
    bend: float = setting(1.0, "strength of all bending", 0, 5)
    colour: float = setting(1.0, "strength of colour changes", 0, 3)
    damage: float = setting(0.5, "share of clips with blur, noise or compression, each", 0, 1)


@dataclass
class Clips:
    """A batch of clips on the device; the first frame is the reference."""

    frames: torch.Tensor  # (B, T, 3, S, S) in [0, 1]
    masks: torch.Tensor  # (B, T, O, S, S), 0 or 1
    valid: torch.Tensor  # (B, O) bool, whether there is an object to follow
    drawn: torch.cuda.Event | None = None  # on a GPU, when they are there


@dataclass
class Motion:
    """Of a layer in each frame; every value ``(B, T)`` or broadcasts to it, ``move (B, T, 2)`` in half views."""

    move: np.ndarray
    angle: np.ndarray  # radians
    scale: np.ndarray
    stretch: np.ndarray
    flip: np.ndarray


class Synthesis:
    """Draws batches of clips from a bank.

    Args:
        weights: of the sets of stills; what is not named has 1.
        video: share of clips whose base is a video.
        seed: two with the same give the same clips on the same device.
    """

    def __init__(self, bank: Bank, mix: Mix, weights: dict[str, float], seed: int, video: float = 0.4):
        self.bank, self.mix, self.video = bank, mix, video
        self.rng = np.random.default_rng(seed)
        self.device = bank.pixels.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        rows = [bank.sets[name] for name in bank.sets]
        chances = [np.full(len(r), weights.get(name, 1.0) / len(r)) for name, r in zip(bank.sets, rows, strict=True)]
        self._stills = np.concatenate(rows)
        chances = np.concatenate(chances)
        self._chances = np.cumsum(chances / chances.sum())

    def draw(self, clips: int, frames: int, objects: int, size: int) -> Clips:
        """``clips`` clips of ``frames`` frames with up to ``objects`` objects, ``size`` pixels square."""
        rng, bank = self.rng, self.bank
        jump = rng.random(clips) < self.mix.jump
        bases = [self._base(frames, far) for far in jump]
        pictures, rows = (np.array(column) for column in zip(*bases, strict=True))
        sprites, roles = self._cast(rows[:, 0], objects)

        followed = rows[:, 0] >= 0
        pixels = self._pixels(pictures, np.where(followed, bank.objects.number[rows[:, 0]], 0))
        drawn = sample(
            pixels, self._extent(pictures[:, 0]), self._camera(pictures[:, 0], rows, frames), size, "reflection"
        )
        canvas = drawn[:, :, :3]
        masks = canvas.new_zeros(clips, frames, objects, size, size)
        valid = torch.zeros(clips, objects, dtype=torch.bool, device=self.device)
        valid[:, 0] = self._tensor(followed) > 0  # where the base has an object, it is the first
        masks[:, :, 0] = drawn[:, :, 3] * valid[:, 0].view(-1, 1, 1, 1)

        for row, role in zip(sprites.T, roles.T, strict=True):
            picture = bank.objects.picture[row]
            pixels = self._pixels(picture[:, None], bank.objects.number[row])[:, 0]
            path, shown = self._flight(row, frames, jump)
            drawn = sample(pixels, self._extent(picture), path, size, "zeros")
            alpha = soft(drawn[:, :, 3:]) * self._tensor(shown & (role > OFF)[:, None])[..., None, None, None]
            colour = recolour(drawn[:, :, :3], canvas.new_full((clips,), 0.7 * self.mix.colour), self.generator)
            canvas, masks = paste(canvas, masks, colour, alpha)
            for number in range(objects):
                mine = self._tensor(role == number)
                masks[:, :, number] += alpha[:, :, 0] * mine.view(-1, 1, 1, 1)
                valid[:, number] |= mine > 0
        masks = (masks > 0.5).to(canvas.dtype)
        valid &= masks[:, 0].mean(dim=(2, 3)) > VISIBLE
        return Clips(self._damaged(canvas), masks * valid[:, None, :, None, None], valid)

    def _still(self) -> int:
        return int(self._stills[min(np.searchsorted(self._chances, self.rng.random()), len(self._stills) - 1)])

    def _object(self) -> int:
        """A row of ``bank.objects``, by the weights of the sets."""
        return int(self.rng.choice(self.bank.rows_of(self._still())))

    def _base(self, frames: int, jump: bool) -> tuple[np.ndarray, tuple[int, int]]:
        """Pictures of each frame, and the rows of the object to follow in the first and the second; -1 = none."""
        rng, bank = self.rng, self.bank
        if bank.videos and rng.random() < self.video:
            # Long videos more often, but not by all their length.
            sizes = np.sqrt([len(video) for video in bank.videos])
            video = bank.videos[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
            stride = int(rng.choice([1, 2, 3, 5], p=[0.3, 0.3, 0.25, 0.15]))
            stride = max(1, min(stride, (len(video) - 1) // (frames - 1)))
            start = int(rng.integers(max(1, len(video) - stride * (frames - 1))))
            index = np.minimum(start + stride * np.arange(frames), len(video) - 1)
            index = index[::-1].copy() if rng.random() < 0.5 else index
            if jump:
                index[0] = rng.integers(len(video))
            pictures = video[index]
            rows = bank.rows_of(pictures[0])
            if not len(rows):
                return pictures, (-1, -1)
            row = int(rng.choice(rows))
            return pictures, (row, bank.row(pictures[1], bank.objects.number[row]))
        still = self._still()
        row = int(rng.choice(bank.rows_of(still))) if rng.random() < self.mix.whole else -1
        return np.full(frames, still), (row, row)

    def _cast(self, base: np.ndarray, objects: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of ``bank.objects`` of the sprites ``(B, SPRITES)``, and the object that each is."""
        rng, mix = self.rng, self.mix
        sprites, roles = np.empty((len(base), SPRITES), int), np.full((len(base), SPRITES), OFF)
        for clip, row in enumerate(base):
            free = list(range(1 if row >= 0 else 0, objects))
            wanted = [number for number in free if number == 0 or rng.random() < mix.second]
            parts = wanted[:SPRITES] + [NOBODY if rng.random() < mix.loose else OFF] * max(0, SPRITES - len(wanted))
            roles[clip] = rng.permutation(parts)
            known = [row] if row >= 0 else []
            for layer in range(SPRITES):
                again = known and rng.random() < mix.alike
                sprites[clip, layer] = rng.choice(known) if again else self._object()
                known.append(sprites[clip, layer])
        return sprites, roles

    def _camera(self, picture: np.ndarray, rows: np.ndarray, frames: int) -> Path:
        """Where a camera looks that has the object of ``rows (B, 2)``, if there is one, in its view."""
        rng, objects, clips = self.rng, self.bank.objects, len(picture)
        held = rows[:, 0] >= 0
        zoom = np.exp(rng.uniform(*np.log(self.mix.view), clips))
        reach = objects.reach[rows[:, 0]].max(axis=1)
        zoom = np.where(held, np.clip(zoom, 0.62 * reach, np.maximum(8 * reach, 0.3)), zoom)
        room = np.maximum(0, self.bank.extent[picture] - zoom[:, None])

        def looking_at(row: np.ndarray, aside: np.ndarray) -> np.ndarray:
            centre = np.where((row >= 0)[:, None], objects.centre[row], rng.uniform(-0.5, 0.5, (clips, 2)))
            return np.clip(centre + aside * zoom[:, None], -room, room)

        aside = rng.uniform(-0.45, 0.45, (clips, 2))
        first, rest = looking_at(rows[:, 0], aside), looking_at(rows[:, 1], aside)
        middle = np.where((np.arange(frames) > 0)[None, :, None], rest[:, None], first[:, None])
        motion = self._motion(frames, 0.03, clips)
        scale = zoom[:, None] * motion.scale
        shift = middle + scale[..., None] * np.clip(motion.move, -0.9, 0.9)
        bend = self.mix.bend * rng.uniform(0, 0.05, clips) * (rng.random(clips) < 0.7)
        turns = matrices(rng.normal(0, 0.12, clips)[:, None] + motion.angle, scale, motion.stretch, motion.flip)
        return self._path(turns, shift, bends(rng, frames, bend, BASE_GRID))

    def _flight(self, row: np.ndarray, frames: int, jump: np.ndarray) -> tuple[Path, np.ndarray]:
        """How cut out objects go through the view, and in which frames ``(B, T)`` they are there."""
        rng, objects, clips = self.rng, self.bank.objects, len(row)
        half = np.exp(rng.uniform(np.log(0.13), np.log(0.7), clips))  # the object's longer half side in the view
        motion = self._motion(frames, 0.05, clips)
        away = (jump[:, None] & (np.arange(frames) > 0))[..., None] * rng.normal(0, 0.3, (clips, 1, 2))
        place = np.clip(rng.uniform(-0.75, 0.75, (clips, 1, 2)) + motion.move + away, -1.3, 1.3)
        scale = (objects.reach[row].max(axis=1) / half)[:, None] * motion.scale
        turns = matrices(rng.normal(0, 0.25, clips)[:, None] + motion.angle, scale, motion.stretch, motion.flip)
        shift = objects.centre[row][:, None] - np.einsum("btij,btj->bti", turns, place)
        bend = bends(rng, frames, self.mix.bend * rng.uniform(0, 0.14, clips) * half, SPRITE_GRID)
        shown = np.ones((clips, frames), bool)
        for clip in np.flatnonzero(rng.random(clips) < self.mix.away):
            first = rng.integers(1, frames)
            shown[clip, first : rng.integers(first, frames) + 1] = False
        return self._path(turns, shift, bend), shown

    def _motion(self, frames: int, usual: float, clips: int) -> Motion:
        speed = self.mix.motion * np.exp(self.rng.normal(np.log(usual), 0.8, clips))
        grow = drift(self.rng, frames, 0.6 * speed, 1)[..., 0]
        return Motion(
            move=drift(self.rng, frames, speed, 2),
            angle=drift(self.rng, frames, speed, 1)[..., 0],
            scale=np.exp(np.clip(grow, -0.7, 0.7)),
            stretch=np.exp(self.rng.normal(0, 0.1, (clips, 1))),
            flip=self.rng.choice([-1.0, 1.0], (clips, 1)),
        )

    def _damaged(self, frames: torch.Tensor) -> torch.Tensor:
        rng, clips, share = self.rng, len(frames), self.mix.damage
        frames = recolour(frames, self._tensor(self.mix.colour * rng.uniform(0, 1.3, clips)), self.generator)
        blurred = rng.random(clips) < share
        length = rng.exponential(3, clips).clip(0, 9) * blurred * (rng.random(clips) < 0.5)
        width = rng.exponential(0.6, clips).clip(0, 2) * blurred
        frames = blur(frames, *map(self._tensor, (length, width, rng.uniform(0, np.pi, clips))))
        frames = noise(frames, self._tensor(rng.exponential(0.02, clips) * (rng.random(clips) < share)), self.generator)
        return compress(frames, self._tensor(rng.exponential(0.8, clips).clip(0, 4) * (rng.random(clips) < share)))

    def _pixels(self, pictures: np.ndarray, number: np.ndarray) -> torch.Tensor:
        """``(B, T, 4, S, S) float`` of pictures ``(B, T)``: RGB and the mask of the object with id ``number (B,)``."""
        pixels = self.bank.pixels[self._uploaded(pictures)]
        number = self._tensor(number).view(-1, 1, 1, 1)
        mask = (pixels[:, :, 3] == number) & (number > 0)
        return torch.cat([pixels[:, :, :3].float() / 255, mask[:, :, None].float()], dim=2)

    def _extent(self, pictures: np.ndarray) -> torch.Tensor:
        return self._tensor(self.bank.extent[pictures])

    def _path(self, turn: np.ndarray, shift: np.ndarray, bend: np.ndarray) -> Path:
        return Path(self._tensor(turn), self._tensor(shift), self._tensor(bend))

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return self._uploaded(np.asarray(values, np.float32))

    def _uploaded(self, values: np.ndarray) -> torch.Tensor:
        """On the device, without waiting for it."""
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

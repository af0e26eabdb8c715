"""A clip as it is put together: a video or a moving still, objects of other stills behind it and before it."""

from dataclasses import dataclass

import cv2
import numpy as np

from fastgan_core.data import augment
from fastgan_core.data.folders import Pair, Sequence
from fastgan_core.errors import FastganError
from fastgan_core.settings import setting

REFERENCE, PREVIOUS = 0, 1  # time points of a clip before its K target frames


@dataclass
class Layers:
    """A clip while it is composed: time points ``REFERENCE, PREVIOUS, 1 .. K``."""

    frames: list[np.ndarray]  # (S, S, 3) uint8
    masks: list[np.ndarray]  # (S, S) float32 in [0, 1]
    kind: int | None = None  # number of the set of stills that the object is from
    rival: list[np.ndarray] | None = None  # masks of the object that passes behind it, what is seen of that

    def hide(self, time: int, cover: np.ndarray | float) -> None:
        """Take from all masks of a time point what is covered, 0 to 1 of each pixel."""
        for masks in filter(None, (self.masks, self.rival)):
            masks[time] = masks[time] * (1 - cover)


@dataclass(kw_only=True)
class ClipOptions:
    """How clips are drawn and changed. The paper's are zoom, degrees, the flip and the random reference."""

    video_share: float = setting(0.45, "share of clips from videos where there are stills too", 0, 1)
    zoom: list[float] = setting([0.75, 1.25], "random scale, from and to; 1 = the picture's shorter side fits", 0.1, 10)
    degrees: float = setting(30.0, "random rotation, up to this to each side", 0, 180)
    shake: float = setting(0.0, "strength of a camera motion added to videos; 1 = that of moving stills", 0, 5)
    colour: float = setting(0.0, "strength of colour changes, blur and noise; 1 = gain 25 %", 0, 3)
    stretch: float = setting(0.0, "random change of the aspect, standard deviation of its logarithm", 0, 0.5)
    start_at_reference: float = setting(0.0, "share of clips whose reference is the frame before the targets", 0, 1)
    rough: float = setting(0.0, "share of clips that start from a mask that is wrong on purpose", 0, 1)
    distractors: float = setting(0.0, "share of clips in which a still's object passes behind the target", 0, 1)
    occluders: float = setting(0.0, "share of clips in which a still's object passes before the target", 0, 1)
    absent: float = setting(0.0, "share of clips in which all objects are out of sight for some of the frames", 0, 1)
    skip_broken: bool = setting(False, "leave out files that are missing or broken, and count them, instead of ending")


class Composer:
    """Puts clips together from videos and from stills.

    A still becomes a clip as its object (on its own or on another picture, or pasted into a
    video) moves, turns and bends smoothly over time. Other objects pass behind and before it.

    Args:
        sequences: annotated videos; may be empty.
        stills: ``(pairs, weight)`` for each set of stills; may be empty.
        size: side of the clips, pixels.
        count: time points of a clip.
    """

    def __init__(
        self,
        sequences: list[Sequence],
        stills: list[tuple[list[Pair], float]],
        size: int,
        count: int,
        options: ClipOptions,
    ):
        self.sequences, self.size, self.count, self.options = sequences, size, count, options
        self.still_sets = [pairs for pairs, _ in stills]
        weights = np.array([weight for _, weight in stills], float)
        self.still_weights = weights / weights.sum() if len(weights) else weights

    def compose(self, rng: np.random.Generator) -> Layers:
        """The next clip that a generator leads to."""
        share = self.options.video_share if self.still_sets else 1.0
        clip = self._video(rng) if self.sequences and rng.random() < share else self._still(rng)
        if self.still_sets and rng.random() < self.options.distractors:
            self._distract(rng, clip)
        if self.still_sets and rng.random() < self.options.occluders:
            self._occlude(rng, clip)
        if self.still_sets and rng.random() < self.options.absent:
            (self._look_away if rng.random() < 0.5 else self._cover)(rng, clip)
        return clip

    def _pick_set(self, rng: np.random.Generator) -> int:
        return int(rng.choice(len(self.still_sets), p=self.still_weights))

    def _pick_still(self, rng: np.random.Generator, among: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """A picture and the float mask of one object in it that is neither tiny nor everything.

        ``among``: number of the set that it is taken from; None = any set.
        """
        for _ in range(1000):
            pairs = self.still_sets[self._pick_set(rng) if among is None else among]
            image, labels = pairs[rng.integers(len(pairs))].load()
            areas = np.bincount(labels.ravel()) / labels.size
            ids = [i for i in range(1, len(areas)) if 0.008 < areas[i] < 0.75]
            if ids:
                return image, (labels == rng.choice(ids)).astype(np.float32)
        raise FastganError("stills: hardly any object covers between 0.8 % and 75 % of its picture; use other sets")

    def _view(self, rng: np.random.Generator, mask: np.ndarray) -> augment.Matrix:
        return augment.view(rng, mask, self.size, self.options.zoom, self.options.degrees, self.options.stretch)

    def _video(self, rng: np.random.Generator) -> Layers:
        sequence = self.sequences[rng.integers(len(self.sequences))]
        targets = self.count - 1
        stride = int(min(rng.integers(1, 5), (len(sequence) - 1) // targets))
        start = int(rng.integers(0, len(sequence) - targets * max(stride, 1) + 1)) if stride else 0
        number = int(rng.choice(list(sequence.starts)))
        index = [min(start + i * stride, len(sequence) - 1) for i in range(targets)]
        if rng.random() < 0.5:
            index.reverse()
        loaded = [sequence.frames[i].load() for i in [int(rng.integers(len(sequence))), *index]]
        if not (loaded[REFERENCE][1] == number).any():
            loaded[REFERENCE] = sequence.frames[sequence.starts[number]].load()
        masks = [(labels == number).astype(np.float32) for _, labels in loaded]
        base = self._view(rng, masks[PREVIOUS])
        shake = augment.drift(rng, self.count, self.size, self.options.shake)
        # The reference may lie far off; it gets a view of its own so that the object is in it.
        views = [self._view(rng, masks[REFERENCE])]
        views += [augment.compose(s, base) for s in shake[1:]]
        frames = [augment.warp(image, m, self.size) for (image, _), m in zip(loaded, views, strict=True)]
        masks = [augment.warp(mask, m, self.size, cv2.BORDER_REFLECT_101) for mask, m in zip(masks, views, strict=True)]
        return Layers(frames, masks)

    def _still(self, rng: np.random.Generator) -> Layers:
        kind = self._pick_set(rng)
        if rng.random() < 0.3:  # the whole picture moves, as before a moving camera
            image, mask = self._pick_still(rng, kind)
            base = self._view(rng, mask)
            motion = augment.drift(rng, self.count, self.size, strength=1.0)
            fields = augment.elastic_fields(rng, self.count, self.size, rng.uniform(0, 0.02))
            frames, masks = [], []
            for move, field in zip(motion, fields, strict=True):
                matrix = augment.compose(move, base)
                frames.append(augment.bend(augment.warp(image, matrix, self.size), field))
                masks.append(augment.bend(augment.warp(mask, matrix, self.size), field))
            return Layers(frames, masks, kind)
        clip = self._backdrop(rng)
        away = self._absence(rng) if rng.random() < 0.08 else range(0)
        clip.masks = self._paste(rng, clip.frames, share=(0.15, 0.65), behind=None, kind=kind, away=away)
        clip.kind = kind
        return clip

    def _absence(self, rng: np.random.Generator) -> range:
        """Time points at which an object is out of sight; the reference always shows it."""
        first = int(rng.integers(PREVIOUS, self.count))
        return range(first, int(rng.integers(first + 1, self.count + 1)))

    def _backdrop(self, rng: np.random.Generator) -> Layers:
        if self.sequences and rng.random() < 0.3:
            return self._video(rng)
        image, mask = self._pick_still(rng)
        base = augment.view(rng, np.ones_like(mask), self.size, zoom=(1.0, 2.0), stretch=0.06)
        motion = augment.drift(rng, self.count, self.size, strength=0.7)
        return Layers([augment.warp(image, augment.compose(m, base), self.size) for m in motion], [])

    def _paste(
        self,
        rng: np.random.Generator,
        frames: list[np.ndarray],
        share: tuple[float, float],
        behind: list[np.ndarray] | None,
        strength: float = 1.0,
        kind: int | None = None,
        away: range = range(0),
    ) -> list[np.ndarray]:
        """Paste a moving, bending object into ``frames``, in place, and return its masks.

        ``share``: range of the object's longer side relative to the view. ``behind``: masks that cover it.
        ``kind``: set of stills that it is from. ``away``: time points at which it has left the view.
        """
        image, mask = self._pick_still(rng, kind)
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        scale = self.size * rng.uniform(*share) / max(w, h)
        stretch, flip = np.exp(rng.normal(0, 0.1)), rng.choice([-1.0, 1.0])
        to = self.size * rng.uniform(0.15, 0.85, 2)
        base = augment.similarity(
            (x + w / 2, y + h / 2), (flip * scale * stretch, scale / stretch), rng.normal(0, 0.2), to
        )
        motion = augment.drift(rng, len(frames), self.size, strength)
        fields = augment.elastic_fields(rng, len(frames), self.size, rng.uniform(0, 0.04))
        colour = augment.Colour(rng, 0.5)
        image = colour(image)
        masks = []
        for t, (move, field) in enumerate(zip(motion, fields, strict=True)):
            if t in away:
                masks.append(np.zeros((self.size, self.size), np.float32))
                continue
            matrix = augment.compose(move, base)
            sprite = augment.bend(augment.warp(image, matrix, self.size), field)
            alpha = augment.bend(augment.warp(mask, matrix, self.size, cv2.BORDER_CONSTANT), field, cv2.BORDER_CONSTANT)
            alpha = np.clip(cv2.GaussianBlur(alpha, (0, 0), 0.8), 0, 1)
            if behind is not None:
                alpha = alpha * (1 - behind[t])
            frames[t] = cv2.blendLinear(frames[t], sprite, 1 - alpha, alpha)
            masks.append(alpha)
        return masks

    def _distract(self, rng: np.random.Generator, clip: Layers) -> None:
        """Another object passes behind the target; half of the time one of the target's kind."""
        kind = clip.kind if rng.random() < 0.5 else None
        clip.rival = self._paste(rng, clip.frames, share=(0.15, 0.6), behind=clip.masks, kind=kind)

    def _occlude(self, rng: np.random.Generator, clip: Layers) -> None:
        """Another object passes before the target; the reference stays in full view."""
        frames = clip.frames[PREVIOUS:]
        cover = self._paste(rng, frames, share=(0.1, 0.5), behind=None, strength=1.5)
        clip.frames[PREVIOUS:] = frames
        for t, covered in enumerate(cover, PREVIOUS):
            clip.hide(t, covered)

    def _look_away(self, rng: np.random.Generator, clip: Layers) -> None:
        """For some frames the camera shows another place."""
        elsewhere = self._backdrop(rng).frames
        for t in self._absence(rng):
            clip.frames[t] = elsewhere[t]
            clip.hide(t, 1.0)

    def _cover(self, rng: np.random.Generator, clip: Layers) -> None:
        """For some frames something larger, with the texture of another picture, moves along before the target."""
        away = self._absence(rng)
        boxes = [cv2.boundingRect((clip.masks[t] > 0).astype(np.uint8)) for t in away]
        size = [int(rng.uniform(1.1, 1.6) * max(box[k] for box in boxes)) + 2 for k in (2, 3)]
        texture = cv2.resize(self._pick_still(rng)[0], size, interpolation=cv2.INTER_AREA)
        for t, (x, y, w, h) in zip(away, boxes, strict=True):
            move = np.array([[1, 0, x + w / 2 - size[0] / 2], [0, 1, y + h / 2 - size[1] / 2]])
            cover = augment.warp(np.ones(size[::-1], np.float32), move, self.size, cv2.BORDER_CONSTANT)
            clip.frames[t] = cv2.blendLinear(clip.frames[t], augment.warp(texture, move, self.size), 1 - cover, cover)
            clip.hide(t, cover)

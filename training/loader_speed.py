"""How fast the loader of a recipe makes clips, on its own.

python training/loader_speed.py training/configs/adversarial_davis_resnet18.yaml

To compare with ``clips_per_second`` in a run's log: the loader must be faster than the training step.
"""

import argparse
import time
from pathlib import Path

import cv2
import torch

from fastgan_core.data.clips import ClipDataset
from fastgan_core.data.loader import load_clips
from fastgan_core.errors import in_words
from fastgan_core.training.datasets import load_data
from fastgan_core.training.reading import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    parser.add_argument("--clips", type=int, default=100, help="how many to time, for each phase")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with in_words("loader_speed"):
        recipe = load_recipe(args.recipe, args.set)
        data = load_data(recipe)
        for phase in recipe.phases:
            warm = max(phase.batch, 2)
            count = warm + args.clips
            clips = ClipDataset(data.sequences, data.stills, phase.size, phase.frames, length=count, options=recipe)
            loader = load_clips(clips, list(range(count)), 1, recipe.workers)
            for _ in range(warm):
                next(loader)
            start = time.perf_counter()
            for _ in range(args.clips):
                next(loader)
            rate = args.clips / (time.perf_counter() - start)
            print(
                f"{phase.size} pixels, {phase.frames} frames: {rate:.1f} clips a second, "
                f"{rate * (phase.frames + 2):.0f} pictures a second, {recipe.workers} workers"
            )


if __name__ == "__main__":
    main()

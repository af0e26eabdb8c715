"""``fastgan train``."""

import argparse
import sys
from pathlib import Path

from fastgan_core.commands.options import DEVICE_HELP


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML file, see training/configs")
    parser.add_argument(
        "--output", type=Path, help="run folder, default runs/RECIPE; an interrupted run goes on from it"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value; phases.0.steps=9"
    )
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)


def run(args: argparse.Namespace) -> None:
    """Train the regressor as a recipe says. ``torchrun training/train.py`` does it in several processes."""
    from fastgan_core.training.distributed import processes
    from fastgan_core.training.lite.recipe import LiteRecipe
    from fastgan_core.training.lite.trainer import LiteTrainer
    from fastgan_core.training.reading import load_recipe
    from fastgan_core.training.trainer import Trainer

    recipe, output = load_recipe(args.recipe, args.set), args.output or Path("runs") / args.recipe.stem
    trainer = LiteTrainer if isinstance(recipe, LiteRecipe) else Trainer
    try:
        with processes(args.device) as device:
            trainer(recipe, output, device).run()
    except KeyboardInterrupt:
        print(f"the same command goes on from the last checkpoint in {output}, if there is one yet", file=sys.stderr)
        raise

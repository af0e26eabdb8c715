"""The recipes that ship, and what the documentation says of them."""

import json
import re
from pathlib import Path

import pytest
import torch
from footage import picture

from fastgan_core.data.composing import ClipOptions
from fastgan_core.data.packs import encode, write_pack
from fastgan_core.training.lite.recipe import LiteRecipe, Stretch
from fastgan_core.training.lite.trainer import LiteTrainer
from fastgan_core.training.reading import load_recipe
from fastgan_core.training.recipe import Phase, Recipe, table
from fastgan_core.training.trainer import Trainer

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "training/configs").glob("*.yaml"))
OF_LITE = [path for path in CONFIGS if "pretrain_lite" in path.stem]  # with a loop of their own
IN_STAGES = [path for path in CONFIGS if path not in OF_LITE]


@pytest.mark.parametrize("path", IN_STAGES, ids=lambda path: path.stem)
def test_every_recipe_takes_a_step_in_small(path, davis, youtube_vos, stills, tmp_path):
    whole = load_recipe(path)
    places = {"davis": davis, "youtube_vos": youtube_vos, "stills_root": stills}
    changes = {key: str(place) for key, place in places.items() if getattr(whole, key)}
    changes |= {"stills": {"shapes": 1}} if whole.stills else {}
    changes |= {"phases": [{"size": 64, "batch": 1, "steps": 1, "frames": 2}], "critic_width": 4, "validate": ""}
    changes |= {"init": "", "backbone": "", "workers": 0, "preload": 0, "precision": "fp32"}
    recipe = load_recipe(path, [f"{key}={json.dumps(value)}" for key, value in changes.items()])
    run = Trainer(recipe, tmp_path / "run", torch.device("cpu"))
    measures, _ = run.train_step(iter(run.batches()).__next__)
    assert torch.isfinite(measures["loss"])
    assert ("temporal/distance" in measures) == path.stem.startswith("adversarial")


@pytest.mark.parametrize("path", OF_LITE, ids=lambda path: path.stem)
def test_every_recipe_of_lite_takes_a_step_in_small(path, tmp_path):
    write_pack(tmp_path / "packs", "few", [encode(*picture(n), 64, 90) for n in range(3)])
    changes = {"packs": [str(tmp_path / "packs")], "init": "", "backbone": "", "budget": 0.01, "side": 32}
    stretch = {"until": 1.0, "size": 32, "clips": 1, "frames": 2, "objects": 1}
    changes |= {"weights": {}, "stretches": [stretch], "precision": "fp32"}
    recipe = load_recipe(path, [f"{key}={json.dumps(value)}" for key, value in changes.items()])
    run = LiteTrainer(recipe, tmp_path / "run", torch.device("cpu"))
    run.run()
    assert run.step > 0


def test_the_papers_numbers():
    """Section 5."""
    for name, epochs in (("pretrain_youtube_vos_resnet50", 6), ("adversarial_davis_resnet50", 40)):
        recipe = load_recipe(ROOT / f"training/configs/{name}.yaml")
        (phase,) = recipe.phases
        assert (phase.epochs, phase.size, phase.batch, phase.frames) == (epochs, 512, 6, 4)
        assert (recipe.optimizer, recipe.lr, recipe.encoder_lr, recipe.betas) == ("adam", 1e-5, 1e-5, [0.5, 0.999])
        assert (recipe.schedule, recipe.power, recipe.zoom, recipe.degrees) == ("polynomial", 0.9, [0.75, 1.25], 30)
        assert (recipe.balance, recipe.dice) == (1, 0)
    weights = (recipe.lambda_ce, recipe.lambda_s, recipe.lambda_t, recipe.lambda_gp)
    assert weights == (100, 1, 1, 10)
    assert (recipe.critic_steps, recipe.uncertainty, recipe.truth_noise) == (5, 0.25, 1)
    assert recipe.constant * phase.epochs == 10


def test_the_documentation_lists_all_keys_as_they_are():
    text = (ROOT / "docs/training.md").read_text()
    assert table((Recipe, ""), (Phase, "phases[].")) in text
    assert table((LiteRecipe, ""), (Stretch, "stretches[]."), (ClipOptions, "composed.")) in text


def test_every_recipe_is_in_the_documentation():
    named = re.findall(r"\| `((?:pretrain|adversarial|finetune)_\w+)` \|", (ROOT / "docs/training.md").read_text())
    assert sorted(named) == [path.stem for path in CONFIGS]


def test_no_figure_is_still_to_be_filled_in():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        assert not re.findall(r"@[A-Z0-9]+@", page.read_text()), page

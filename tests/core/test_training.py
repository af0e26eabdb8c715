import json

import pytest
import torch
from safetensors.torch import load_file

from fastgan_core.errors import FastganError
from fastgan_core.training.recipe import from_dict, load_recipe
from fastgan_core.training.trainer import Trainer, unroll
from fastgan_core.weights import load_weights


@pytest.fixture
def values(davis, stills):
    return {
        "davis": str(davis),
        "stills_root": str(stills),
        "stills": {"shapes": 1},
        "phases": [
            {"steps": 2, "size": 32, "batch": 2, "frames": 2},
            {"steps": 2, "size": 64, "batch": 1, "frames": 3},
        ],
        "precision": "fp32",
        "workers": 0,
        "warmup": 1,
        "save_every": 1,
        "dice": 1,
    }


def test_a_stopped_run_goes_on_as_if_it_had_not_been(values, tmp_path):
    recipe = from_dict(values)
    Trainer(recipe, tmp_path / "whole").run()
    first = Trainer(recipe, tmp_path / "parts")
    for batch in first.batches():
        first.train_step(batch)
        if first.step == 3:  # in the middle of the second phase
            first.save()
            break
    second = Trainer(recipe, tmp_path / "parts")
    assert second.step == 3
    second.run()
    whole, parts = (load_file(tmp_path / run / "state.safetensors") for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-5, atol=1e-6, msg=name)


def test_a_run_is_one_recipe(values, tmp_path):
    Trainer(from_dict(values), tmp_path).save()
    with pytest.raises(FastganError, match=r"another recipe \(lr differ"):
        Trainer(from_dict(values | {"lr": 0.5}), tmp_path)
    Trainer(from_dict(values | {"workers": 1}), tmp_path)  # changes no result
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(FastganError, match="damaged"):
        Trainer(from_dict(values), tmp_path)


def test_batchnorm_is_frozen_only_where_it_has_learnt_something(values, tmp_path):
    assert not Trainer(from_dict(values), tmp_path / "scratch").model.frozen_batchnorm
    Trainer(from_dict(values), tmp_path / "run").save()
    values |= {"init": str(tmp_path / "run" / "weights.safetensors")}
    assert Trainer(from_dict(values), tmp_path / "tuned").model.frozen_batchnorm


def test_a_backbone_that_is_none(values, tmp_path):
    with pytest.raises(FastganError, match=r"training/backbone\.py"):
        Trainer(from_dict(values | {"backbone": "none.safetensors"}), tmp_path)


def test_the_run_folder_says_how_it_was_made_and_holds_weights(values, tmp_path):
    recipe = from_dict(values)
    Trainer(recipe, tmp_path).run()
    assert json.loads((tmp_path / "recipe.json").read_text())["phases"][1]["size"] == 64
    _, info = load_weights(tmp_path / "weights.safetensors")
    assert info.recipe["trained_steps"] == 4
    assert info.recipe["davis_split"] == "train"


def test_training_lowers_the_loss(values, tmp_path):
    values |= {"phases": [{"steps": 12, "size": 64, "batch": 2, "frames": 2}], "save_every": 1000, "ema": 0.0}
    trainer = Trainer(from_dict(values), tmp_path)
    batch = next(iter(trainer.batches()))
    losses = [trainer.train_step(batch) for _ in range(12)]
    assert min(losses[-3:]) < 0.8 * losses[0]


def test_the_gradient_of_a_late_frame_reaches_the_first_mask(model):
    frames, reference = torch.rand(1, 4, 3, 64, 64), torch.ones(1, 1, 64, 64)
    previous = torch.full((1, 1, 64, 64), 0.5, requires_grad=True)
    logits = unroll(model, frames, reference, previous)
    assert logits.shape == (1, 3, 1, 64, 64)
    logits[:, -1].sum().backward()
    assert previous.grad.abs().sum() > 0


def test_the_rate_rises_and_falls(values, tmp_path):
    values |= {"phases": [{"steps": 100, "size": 32, "batch": 1}], "warmup": 10}
    for schedule in ("cosine", "polynomial"):
        trainer = Trainer(from_dict(values | {"schedule": schedule}), tmp_path / schedule)
        rates = [trainer.rate(step) for step in range(100)]
        assert max(rates) == rates[9] == pytest.approx(1, abs=0.02)
        assert rates[99] < 0.02


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 1}, "unknown key 'learning_rate'"),
        ({"schedul": "cosine"}, "did you mean 'schedule'"),
        ({"schedule": "steps"}, "choose one of cosine"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"warmup": True}, "warmup is True"),
        ({"stills": {"shapes": "much"}}, r"not of type dict\[str, float\]"),
        ({"betas": 0.9}, r"not of type list\[float\]"),
        ({"phases": []}, "at least one phase"),
        ({"save_every": 0}, "save_every is 0"),
        ({"stills": {2017: 1}}, r"not of type dict"),
        ({"betas": [0.9]}, "betas"),
        ({"seed": -1}, "seed is -1"),
        ({"davis": "", "stills": {"shapes": 0}}, "weights over 0"),
        ({"phases": [3]}, "expected keys and values, got int"),
        ({"phases": [{"steps": 1, "size": 50, "batch": 1}]}, "multiple of 32"),
        ({"phases": [{"steps": 1, "batch": 1}]}, "size"),
        ({"davis": "", "stills": {}}, "no data"),
        ({"davis_split": "nowhere"}, "nowhere"),
        ({"stills": {"nothing": 1}}, "nothing"),
    ],
)
def test_recipes_that_cannot_be(values, tmp_path, change, words):
    with pytest.raises(FastganError, match=words):
        Trainer(from_dict(values | change), tmp_path)


def test_recipes_from_files(values, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    assert load_recipe(path, ["lr=0.5", "schedule=polynomial"]).lr == 0.5
    assert load_recipe(path, ["lr=6e-4"]).lr == 6e-4
    with pytest.raises(FastganError, match="key=value"):
        load_recipe(path, ["lr"])
    with pytest.raises(FastganError, match="no such recipe"):
        load_recipe(tmp_path / "none.yaml")
    path.write_text("a: [")
    with pytest.raises(FastganError, match="not valid YAML"):
        load_recipe(path)

import json
import shutil

import pytest
import torch
import yaml

from fastgan_core.errors import FastganError
from fastgan_core.running import device
from fastgan_core.running.weights import load_weights
from fastgan_core.training.reading import from_dict, load_recipe
from fastgan_core.training.stages import unroll
from fastgan_core.training.trainer import Trainer

CPU = torch.device("cpu")


def trainer(values: dict, folder) -> Trainer:
    return Trainer(from_dict(values), folder, CPU)


def draws(run: Trainer):
    return iter(run.batches()).__next__


def test_a_run_folder_is_whole(values, tmp_path):
    run = trainer(values | {"validate": "brief", "pictures_every": 2}, tmp_path)
    run.run()
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["phases"][1]["size"] == 64
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["data"][f"{values['davis']} train"]["pictures"] == 16
    assert about["sessions"][0]["code"] != "unknown"
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"loss", "cross_entropy", "dice", "gradient_norm", "rate", "waiting", "clips_per_second"} <= lines[0].keys()
    assert 0 <= lines[-1]["validation/J&F-Mean"] <= 1
    _, info = load_weights(tmp_path / "weights.safetensors")
    assert info.recipe["trained_steps"] == 4
    assert info.recipe["davis_split"] == "train"
    assert load_weights(tmp_path / "best.safetensors")[1].recipe["trained_steps"] == 4
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_lite_meets_the_critics_too(values, tmp_path):
    values |= {"variant": "lite", "stage": "adversarial", "critic_steps": 2, "critic_width": 4, "validate": "brief"}
    values |= {"phases": [{"steps": 2, "size": 64, "batch": 2, "frames": 2}]}
    values |= {"rough": 0.0, "critic_lr": 1e-3, "ema": 0.5}
    run = trainer(values, tmp_path)
    moved = {"regressor": run.stage.model, **run.stage.critics}
    before = {name: [p.clone() for p in part.parameters()] for name, part in moved.items()}
    run.run()
    for name, part in moved.items():
        changed = [not torch.equal(p, q) for p, q in zip(part.parameters(), before[name], strict=True)]
        assert sum(changed) > 0.9 * len(changed), name
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"spatial/distance", "temporal/distance", "temporal/regressor", "cross_entropy"} <= lines[0].keys()
    assert 0 <= lines[-1]["validation/J&F-Mean"] <= 1
    assert load_weights(tmp_path / "weights.safetensors")[1].variant == "lite"
    for key, value in (("checkpointing", True), ("rough", 0.5)):
        with pytest.raises(FastganError, match=key):
            from_dict(values | {key: value})


def test_a_recipe_that_was_stored_can_be_run_again(values, tmp_path):
    trainer(values | {"phases": [{"epochs": 0.5, "size": 32, "batch": 2}]}, tmp_path / "first")
    again = load_recipe(tmp_path / "first/recipe.yaml")
    assert again == Trainer(again, tmp_path / "second", CPU).recipe


def test_a_run_is_one_recipe(values, tmp_path):
    trainer(values, tmp_path).save()
    with pytest.raises(FastganError, match=r"another recipe \(lr differ"):
        trainer(values | {"lr": 0.5}, tmp_path)
    trainer(values | {"workers": 1}, tmp_path)  # changes no result
    about = json.loads((tmp_path / "about.json").read_text())
    about["data"][f"{values['davis']} train"]["pictures"] += 1
    (tmp_path / "about.json").write_text(json.dumps(about))
    with pytest.raises(FastganError, match=r"is not what .* began with"):
        trainer(values, tmp_path)
    about["data"][f"{values['davis']} train"]["pictures"] -= 1
    (tmp_path / "about.json").write_text(json.dumps(about))
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(FastganError, match="damaged"):
        trainer(values, tmp_path)
    (tmp_path / "recipe.yaml").write_text("- nonsense")
    with pytest.raises(FastganError, match=r"recipe\.yaml: cannot be read"):
        trainer(values, tmp_path)


@pytest.mark.parametrize(("computes", "precision"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_is_decided_where_the_run_begins(values, tmp_path, monkeypatch, capsys, computes, precision):
    values |= {"precision": "auto", "phases": [{"steps": 2, "size": 32, "batch": 2, "frames": 1}]}
    monkeypatch.setattr(device, "computes_bf16", lambda _: computes)
    run = trainer(values, tmp_path)
    run.train_step(draws(run))
    run.save()
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["precision"] == precision
    assert load_weights(tmp_path / "weights.safetensors")[1].recipe["precision"] == precision
    # It goes on as it began, on a machine of the other kind too.
    monkeypatch.setattr(device, "computes_bf16", lambda _: not computes)
    assert "no instructions for bf16" not in capsys.readouterr().out
    assert trainer(values, tmp_path).recipe.precision == precision
    assert ("no instructions for bf16" in capsys.readouterr().out) == (precision == "bf16")
    other = {"bf16": "fp32", "fp32": "bf16"}[precision]
    with pytest.raises(FastganError, match=r"another recipe \(precision differ"):
        trainer(values | {"precision": other}, tmp_path)


def test_without_an_average_the_weights_are_the_newest(values, tmp_path):
    first = trainer(values | {"ema": 0.0}, tmp_path)
    first.train_step(draws(first))
    first.save()
    second = trainer(values | {"ema": 0.0}, tmp_path)
    assert second.step == 1
    for a, b in zip(first.stage.model.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_validation_needs_frames_that_count(values, davis, tmp_path):
    root = shutil.copytree(davis, tmp_path / "davis")
    (root / "ImageSets/480p/short.txt").write_text("alpha\n")
    for image in sorted((root / "JPEGImages/480p/alpha").iterdir())[2:]:
        image.unlink()
    with pytest.raises(FastganError, match="no frame between first and last"):
        trainer(values | {"davis": str(root), "validate": "short"}, tmp_path / "run")


def test_batchnorm_is_frozen_only_where_it_has_learnt_something(values, tmp_path):
    scratch = trainer(values, tmp_path / "run")
    assert not scratch.stage.model.frozen_batchnorm
    scratch.save()
    values |= {"init": str(tmp_path / "run" / "weights.safetensors")}
    assert trainer(values, tmp_path / "tuned").stage.model.frozen_batchnorm


def test_training_lowers_the_loss(values, tmp_path):
    values |= {"phases": [{"steps": 12, "size": 64, "batch": 2, "frames": 2}], "ema": 0.0}
    run = trainer(values, tmp_path)
    batch = draws(run)()
    losses = [run.train_step(lambda: batch)[0]["loss"].item() for _ in range(12)]
    assert min(losses[-3:]) < 0.8 * losses[0]


def test_the_gradient_of_a_late_frame_reaches_the_first_mask(model):
    frames, reference = torch.rand(1, 4, 3, 64, 64), torch.ones(1, 1, 64, 64)
    previous = torch.full((1, 1, 64, 64), 0.5, requires_grad=True)
    logits = unroll(model, frames, reference, previous)
    assert logits.shape == (1, 3, 1, 64, 64)
    logits[:, -1].sum().backward()
    assert previous.grad.abs().sum() > 0


def test_checkpointing_changes_memory_and_nothing_else(values, tmp_path):
    plain, thrifty = (trainer(values | {"checkpointing": c}, tmp_path / str(c)) for c in (False, True))
    batch = draws(plain)()
    losses = [run.train_step(lambda: batch)[0]["loss"] for run in (plain, thrifty)]
    torch.testing.assert_close(*losses)
    for a, b in zip(plain.stage.model.parameters(), thrifty.stage.model.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_the_rate_rises_stays_and_falls(values, tmp_path):
    values |= {"phases": [{"steps": 100, "size": 32, "batch": 1}], "warmup": 10}
    for schedule in ("cosine", "polynomial"):
        run = trainer(values | {"schedule": schedule}, tmp_path / schedule)
        rates = [run.rate(step) for step in range(100)]
        assert max(rates) == rates[9] == pytest.approx(1, abs=0.02)
        assert rates[99] < 0.02
    # The paper's second stage: 40 epochs, constant over the first 10, then polynomial with power 0.9.
    run = trainer(values | {"schedule": "polynomial", "constant": 0.25, "warmup": 0}, tmp_path / "paper")
    assert [run.rate(step) for step in (0, 24, 25)] == [1, 1, 1]
    assert run.rate(70) == pytest.approx((30 / 75) ** 0.9)


def test_epochs_become_steps(values, tmp_path):
    values |= {"phases": [{"epochs": 2, "size": 32, "batch": 3}]}
    run = trainer(values, tmp_path)
    assert run.data.pictures == 16 + 6  # annotated frames, stills
    assert run.recipe.phases[0].steps == 15  # 2 * 22 / 3, rounded up
    values |= {"stage": "adversarial", "critic_steps": 5, "phases": [{"epochs": 2, "size": 64, "batch": 1}]}
    assert trainer(values, tmp_path / "critics").recipe.phases[0].steps == 9  # a step takes five batches


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
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"seed": -1}, "seed is -1"),
        ({"davis": "", "stills": {"shapes": 0}}, "weights over 0"),
        ({"phases": [3]}, "expected keys and values, got int"),
        ({"phases": [{"steps": 1, "size": 50, "batch": 1}]}, "multiple of 32"),
        ({"phases": [{"steps": 1, "batch": 1}]}, "size"),
        ({"phases": [{"size": 32, "batch": 1}]}, "either steps or epochs"),
        ({"phases": [{"size": 32, "batch": 1, "steps": 1, "epochs": 1}]}, "either steps or epochs"),
        ({"stage": "adversarial", "phases": [{"size": 96, "batch": 1, "steps": 1}]}, "multiple of 64"),
        ({"zoom": [2, 1]}, "the first is the smaller"),
        ({"zoom": [1]}, "takes two"),
        ({"davis_year": 2018}, "choose one of 2016, 2017"),
        ({"lr": float("nan")}, "must lie between"),
        ({"validate": "train", "davis": ""}, "no 'davis' folder"),
        ({"youtube_vos": "nowhere"}, r"meta\.json"),
        ({"davis": "", "stills": {}}, "no data"),
        ({"davis_split": "nowhere"}, "nowhere"),
        ({"stills": {"nothing": 1}}, "nothing"),
    ],
)
def test_recipes_that_cannot_be(values, tmp_path, change, words):
    with pytest.raises(FastganError, match=words):
        trainer(values | change, tmp_path)


def test_recipes_from_files(values, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    assert load_recipe(path, ["lr=0.5", "schedule=polynomial"]).lr == 0.5
    assert load_recipe(path, ["lr=6e-4"]).lr == 6e-4
    changed = load_recipe(path, ["phases.1.steps=9", "stills.shapes=0.5"])
    assert (changed.phases[1].steps, changed.stills["shapes"]) == (9, 0.5)
    with pytest.raises(FastganError, match=r"phases\.0\.steps=10"):
        load_recipe(path, ["phases.7.steps=9"])
    path.write_text("davis: x\nphases: [{size: 32, batch: 1, steps: 1}]\n")
    assert load_recipe(path, ["stills.shapes=2"]).stills == {"shapes": 2}
    with pytest.raises(FastganError, match="key=value"):
        load_recipe(path, ["lr"])
    with pytest.raises(FastganError, match="no such recipe"):
        load_recipe(tmp_path / "none.yaml")
    for text, words in (("", "keys and values"), ("- 3", "this is list"), ("seed: 2020-13-45", "not valid YAML")):
        path.write_text(text)
        with pytest.raises(FastganError, match=words):
            load_recipe(path, ["lr=1"])
    path.write_text("a: [")
    with pytest.raises(FastganError, match="not valid YAML"):
        load_recipe(path)

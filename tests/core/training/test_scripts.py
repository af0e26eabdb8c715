"""The scripts of training/, in small."""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fastgan_core.data.folders import davis_sequences
from fastgan_core.errors import FastganError
from fastgan_core.model import FaSTGAN
from fastgan_core.running.weights import load_weights, save_weights
from fastgan_core.tracking.opening import runnable
from fastgan_core.tracking.tracker import Tracker

SCRIPTS = Path(__file__).parents[3] / "training"
CPU = torch.device("cpu")


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ablation():
    return script("ablation")


def test_four_arms_from_the_same_weights(ablation, values, model, tmp_path, monkeypatch):
    save_weights(tmp_path / "start.safetensors", model)
    phases = [{"size": 64, "batch": 1, "steps": 1, "frames": 2}]
    values |= {"stage": "adversarial", "init": str(tmp_path / "start.safetensors"), "validate": "train"}
    values |= {"phases": phases, "critic_steps": 1, "critic_width": 4}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(values))
    arguments = argparse.Namespace(recipe=recipe, set=[], output=tmp_path / "out")
    arms = ablation.train_arms(arguments, CPU)
    assert list(arms) == ["start", "cross-entropy", "+ spatial", "+ temporal", "+ both"]
    used = {}
    for name, folder in zip(list(arms)[1:], ("cross_entropy", "spatial", "temporal", "both"), strict=True):
        recipe_used = load_weights(arms[name]["weights"])[1].recipe
        used[name] = (recipe_used["lambda_s"], recipe_used["lambda_t"])
        assert (tmp_path / "out" / folder / "state.safetensors").exists()
    assert list(used.values()) == [(0, 0), (1, 0), (0, 1), (1, 1)]
    # Asked again, nothing is trained; with another recipe it is refused.
    monkeypatch.setattr(ablation.Trainer, "train_step", None)
    assert ablation.train_arms(arguments, CPU) == arms
    arguments.set = ["lr=0.1"]
    with pytest.raises(FastganError, match="another recipe"):
        ablation.train_arms(arguments, CPU)


def test_the_table(ablation):
    scores = {"J&F-Mean": 0.6, "J-Mean": 0.5, "F-Mean": 0.7}
    arms = {name: {"scores": scores, "seconds": 90.0} for name in ("start", *ablation.ARMS)}
    arms["+ both"] = {"scores": {k: v + 0.01 for k, v in scores.items()}, "seconds": 600.0}
    lines = ablation.table(arms, "On a table.").splitlines()
    assert lines[2] == "| - | - | start | 60.0 | 50.0 | 70.0 | +0.0 | 2 |"
    assert lines[4] == "| ✓ | - | + spatial | 60.0 | 50.0 | 70.0 | +0.0 | 2 |"
    assert lines[6] == "| ✓ | ✓ | + both | 61.0 | 51.0 | 71.0 | +1.0 | 10 |"
    assert lines[-1] == "On a table."


def test_the_picture_shows_the_frames_that_differ(ablation, model, scene):
    trackers = {name: Tracker(model, device="cpu", size=size) for name, size in (("a", 64), ("b", 96))}
    video = [scene[i] for i in range(8)]
    picture = ablation.differences(trackers, [video, video], rows=2)
    assert picture.shape == (4 * 255, 3 * 340, 3)
    assert np.array_equal(picture[:510], picture[510:])


def test_an_average_of_checkpoints(tmp_path):
    files, states = [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        files.append(tmp_path / f"{seed}.safetensors")
        save_weights(files[-1], FaSTGAN("resnet18"), recipe={"seed": seed})
        states.append(load_weights(files[-1])[0].state_dict())
    average = script("average").average
    average(files, tmp_path / "mean.safetensors")
    mean, info = load_weights(tmp_path / "mean.safetensors")
    assert info.recipe == {"average_of": [{"seed": 1}, {"seed": 2}]}
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2, rtol=1e-3, atol=1e-5)
    average(files, tmp_path / "less.safetensors", bias=-0.3)
    less, told = load_weights(tmp_path / "less.safetensors")
    changed = {name: value - mean.state_dict()[name] for name, value in less.state_dict().items()}
    assert changed.pop("decoder.predict.bias").item() == pytest.approx(-0.3, abs=1e-3)
    assert not any(value.any() for value in changed.values())
    assert told.recipe["bias"] == -0.3
    save_weights(tmp_path / "other.safetensors", FaSTGAN("resnet50"))
    with pytest.raises(FastganError, match="average one variant"):
        average([files[0], tmp_path / "other.safetensors"], tmp_path / "x.safetensors")


def rows_of(pattern: str) -> list[dict]:
    """A frame per letter: t tracked, s elsewhere, L lost though there, l lost and gone, g drawn though gone."""
    table = {
        "t": dict(gone=False, lost=False, overlap=0.8, score=0.9),
        "s": dict(gone=False, lost=False, overlap=0.0, score=0.9),
        "L": dict(gone=False, lost=True, overlap=0.0, score=0.1),
        "l": dict(gone=True, lost=True, overlap=1.0, score=0.1),
        "g": dict(gone=True, lost=False, overlap=0.0, score=0.9),
    }
    rows = [table[letter] for letter in pattern]
    return [row | {"there": not row["gone"], "drawn": not row["lost"]} for row in rows]


def test_the_figures_of_lost_and_found():
    measure = script("lost_and_found")
    found = measure.summarise([rows_of("tttt" + "gll" + "L" + "t" * 12), rows_of("tt" + "gg" + "s" * 12)])
    assert (found["lost, and gone"], found["lost, but there"]) == (2, 1)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 5)
    assert found["wrongly lost"] == pytest.approx(1 / 31)
    assert found["drawn while gone"] == pytest.approx(3 / 5)
    assert found["drawn elsewhere"] == pytest.approx(12 / 31)
    assert (found["times out of sight"], found["of them reported"]) == (2, 1)
    assert (found["returns"], found["of them found"]) == (2, 1)
    assert found["IoU 10 frames after"] == pytest.approx(0.4)
    # Of ten that are lost with a score of 0.1 one is there, as it should be.
    assert measure.calibration_error(rows_of("l" * 9 + "L")) == pytest.approx(0)
    assert measure.calibration_error(rows_of("s" * 10)) == pytest.approx(0.9)
    assert "| precision | 0.667 |" in measure.table({"drawn": found})


def test_the_weights_of_the_confidence_are_found_again():
    rng = np.random.default_rng(0)
    signals = np.stack([rng.uniform(0.8, 1, 20000), rng.uniform(0.5, 1, 20000)], axis=1)
    right = rng.uniform(size=20000) < 1 / (1 + np.exp(-(signals @ [20, 8] - 24)))
    rows = np.column_stack([signals, right]).tolist()
    fit = script("lost_and_found").fit
    assert fit(rows, balanced=False) == pytest.approx((20, 8, -24), rel=0.08)
    few = [row for row in rows if row[2]] + [row for row in rows if not row[2]][::20]
    assert fit(few, balanced=False)[2] > -22, "with fewer that are wrong all are likelier to be right"
    assert fit(few, balanced=True) == pytest.approx(fit(rows, balanced=True), rel=0.2)


@pytest.mark.parametrize("network", ["model", "lite"])
def test_signals_are_those_that_the_tracker_decides_by(request, network, scene):
    measure, tracker = script("lost_and_found"), Tracker(request.getfixturevalue(network), device="cpu", size=64)
    views = [measure.View(*scene[i], 1.0) for i in range(4)]
    views[0].labels[:, : views[0].labels.shape[1] // 2] = 1  # large enough to have features
    rows = measure.signals(tracker, iter(views))
    scores = [row["score"] for row in measure.follow(tracker, iter(views)) if row["score"] > 0]
    found = [float(measure.evidence.confidence(*torch.tensor(row[:3])[:, None])[0]) for row in rows]
    assert found == pytest.approx(scores, abs=1e-4)


def test_a_stranger_resembles_what_it_is_taken_for_as_far_as_the_network_says(lite, scene):
    measure, network = script("lost_and_found"), runnable(lite, "lite", "torch", "cpu", "fp32")
    frame, truth = scene[0]
    truth[:, : truth.shape[1] // 2] = 1  # large enough to have features
    views = [measure.View(frame, truth, 1.0), measure.View(255 - frame, truth, 1.0), measure.View(frame, truth, 1.0)]
    rows = measure.strangers(network, Tracker(network, size=64), views, [0.9])
    assert len(rows) == 6 and all(alike == 0.9 and not right for _, alike, _, right in rows)
    _, same, *_ = (resembles for _, _, resembles, _ in rows)  # the first taken for the second, for the third
    assert same == pytest.approx(1, abs=1e-4) and same >= max(row[2] for row in rows) - 1e-4


def test_views_are_judged_after_the_second_mark(davis, lite):
    views = script("views")
    (sequence,) = (s for s in davis_sequences(davis, "train") if s.name == "alpha")
    tracker, marks = Tracker(lite, device="cpu", precision="fp32", size=64), []
    real = tracker.set_reference

    def set_reference(frame, labels, mode="replace"):
        marks.append(mode)
        return real(frame, labels, mode)

    tracker.set_reference, views.SOON = set_reference, 2
    for mode in views.WAYS.values():
        found = views.overlaps(tracker, sequence, mode)
        assert len(found) == len(sequence) - len(sequence) // 3 - 3 and all(0 <= value <= 1 for value in found)
    assert marks == ["replace", "replace", "add", "replace", "more"]

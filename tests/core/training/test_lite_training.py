"""Runs of `lite`: what they start from and see, that they stop and go on, what is refused."""

import json

import numpy as np
import pytest
import torch
from footage import picture
from safetensors.torch import load_file

from fastgan_core.data.bank import load_bank
from fastgan_core.data.composing import ClipOptions
from fastgan_core.data.footage import read_footage
from fastgan_core.data.packs import encode, write_pack
from fastgan_core.data.synthesis import Mix, Synthesis
from fastgan_core.errors import FastganError
from fastgan_core.model import FaSTGAN, Lite
from fastgan_core.running.weights import save_weights
from fastgan_core.training.lite import start
from fastgan_core.training.lite.composed import Composed
from fastgan_core.training.lite.recipe import LiteRecipe, Stretch
from fastgan_core.training.lite.start import build
from fastgan_core.training.lite.trainer import LiteTrainer
from fastgan_core.training.reading import from_dict, load_recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("packs")
    write_pack(path, "stills", [encode(*picture(n), 64, 90) for n in range(4)])
    return path


def recipe(folder, **changes) -> LiteRecipe:
    stretches = [Stretch(until=0.5, size=32, clips=1, frames=2), Stretch(until=1.0, size=64, clips=1, frames=2)]
    values = {"packs": [str(folder)], "side": 64, "budget": 0.02, "precision": "fp32", "stretches": stretches}
    return LiteRecipe(**values | changes)


def test_a_run_leaves_weights_and_goes_on(folder, tmp_path):
    first = LiteTrainer(recipe(folder, until=0.5), tmp_path / "run", CPU)
    before = {name: value.clone() for name, value in first.model.state_dict().items()}
    first.run()
    assert first.progress == 0.5 and first.step > 0
    assert any(not torch.equal(before[k], v) for k, v in first.model.state_dict().items())
    weights = load_file(tmp_path / "run/weights.safetensors")
    Lite().load_state_dict({name: value.float() for name, value in weights.items()})
    second = LiteTrainer(recipe(folder), tmp_path / "run", CPU)
    assert (second.step, second.progress) == (first.step, 0.5)
    for ours, theirs in zip(second.model.parameters(), first.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    moments = second.optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(moments, first.optimizer.state_dict()["state"][0]["exp_avg"])
    second.run()
    assert second.progress == 1 and second.rate() == 0
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    about = json.loads((tmp_path / "run/about.json").read_text())
    assert [s["from_step"] for s in about["sessions"]] == [0, first.step]
    assert about["sessions"][0]["data"]["stills"]["pictures"] == 4
    with pytest.raises(FastganError, match="set until higher"):
        LiteTrainer(recipe(folder), tmp_path / "run", CPU)


def test_a_run_has_no_denormals_and_what_comes_after_it_does(folder, tmp_path, monkeypatch):
    tiny, seen, step = torch.full((1,), 1e-39), [], LiteTrainer.train_step

    def train_step(self, *clips):
        seen.append((tiny * 1).item())
        return step(self, *clips)

    monkeypatch.setattr(LiteTrainer, "train_step", train_step)
    LiteTrainer(recipe(folder), tmp_path / "run", CPU).run()
    assert seen and not any(seen)
    assert (tiny * 1).item() > 0


@pytest.fixture(scope="module")
def with_videos(folder):
    """The same with a video in which an object goes from left to right."""
    frames = []
    for n in range(8):
        image, labels = picture(n)[0], np.zeros((64, 64), np.uint8)
        image = np.full((64, 64, 3), 90, np.uint8)
        image[20:44, 4 * n : 4 * n + 24], labels[20:44, 4 * n : 4 * n + 24] = (220, 60, 30), 1
        frames.append(encode(image, labels, 64, 90, video=0))
    write_pack(folder, "video", frames)
    return folder


def test_composed_clips_are_of_the_packs(with_videos):
    footage = read_footage([with_videos])
    assert (footage.pictures, len(footage.videos), list(footage.stills)) == (12, 1, ["stills"])
    assert footage.about["video"]["pictures"] == 8
    options = ClipOptions(start_at_reference=1.0, zoom=[1.0, 1.0], degrees=0.0)
    for video in (0.0, 1.0):
        stretch = Stretch(until=1, size=64, clips=3, frames=2, objects=1, video=video)
        source, again = (Composed(footage, options, {}, stretch, 7, workers, CPU) for workers in (0, 1))
        clips = source.take()
        assert clips.frames.shape == (3, 3, 3, 64, 64) and clips.masks.shape == (3, 3, 1, 64, 64)
        assert clips.frames.min() >= 0 and 0.3 < clips.frames.max() <= 1
        assert set(clips.masks.unique().tolist()) == {0, 1} and clips.valid.all()
        torch.testing.assert_close(again.take().frames, clips.frames)
        assert not torch.equal(source.take().frames, clips.frames)
        if video:
            red = clips.frames[:, :, 0] - clips.frames[:, :, 2] > 0.3
            assert (red == (clips.masks[:, :, 0] > 0)).float().mean() > 0.97, "masks lie on the video's object"


@pytest.mark.parametrize("objects", [1, 2])
def test_a_run_of_composed_clips(with_videos, tmp_path, objects):
    stretches = [Stretch(until=1.0, size=64, clips=2, frames=2, objects=objects, video=0.5)]
    values = {"composed": ClipOptions(shake=0.5), "workers": 0, "encoder_lr": 0.0, "balance": 0.25}
    run = LiteTrainer(recipe(with_videos, stretches=stretches, **values), tmp_path / "run", CPU)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.run()
    moved = {name for name, value in run.model.state_dict().items() if not torch.equal(before[name], value)}
    assert moved and not any(name.startswith("encoder.") for name in moved), "its rate is 0"
    kept = load_recipe(tmp_path / "run/recipe.yaml")
    assert kept.composed == ClipOptions(shake=0.5)
    assert set(json.loads((tmp_path / "run/about.json").read_text())["sessions"][0]["data"]) == {"stills", "video"}
    assert load_recipe(tmp_path / "run/recipe.yaml", ["composed.shake=0.25"]).composed.shake == 0.25


def test_the_early_blocks_of_the_encoder_may_stay_as_they_are(folder, tmp_path):
    rates = {"encoder_lr": 1e-3, "encoder_from": 8}
    run = LiteTrainer(recipe(folder, until=0.5, **rates), tmp_path / "run", CPU)
    before = {name: value.clone() for name, value in run.model.encoder.state_dict().items()}
    run.run()
    run = LiteTrainer(recipe(folder, **rates), tmp_path / "run", CPU)
    run.run()
    moved = {name for name, value in run.model.encoder.state_dict().items() if not torch.equal(before[name], value)}
    assert {name.split(".")[1] for name in moved} == {str(number) for number in range(8, 21)}


def test_the_rate_rises_and_falls_to_zero(folder, tmp_path):
    trainer = LiteTrainer(recipe(folder, warmup=10), tmp_path / "run", CPU)
    rates = []
    for step, progress in ((0, 0.0), (9, 0.0), (50, 0.5), (99, 1.0)):
        trainer.step, trainer.progress = step, progress
        rates.append(trainer.rate())
    assert rates == pytest.approx([0.1, 1, 0.5, 0])


def test_a_damaged_state_is_named(folder, tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(FastganError, match="remove it to start anew"):
        LiteTrainer(recipe(folder), tmp_path, CPU)


def test_a_run_starts_from_a_checkpoint(folder, tmp_path, lite):
    save_weights(tmp_path / "start.safetensors", lite)
    begin = build(recipe(folder, init=str(tmp_path / "start.safetensors")))
    assert begin.training and all(p.requires_grad for p in begin.parameters())
    torch.testing.assert_close(begin.key16.weight, lite.key16.weight, rtol=1e-3, atol=1e-3)


def test_a_checkpoint_of_something_else_is_refused(folder, tmp_path):
    with pytest.raises(FastganError, match="there is no file"):
        build(recipe(folder, init=str(tmp_path / "none.safetensors")))
    save_weights(tmp_path / "other.safetensors", FaSTGAN("resnet18"))
    with pytest.raises(FastganError, match="holds a resnet18"):
        build(recipe(folder, init=str(tmp_path / "other.safetensors")))


def test_several_processes_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("fastgan_core.training.lite.trainer.world", lambda: 2)
    with pytest.raises(FastganError, match="without torchrun"):
        LiteTrainer(recipe(folder), tmp_path, CPU)


def test_without_the_package_the_way_to_it_is_said(folder, monkeypatch):
    monkeypatch.setattr(start, "PACKAGE", "no_such_package")
    with pytest.raises(FastganError, match="pip install"):
        build(recipe(folder, backbone="imagenet"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "stretches"),
        ({"stretches": [{"until": 0.5, "size": 64, "clips": 1}]}, "up to 1"),
        ({"stretches": [{"until": 1, "size": 65, "clips": 1}]}, "multiple of 32"),
        ({"stretches": [{"until": 1, "size": 64}]}, "clips"),
        ({"stretches": 3}, "must be a list"),
        ({"stretches": [{"until": 1, "size": 64, "clips": 1}], "view": [2.0, 1.0]}, "smaller first"),
        ({"strectches": []}, "did you mean"),
        ({"stretches": [{"until": 1, "size": 64, "clips": 1, "objects": 3}], "composed": {}}, "objects: 2"),
        ({"stretches": [{"until": 1, "size": 64, "clips": 1}], "composed": {"occluder": 1}}, "'occluders'"),
        ({"stretches": [{"until": 1, "size": 64, "clips": 1}], "composed": 3}, "keys and values"),
        ({"stretches": [{"until": 1, "size": 64, "clips": 1}], "composed": {"rough": 0.5}}, "lite is not given"),
    ],
)
def test_recipes_that_cannot_be_are_refused(values, words):
    with pytest.raises(FastganError, match=words):
        from_dict({"variant": "lite", **values})


@pytest.mark.gpu
def test_a_run_on_a_gpu(folder, tmp_path):
    """Clips are drawn there by a thread and a stream of their own."""
    run = LiteTrainer(recipe(folder, budget=0.1, precision="auto"), tmp_path / "run", torch.device("cuda"))
    before = run.model.key16.weight.clone()
    run.run()
    assert run.step > 3 and run.progress == 1
    assert not torch.equal(before, run.model.key16.weight)
    assert all(torch.isfinite(value).all() for value in run.average.parameters())


@pytest.mark.gpu
def test_clips_on_a_gpu_are_those_of_a_cpu(folder):
    """Where they go is decided on the CPU; without what the device draws itself, they are the same."""
    mix = Mix(colour=0, damage=0)
    drawn = [
        Synthesis(load_bank([folder], 64, torch.device(device)), mix, {}, 0).draw(3, 3, 2, 64)
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(drawn[0].frames, drawn[1].frames.cpu(), rtol=0, atol=0.02)
    assert (drawn[0].masks == drawn[1].masks.cpu()).float().mean() > 0.999

"""Which runtime is taken where somebody leaves it to the tracker, and what of that is kept for the next start."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from footage import frame, labels

pytest.importorskip("openvino", reason="needs OpenVINO")

import openvino

from fastgan_core.errors import FastganError
from fastgan_core.kept import folder, recall
from fastgan_core.running import openvino_backend
from fastgan_core.running.weights import save_weights
from fastgan_core.tracking import choosing
from fastgan_core.tracking.choosing import open_fastest
from fastgan_core.tracking.tracker import Tracker


@pytest.fixture(scope="module")
def file(lite, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    save_weights(path, lite, input_size=64)
    return path


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def clock(monkeypatch):
    """Steps that take what a test says; ``asked`` lists the runtimes that were measured."""
    times, asked = {"torch": 40.0, "openvino": 20.0}, []

    def measured(network, size):
        asked.append(network.name)
        return times[network.name]

    monkeypatch.setattr(choosing, "measured", measured)
    return times, asked


def test_the_faster_one_is_taken_measured_once_and_remembered(file, clock):
    times, asked = clock
    network, info, reason = open_fastest(file, "auto", "fp32", 0)
    assert network.name == "openvino" and info.variant == "lite" and asked == ["torch", "openvino"]
    assert reason == "backend: openvino, 20 ms a step instead of 40 with torch (measured now, and remembered)."
    network, _, reason = open_fastest(file, "auto", "fp32", 0)
    assert network.name == "openvino" and len(asked) == 2 and "measured at an earlier start" in reason
    times["openvino"] = 50.0
    network, _, reason = open_fastest(file, "auto", "fp32", 96)
    assert network.name == "torch" and len(asked) == 4, "another size is another question"
    assert "torch, 40 ms a step instead of 50 with openvino" in reason
    assert open_fastest(file, "auto", "fp32", 96)[0].name == "torch" and len(asked) == 4
    assert len(recall("backends")) == 2


def test_without_openvino_there_is_no_question(file, clock, monkeypatch):
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda name: None)
    network, _, reason = open_fastest(file, "auto", "fp32", 0)
    assert (network.name, reason, clock[1]) == ("torch", "", [])


@pytest.mark.parametrize("kind", [RuntimeError, AttributeError, openvino.frontend.OpConversionFailure])
def test_an_openvino_that_cannot_run_it_is_named_and_not_taken(file, clock, monkeypatch, kind):
    def broken(*_):
        raise kind("no such operation\nand a stack")

    monkeypatch.setattr(openvino_backend, "converted", broken)
    network, _, reason = open_fastest(file, "auto", "fp32", 0)
    assert network.name == "torch" and reason.endswith("here: no such operation")
    assert recall("backends") == {}


def test_a_user_without_a_home_loses_time_alone(file, clock, monkeypatch, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pathlib.Path.home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert open_fastest(file, "auto", "fp32", 0)[0].name == "openvino"
    assert (tmp_path / "fastgan/backends.json").exists()


def test_the_node_takes_it_and_says_so(file, clock):
    said = []
    settings = SimpleNamespace(
        weights=str(file), device="cpu", precision="fp32", backend="auto", input_size=96, max_objects=3, threads=0,
        lost_threshold=0.5,
    )  # fmt: skip
    loading = pytest.importorskip("fastgan_ros.node.loading", reason="needs ROS 2's rclpy")
    tracker = loading.load_tracker(settings, said.append)
    assert (tracker.backend, tracker.max_objects, tracker.lost_threshold) == ("openvino", 3, 0.5)
    assert tracker.size == (96, 96) or tracker.size[0] % 32 == 0
    assert len(said) == 1 and said[0].startswith("backend: openvino, 20 ms")
    settings.backend = "torch"
    assert loading.load_tracker(settings, said.append).backend == "torch" and len(said) == 1


def test_what_is_compiled_for_a_number_of_objects_is_there_before_they_are(file, clock):
    tracker = Tracker(open_fastest(file, "auto", "fp32", 0)[0], size=64)
    compiled = tracker._network.runner._requests
    tracker.set_reference(frame(), labels(1))
    tracker.set_reference(frame(), labels(2, 3), mode="add")
    before = set(compiled)
    tracker.step(frame())
    assert set(compiled) == before and {shape[0] for shape in compiled} == {1, 2, 3}
    branch, epoch = tracker.branch(), tracker.epoch
    branch.set_reference(frame(), labels(4))
    tracker.adopt(branch, frame(), "add", epoch)
    assert {shape[0] for shape in compiled} == {1, 2, 3, 4}
    compiled.clear()
    tracker.remove([1, 4])
    before = set(compiled)
    tracker.step(frame())
    assert set(compiled) == before and {shape[0] for shape in compiled} == {2}
    with pytest.raises(FastganError, match="allowed"):
        Tracker(tracker._network, size=64, max_objects=1).set_reference(frame(), labels(1, 2, 3, 4, 5))
    assert set(compiled) == before, "nothing is compiled for what is refused"


@pytest.mark.parametrize("trouble", ["half a file", "no json", "a list"])
def test_what_was_kept_and_cannot_be_read_is_made_anew(file, clock, trouble):
    open_fastest(file, "auto", "fp32", 0)
    (kept,) = folder().glob("openvino-*")
    if trouble == "half a file":
        (kept / "model.xml").write_bytes((kept / "model.xml").read_bytes()[:1000])
    else:
        (folder() / "backends.json").write_text("{" if trouble == "no json" else json.dumps([1]))
    assert open_fastest(file, "auto", "fp32", 0)[0].name == "openvino"
    assert len(recall("backends")) == 1 and [path.name for path in folder().glob("openvino-*")] == [kept.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_costs_time_alone(file, clock, tmp_path):
    tmp_path.chmod(0o500)
    assert open_fastest(file, "auto", "fp32", 0)[0].name == "openvino"


def test_a_kept_conversion_is_the_same_network_and_others_are_their_own(lite, file, clock, monkeypatch):
    open_fastest(file, "auto", "fp32", 0)
    calls = []
    converted = openvino_backend.converted
    monkeypatch.setattr(openvino_backend, "converted", lambda model: calls.append(1) or converted(model))
    kept = Tracker(open_fastest(file, "auto", "fp32", 0)[0], size=64)
    assert not calls
    masks = []
    for tracker in (kept, Tracker.from_weights(file, "cpu", "fp32", size=64, backend="torch")):
        tracker.lost_threshold = 0.0
        tracker.set_reference(frame(), labels(1, 2))
        masks.append(np.stack([tracker.step(frame(seed=n)).labels for n in range(3)]))
    assert (masks[0] == masks[1]).mean() > 0.99
    other = type(lite)()
    openvino_backend.OpenVinoRunner(other, "lite", "cpu", "fp32")
    assert len(calls) == 1 and len(list(folder().glob("openvino-*"))) == 2


def test_no_more_conversions_are_kept_than_some(tmp_path):
    from fastgan_core.kept import keep_folder

    for number in range(5):
        path = tmp_path / f"some-{number}"
        keep_folder(path, lambda new, number=number: (new / "x").write_text(str(number)), 3)
        os.utime(path, (number, number))
    keep_folder(tmp_path / "other-1", lambda new: None, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other-1", "some-2", "some-3", "some-4"]


def test_a_measurement_is_of_real_steps(file):
    network, _, _ = open_fastest(file, "cpu", "fp32", 64)
    assert 0 < choosing.measured(network, (64, 96)) < 60_000
    with pytest.raises(FastganError):
        open_fastest(file.with_name("nothing.safetensors"), "cpu", "fp32", 0)
    assert torch.is_inference_mode_enabled() is False

"""`fastgan bench` on a small size: what it prints is measured, and its conditions are beside it."""

import json
import time

import pytest
import torch
from commandline import fastgan

from fastgan_core.errors import FastganError
from fastgan_core.evaluation import speed as bench
from fastgan_core.evaluation.speed import gflop, peak
from fastgan_core.settings import camera_size


def test_bench_measures_every_combination(monkeypatch, tmp_path, capsys):
    arguments = ("--objects", 1, 3, "--size", 64, "--precision", "fp32", "bf16", "--steps", 2, "--variant", "resnet18")
    assert fastgan(monkeypatch, "bench", *arguments, "--device", "cpu", "--json", tmp_path / "b.json") == 0
    result = json.loads((tmp_path / "b.json").read_text())
    rows = result["rows"]
    assert [(r["precision"], r["objects"]) for r in rows] == [("fp32", 1), ("fp32", 3), ("bf16", 1), ("bf16", 3)]
    for row in rows:
        assert 0 < row["step_ms"] <= row["p99_ms"]
        assert row["fps"] == pytest.approx(1e3 / row["step_ms"])
        assert row["peak_share"] > 0
    assert rows[1]["gflop"] > 2 * rows[0]["gflop"]
    assert torch.__version__ in result["conditions"]["versions"]
    assert f"{torch.get_num_threads()} threads" in capsys.readouterr().out


def test_the_ceiling_is_measured_in_bounded_time_where_a_precision_is_emulated():
    begin = time.process_time()
    assert peak(torch.device("cpu"), torch.bfloat16) > 0
    assert time.process_time() - begin < 60  # two cores; a product of 2048 x 2048 alone may take longer


def test_what_takes_too_long_is_left_out_in_words(monkeypatch, capsys):
    steps = []
    monkeypatch.setattr(bench, "timed", lambda action: steps.append(action()) or 11.0)
    arguments = ("--objects", 4, 1, "--size", 64, "--precision", "fp32", "--device", "cpu")
    assert fastgan(monkeypatch, "bench", *arguments) == 2
    said = capsys.readouterr().out
    assert "left out: lite, torch, fp32, size: 64, objects: 1: it is too slow here, a step takes 11 s" in said
    assert said.count("left out") == 2  # four objects are not even tried
    assert len(steps) < 20


def test_a_larger_size_is_measured_where_more_objects_were_too_slow(monkeypatch, capsys, tmp_path):
    def measure(_, network, count, *rest):
        if count == 8:
            raise FastganError("it is too slow here")
        return real(_, network, count, *rest)

    real = bench.measure
    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "peak", lambda *_: 1.0)
    arguments = ("--size", 32, 64, "--objects", 8, 1, "--precision", "fp32", "--device", "cpu", "--steps", 1)
    assert fastgan(monkeypatch, "bench", *arguments, "--json", tmp_path / "b.json") == 0
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [(row["network"], row["objects"]) for row in rows] == [("32x32", 1), ("64x64", 1)]
    assert capsys.readouterr().out.count("left out") == 2


def test_fewer_steps_are_measured_where_they_take_long(monkeypatch, tmp_path):
    real = bench.timed
    monkeypatch.setattr(bench, "timed", lambda action: real(action) + 6.0)
    arguments = ("--objects", 1, "--size", 64, "--precision", "fp32", "--device", "cpu", "--json", tmp_path / "b.json")
    assert fastgan(monkeypatch, "bench", *arguments) == 0
    (row,) = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert row["steps"] == 4


def test_a_precision_that_is_emulated_is_said_to_be(monkeypatch, capsys):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    arguments = ("--objects", 1, "--size", 32, "--precision", "bf16", "--device", "cpu", "--steps", 1)
    monkeypatch.setattr(bench, "peak", lambda *_: 1.0)
    assert fastgan(monkeypatch, "bench", *arguments) == 0
    assert "no instructions for bf16" in capsys.readouterr().out


def test_what_cannot_run_is_left_out_in_words(monkeypatch, capsys):
    assert fastgan(monkeypatch, "bench", "--precision", "fp16", "--device", "cpu", "--steps", 1) == 2
    assert "fp16 needs a GPU" in capsys.readouterr().out


def test_arithmetic_is_that_of_the_models_page():
    assert gflop("resnet50", 1, (512, 512)) == pytest.approx(189.5, rel=0.01)
    assert gflop("resnet18", 4, (320, 448)) < 4 * gflop("resnet18", 1, (320, 448))  # the image's stem is shared
    assert gflop("lite", 1, (448, 448)) == pytest.approx(6.67, rel=0.01)
    assert gflop("lite", 4, (448, 448)) < 1.9 * gflop("lite", 1, (448, 448))  # the encoder's pass is


@pytest.mark.parametrize("text", ["640", "640x", "x480", "0x10", "axb"])
def test_camera_sizes_are_checked(text):
    with pytest.raises(FastganError, match="640x480"):
        camera_size(text)
    assert camera_size("640x480") == (480, 640)

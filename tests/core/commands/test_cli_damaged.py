"""Files from strangers: damaged or hostile, each is one sentence and exit code 2 over the real command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from commandline import fastgan
from PIL import Image
from safetensors.torch import save_file

from fastgan_core.media.masks import write_mask

SENTENCE = "fastgan: "


@pytest.fixture
def refused(monkeypatch, capsys, scene, tmp_path):
    """A function that runs ``fastgan track`` with one file exchanged, and returns what it says."""
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(2):
        cv2.imwrite(str(frames / f"{i}.jpg"), scene[i][0][..., ::-1])
    write_mask(tmp_path / "mask.png", scene[0][1])

    def run(source: Path = frames, mask: Path = tmp_path / "mask.png", **options) -> str:
        more = [part for name, value in options.items() for part in (f"--{name}", value)]
        output = ("--output", tmp_path / "masks", "--size", 64)
        return one_sentence(monkeypatch, capsys, "track", source, "--mask", mask, *output, *more)

    return run


def one_sentence(monkeypatch, capsys, *arguments) -> str:
    capsys.readouterr()
    assert fastgan(monkeypatch, *arguments) == 2
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "frame/s]" not in line]
    assert lines and lines[-1].startswith(SENTENCE)
    assert not any(line.startswith(("Traceback", "  File")) for line in lines)
    return lines[-1]


def checkpoint(path: Path, **changes) -> Path:
    """A small file with the marks of a checkpoint."""
    told = {"format": "fastgan-1", "variant": "resnet18", "input_size": "384", "recipe": "{}", "licence": ""}
    save_file({"encoder.conv1.weight": torch.zeros(3)}, path, told | changes)
    return path


def header(path: Path, tensors: dict) -> Path:
    """A safetensors file that claims these tensors."""
    text = json.dumps({"__metadata__": {"format": "fastgan-1"}, **tensors}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(2))
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p.write_bytes(b""), "is damaged or not safetensors"),
        (lambda p: p.write_bytes(b"PK\x03\x04 a pickle" * 9), "is damaged or not safetensors"),
        (lambda p: p.write_bytes((2**63).to_bytes(8, "little") + b"{}"), "is damaged"),
        (lambda p: header(p, {"a": {"dtype": "F16", "shape": [10**9, 10**9], "data_offsets": [0, 2]}}), "is damaged"),
        (lambda p: p.write_bytes(checkpoint(p).read_bytes()[:-5]), "is damaged"),
        (lambda p: checkpoint(p, format="other"), "not a FaSTGAN checkpoint"),
        (lambda p: checkpoint(p, variant="resnet99"), "is of the variant 'resnet99'"),
        (lambda p: checkpoint(p, input_size="wide"), "invalid literal"),
        (lambda p: checkpoint(p, recipe="{"), "is damaged"),
        (lambda p: checkpoint(p, recipe="[" * 100_000), "recursion"),
        (checkpoint, "does not fit the variant resnet18"),
    ],
)
def test_weights(refused, tmp_path, make, words):
    path = tmp_path / "strange.safetensors"
    make(path)
    assert words in refused(weights=path)


@pytest.mark.parametrize("content", [b"", b"no model at all" * 99, b"\x3a\x0a\x2a\x08\x6a\x06secret"])
def test_onnx_files(refused, tmp_path, content):
    path = tmp_path / "strange.onnx"
    path.write_bytes(content)
    assert str(path) in refused(weights=path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture", "half"])
def test_masks(refused, tmp_path, content):
    path = tmp_path / "strange.png"
    whole = (tmp_path / "mask.png").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    assert f"{path}: cannot be read as a mask" in refused(mask=path)


def test_a_mask_that_would_not_fit_into_memory(refused, tmp_path):
    data = bytearray((tmp_path / "mask.png").read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2  # width and height; Pillow looks at them before the checksum
    (tmp_path / "strange.png").write_bytes(data)
    assert "cannot be read as a mask" in refused(mask=tmp_path / "strange.png")


def test_a_mask_in_colour(refused, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "strange.png")
    assert "is a colour picture" in refused(mask=tmp_path / "strange.png")


@pytest.mark.parametrize("content", [b"", b"no video at all" * 99, "head"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_videos(refused, tmp_path, scene, content, suffix):
    path = tmp_path / f"strange{suffix}"
    if content == "head":
        code = cv2.VideoWriter_fourcc(*("mp4v" if suffix == ".mp4" else "MJPG"))
        writer = cv2.VideoWriter(str(path), code, 10, (320, 240))
        for i in range(5):
            writer.write(scene[i][0][..., ::-1])
        writer.release()
        content = path.read_bytes()[:300]
    path.write_bytes(content)
    assert str(path) in refused(path)


def test_a_frame_in_the_middle_of_a_folder(refused, tmp_path):
    (tmp_path / "frames" / "1.jpg").write_bytes(b"no picture")
    assert "1.jpg: missing or not an image" in refused()
    assert [p.name for p in (tmp_path / "masks").iterdir()] == ["0.png"]


def test_a_frame_whose_size_is_a_lie(refused, tmp_path, scene):
    data = bytearray(cv2.imencode(".png", scene[1][0])[1].tobytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    (tmp_path / "frames" / "1.png").write_bytes(data)
    assert "1.png: missing or not an image" in refused()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "a recipe is keys and values"),
        (b"\xff\xfe\x00\x01\x80", "not valid YAML"),
        (b"phases: [", "not valid YAML"),
        (b"[" * 100_000, "not valid YAML"),
        (b"phases: " + b"9" * 6000, "not valid YAML"),
        (b"!!python/object/apply:os.system ['touch BROKEN_OUT']", "not valid YAML"),
        (b"phases: &a [*a]", "phases[0]: expected keys and values"),
        (b"phases: 3", "'phases' must list"),
    ],
)
def test_recipes(monkeypatch, capsys, tmp_path, text, words):
    path = tmp_path / "strange.yaml"
    path.write_bytes(text)
    monkeypatch.chdir(tmp_path)
    said = one_sentence(monkeypatch, capsys, "train", path)
    assert str(path) in said and words in said
    assert [p.name for p in tmp_path.iterdir()] == ["strange.yaml"]  # nothing ran, nothing was begun

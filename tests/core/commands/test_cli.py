import subprocess
import sys

import cv2
import numpy as np
import pytest
from commandline import fastgan
from PIL import Image

from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.media.masks import read_mask, write_mask
from fastgan_core.media.video import open_source


@pytest.fixture(scope="module")
def clip(tmp_path_factory, scene):
    folder = tmp_path_factory.mktemp("clip")
    (folder / "frames").mkdir()
    for i in range(12):
        cv2.imwrite(str(folder / "frames" / f"{i:05d}.jpg"), scene[i][0][..., ::-1])
    write_mask(folder / "first.png", scene[0][1])
    write_mask(folder / "fourth.png", scene[4][1])
    return folder


def test_track_follows_the_object_with_the_weights_that_ship(monkeypatch, clip, scene, tmp_path):
    out, video = tmp_path / "masks", tmp_path / "overlay.mp4"
    mask = clip / "first.png"
    assert fastgan(monkeypatch, "track", clip / "frames", "--mask", mask, "--output", out, "--overlay", video) == 0
    names = sorted(p.name for p in out.iterdir())
    assert names == [f"{i:05d}.png" for i in range(12)]
    assert Image.open(out / names[5]).mode == "P"
    scores = [region_similarity(scene[i][1] > 0, read_mask(out / names[i]) > 0) for i in range(12)]
    assert np.mean(scores[1:]) > 0.6
    assert len(open_source(video)) == 12


def test_track_from_a_later_frame(monkeypatch, clip, tmp_path):
    arguments = ("--mask", clip / "fourth.png", "--mask-frame", 4, "--output", tmp_path, "--size", 64)
    assert fastgan(monkeypatch, "track", clip / "frames", *arguments) == 0
    assert sorted(p.stem for p in tmp_path.iterdir()) == [f"{i:05d}" for i in range(4, 12)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": "none.mp4"}, "no such file, folder or camera"),
        ({"--mask": "none.png"}, "no such mask file"),
        ({"--weights": "none.safetensors"}, "there is no file none.safetensors"),
        ({"--device": "cuda:77"}, "cuda:77"),
        ({"--size": "100"}, "multiple of 32"),
        ({"--mask-frame": "99"}, "has 12 frames"),
        ({"--mask-frame": "-1"}, "the first frame is 0"),
        ({"--device": "cuda:"}, "not known"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(monkeypatch, capsys, clip, tmp_path, change, words):
    options = {"--mask": clip / "first.png", "--output": tmp_path / "out"} | change
    source = options.pop("input", clip / "frames")
    arguments = [part for pair in options.items() for part in pair]
    assert fastgan(monkeypatch, "track", source, *arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("fastgan: ")
    assert words in error


def test_the_input_is_never_overwritten(monkeypatch, capsys, clip, tmp_path):
    frames, mask = clip / "frames", clip / "first.png"
    assert fastgan(monkeypatch, "track", frames, "--mask", mask, "--output", clip / "frames" / ".") == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert len(list(frames.iterdir())) == 12


def test_places_that_cannot_be_written(monkeypatch, capsys, clip, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = ("--mask", clip / "first.png", "--output", tmp_path / "file", "--size", 64)
    assert fastgan(monkeypatch, "track", clip / "frames", *arguments) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_video_that_is_cut_off_is_tracked_as_far_as_it_goes(monkeypatch, capsys, clip, scene, tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 240))
    for i in range(20):
        writer.write(scene[i][0][..., ::-1])
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    arguments = ("--mask", clip / "first.png", "--output", tmp_path / "out", "--size", 64)
    assert fastgan(monkeypatch, "track", path, *arguments) == 0
    assert "of 20 frames could be read" in capsys.readouterr().err
    assert 5 <= len(list((tmp_path / "out").iterdir())) < 15


def test_a_mask_of_another_size_is_refused(monkeypatch, capsys, clip, tmp_path):
    write_mask(tmp_path / "small.png", np.ones((10, 10), np.uint8))
    assert fastgan(monkeypatch, "track", clip / "frames", "--mask", tmp_path / "small.png", "--output", tmp_path) == 2
    assert "10x10 and the image 320x240" in capsys.readouterr().err


def test_the_library_needs_no_ros_and_touches_no_gpu_when_imported():
    code = (
        "import sys, fastgan_core.commands.main, fastgan_core.tracking.tracker, fastgan_core.training.trainer, torch\n"
        "assert not torch.cuda.is_initialized()\n"
        "assert not [m for m in sys.modules if m.startswith(('rclpy', 'sensor_msgs', 'fastgan_ros'))]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_is_answered_before_anything_heavy_is_imported():
    code = (
        "import sys; from fastgan_core.commands.main import parser; parser()\n"
        "assert not {'torch', 'numpy', 'cv2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

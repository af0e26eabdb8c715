"""Footage in a few files comes back as it was, and damage is named."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from footage import picture

from fastgan_core.data import packs
from fastgan_core.data.bank import boxes, load_bank
from fastgan_core.data.packs import encode, find_packs, read_pack, write_pack
from fastgan_core.errors import FastganError


def test_pictures_come_back_and_ids_exactly(tmp_path):
    images = [picture(number) for number in range(3)]
    assert write_pack(tmp_path, "set", [encode(*image, 64, 90, video=7) for image in images]) == 3
    pictures, _ = read_pack(find_packs([tmp_path])["set"][0])
    for packed, (image, labels) in zip(pictures, images, strict=True):
        found, ids = packed.load()
        assert packed.video == 7
        assert np.array_equal(ids, labels)
        assert np.abs(found.astype(int) - image).mean() < 8


def test_large_sets_become_several_files_and_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "LARGEST", 2000)
    write_pack(tmp_path, "set", [encode(*picture(n), 64, 90) for n in range(9)])
    files = find_packs([tmp_path])["set"]
    assert len(files) > 1
    assert sum(len(read_pack(file)[0]) for file in files) == 9
    write_pack(tmp_path, "set", [encode(*picture(0), 64, 90)])
    assert len(find_packs([tmp_path])["set"]) == 1


def test_pictures_are_made_smaller_by_their_shorter_side():
    packed = encode(np.zeros((300, 200, 3), np.uint8), np.ones((300, 200), np.uint8), 100, 50)
    assert packed.load()[1].shape == (150, 100)


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_damaged_files_are_named(tmp_path, damage):
    write_pack(tmp_path, "set", [encode(*picture(0), 64, 90)])
    file = tmp_path / "set-000.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[:-20]
    elif damage == "changed":
        content[-5] ^= 1
    else:
        content = b"no such thing"
    file.write_bytes(content)
    with pytest.raises(FastganError, match="set-000"):
        load_bank([tmp_path], 32, torch.device("cpu"))


def test_no_packs_is_said(tmp_path):
    with pytest.raises(FastganError, match=r"training/pack\.py"):
        load_bank([tmp_path], 32, torch.device("cpu"))


def test_a_bank_knows_where_objects_are(tmp_path):
    image, labels = picture(1, size=(80, 120), box=(30, 20, 60, 40))
    write_pack(tmp_path, "stills", [encode(image, labels, 80, 95)])
    frames = [encode(*picture(n), 64, 90, video=0) for n in range(5)]
    write_pack(tmp_path, "videos", frames)
    bank = load_bank([tmp_path], 64, torch.device("cpu"))
    assert bank.pixels.shape == (6, 4, 64, 64)
    assert [len(video) for video in bank.videos] == [5]
    still = int(bank.sets["stills"][0])
    assert bank.extent[still].tolist() == [1.5, 1.0]
    row = bank.row(still, 1)
    np.testing.assert_allclose(bank.objects.centre[row], [0, 0], atol=0.03)
    np.testing.assert_allclose(bank.objects.reach[row], [0.75, 0.5], atol=0.03)
    assert bank.row(still, 9) == -1


def test_videos_alone_are_not_enough(tmp_path):
    write_pack(tmp_path, "videos", [encode(*picture(n), 64, 90, video=0) for n in range(5)])
    with pytest.raises(FastganError, match="no still"):
        load_bank([tmp_path], 64, torch.device("cpu"))


def test_objects_too_small_or_too_large_to_follow_are_left_out():
    labels = np.zeros((100, 100), np.uint8)
    labels[:2, :2], labels[10:, :] = 1, 2
    assert [entry[0] for entry in boxes(labels, np.ones(2))] == []
    labels[50:, :] = 0
    assert [entry[0] for entry in boxes(labels, np.ones(2))] == [2]


def test_the_command_packs_folders(tmp_path):
    for folder in ("Images", "Masks"):
        (tmp_path / "few" / folder).mkdir(parents=True)
    image, labels = picture(0)
    cv2.imwrite(str(tmp_path / "few/Images/a.jpg"), image)
    cv2.imwrite(str(tmp_path / "few/Masks/a.png"), labels)
    script = Path(__file__).parents[3] / "training" / "pack.py"
    command = [sys.executable, script, tmp_path / "out", "--stills", tmp_path / "few", "--side", "32"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("few: 1 pictures")
    command[4] = tmp_path / "none"
    missing = subprocess.run(command, check=False, capture_output=True, text=True)
    assert missing.returncode == 2 and "none" in missing.stderr

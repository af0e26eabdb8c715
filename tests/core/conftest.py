"""Small models and small data sets, made on the spot."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fastgan_core.data.folders import Sequence, davis_sequences
from fastgan_core.masks import write_mask
from fastgan_core.model import FaSTGAN
from fastgan_core.scene import Scene

torch.set_num_threads(2)
HELD_OUT = ("dance-jump", "flamingo", "horsejump-low", "motorbike", "scooter-gray")


@pytest.fixture(scope="session")
def model() -> FaSTGAN:
    torch.manual_seed(0)
    return FaSTGAN("resnet18").eval()


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene(320, 240)


@pytest.fixture(scope="session")
def davis(tmp_path_factory, scene) -> Path:
    """A DAVIS 2016 folder with two short sequences cut from the drawn scene."""
    root = tmp_path_factory.mktemp("davis")
    lines = []
    for name, start in (("alpha", 0), ("beta", 40)):
        images, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(8):
            frame, labels = scene[start + i]
            cv2.imwrite(str(images / f"{i:05d}.jpg"), frame[..., ::-1])
            write_mask(masks / f"{i:05d}.png", labels * 255)
            lines.append(f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png")
    (root / "ImageSets/480p").mkdir(parents=True)
    (root / "ImageSets/480p/train.txt").write_text("\n".join(lines) + "\n")
    (root / "ImageSets/2017").mkdir()
    (root / "ImageSets/2017/names.txt").write_text("alpha\nbeta\n")
    return root


@pytest.fixture(scope="session")
def stills(tmp_path_factory) -> Path:
    """A folder with one set of six stills, two objects in each."""
    root = tmp_path_factory.mktemp("stills")
    for folder in ("Images", "Masks"):
        (root / "shapes" / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(6):
        image = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
        labels = np.zeros((120, 160), np.uint8)
        cv2.circle(labels, (50, 60), 25, 1, -1)
        cv2.rectangle(labels, (100, 30), (140, 90), 2, -1)
        for number in (1, 2):
            image[labels == number] = rng.integers(0, 255, 3)
        cv2.imwrite(str(root / "shapes/Images" / f"{i}.jpg"), image)
        write_mask(root / "shapes/Masks" / f"{i}.png", labels)
    return root


@pytest.fixture(scope="session")
def held_out() -> list[Sequence]:
    """Real sequences that the shipped weights have never seen."""
    root = Path(os.environ.get("DAVIS_ROOT", Path(__file__).parents[3] / "shared/data/davis2016"))
    if not root.is_dir():
        pytest.skip(f"no DAVIS 2016 at {root}; set DAVIS_ROOT to a folder that holds it")
    found = [s for s in davis_sequences(root, "val") if s.name in HELD_OUT]
    if len(found) < len(HELD_OUT) or found[0].frames[0].load()[1].shape != (320, 569):
        pytest.skip(f"{root} is not the copy at 320 pixels that the expected values were made with")
    return found


@pytest.fixture(scope="session")
def motorbike(held_out) -> Sequence:
    return next(s for s in held_out if s.name == "motorbike")


@pytest.fixture
def values(davis, stills) -> dict:
    """A recipe that trains for a moment."""
    return {
        "davis": str(davis),
        "stills_root": str(stills),
        "stills": {"shapes": 1},
        "phases": [
            {"steps": 2, "size": 32, "batch": 2, "frames": 2},
            {"steps": 2, "size": 64, "batch": 2, "frames": 2},
        ],
        "workers": 0,
        "warmup": 1,
        "save_every": 1,
        "dice": 1,
        "ema": 0.99,
        "shake": 0.4,
        "colour": 1,
        "rough": 0.65,
        "distractors": 0.4,
        "occluders": 0.3,
    }


@pytest.fixture
def youtube_vos(tmp_path, scene):
    """Two videos of every fifth frame; in the second an object appears in the third of them."""
    videos = {}
    for name, first in (("aaa", 0), ("bbb", 10)):
        images, masks = (tmp_path / "train" / kind / name for kind in ("JPEGImages", "Annotations"))
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(0, 25, 5):
            frame, labels = scene[i]
            cv2.imwrite(str(images / f"{i:05d}.jpg"), frame)
            write_mask(masks / f"{i:05d}.png", labels * 2 if i >= first else labels * 0)
        shown = [f"{i:05d}" for i in range(first, 25, 5)]
        videos[name] = {"objects": {"2": {"category": "ball", "frames": shown}}}
    (tmp_path / "train/meta.json").write_text(json.dumps({"videos": videos}))
    return tmp_path

"""Small models and small data sets, made on the spot."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from footage import Video

from fastgan_core.data.folders import Sequence, davis_sequences
from fastgan_core.media.masks import read_mask, write_mask
from fastgan_core.model import FaSTGAN, Lite
from fastgan_core.scenes.scene import Scene

torch.set_num_threads(2)


def pytest_collection_modifyitems(items):
    """What needs a GPU is skipped where torch finds none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def model() -> FaSTGAN:
    torch.manual_seed(0)
    return FaSTGAN("resnet18").eval()


@pytest.fixture(scope="session")
def lite() -> Lite:
    torch.manual_seed(0)
    return Lite().eval()


@pytest.fixture(scope="session", params=["resnet18", "lite"])
def any_model(request, model, lite) -> FaSTGAN | Lite:
    """A model of each kind."""
    return {"resnet18": model, "lite": lite}[request.param]


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene(320, 240)


@pytest.fixture(scope="session")
def davis(tmp_path_factory, scene) -> Path:
    """A DAVIS 2016 folder with sequences cut from the drawn scene: two in ``train``, four frames in ``brief``."""
    root = tmp_path_factory.mktemp("davis")
    lines = []
    for name, start, length in (("alpha", 0, 8), ("beta", 40, 8), ("gamma", 80, 4)):
        images, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(length):
            frame, labels = scene[start + i]
            cv2.imwrite(str(images / f"{i:05d}.jpg"), frame[..., ::-1])
            write_mask(masks / f"{i:05d}.png", labels * 255)
            lines.append(f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png")
    (root / "ImageSets/480p").mkdir(parents=True)
    (root / "ImageSets/480p/train.txt").write_text("\n".join(lines[:16]) + "\n")
    (root / "ImageSets/480p/brief.txt").write_text("\n".join(lines[16:]) + "\n")
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
def davis_copy() -> Path:
    """The copy of DAVIS 2016 at 320 pixels that expected values were made with."""
    root = Path(os.environ.get("DAVIS_ROOT", Path(__file__).parents[3] / "shared/data/davis2016"))
    if not root.is_dir():
        pytest.skip(f"no DAVIS 2016 at {root}; set DAVIS_ROOT to a folder that holds it")
    masks = sorted(root.glob("Annotations/480p/motorbike/*.png"))
    if not masks or read_mask(masks[0]).shape != (320, 569):
        pytest.skip(f"{root} is not the copy at 320 pixels that the expected values were made with")
    return root


@pytest.fixture(scope="session")
def motorbike(davis_copy) -> Sequence:
    """A real sequence that the shipped weights have never seen."""
    return next(s for s in davis_sequences(davis_copy, "val") if s.name == "motorbike")


@pytest.fixture(scope="session")
def davis2017(tmp_path_factory) -> Path:
    """A DAVIS 2017 folder: ``pair`` has both squares, ``still`` the first alone; ten frames each."""
    root = tmp_path_factory.mktemp("davis2017")
    for name, video in (("pair", Video()), ("still", Video(late=99))):
        images, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(10):
            frame, labels = video[i]
            cv2.imwrite(str(images / f"{i:05d}.jpg"), frame[..., ::-1])
            write_mask(masks / f"{i:05d}.png", labels)
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/val.txt").write_text("pair\nstill\n")
    return root


@pytest.fixture(scope="session")
def youtube_vos(tmp_path_factory) -> Path:
    """A YouTube-VOS folder with one video of ten frames whose second object appears in frame 4.

    ``train``: every frame is annotated. ``valid``: only new objects are, in the frame where they appear,
    and masks are asked for of every second frame.
    """
    root = tmp_path_factory.mktemp("youtube")
    for split, step in (("train", 1), ("valid", 2)):
        images, masks = root / split / "JPEGImages/v1", root / split / "Annotations/v1"
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(10):
            frame, labels = Video(late=4)[i]
            cv2.imwrite(str(images / f"{i:05d}.jpg"), frame[..., ::-1])
            if split == "train":
                write_mask(masks / f"{i:05d}.png", labels)
            elif i in (0, 4):
                write_mask(masks / f"{i:05d}.png", np.where(labels == (1 if i == 0 else 2), labels, 0))
        frames = {n: [f"{i:05d}" for i in range(first, 10, step)] for n, first in (("1", 0), ("2", 4))}
        objects = {n: {"category": "square", "frames": stems} for n, stems in frames.items()}
        (root / split / "meta.json").write_text(json.dumps({"videos": {"v1": {"objects": objects}}}))
    return root


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
        "precision": "fp32",
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


@pytest.fixture(autouse=True)
def exact_products(request):
    """Tests that need a GPU compare with a CPU, or one path with another: without the coarse products of TF32."""
    if "gpu" not in request.keywords:
        yield
        return
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield

"""Data sets in the layouts of their authors, whole and with parts missing."""

import json
import shutil

import cv2
import numpy as np
import pytest

from fastgan_core.data.folders import Pair, davis_sequences, preload, still_pairs, youtube_vos_sequences
from fastgan_core.errors import FastganError
from fastgan_core.media.masks import write_mask


@pytest.fixture
def two_videos(tmp_path, scene):
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


def test_davis_2017_lists_name_sequences(davis):
    assert [(s.name, len(s)) for s in davis_sequences(davis, "names")] == [("alpha", 8), ("beta", 8)]


def test_davis_2017_keeps_objects_apart_where_2016_merges_them(davis, tmp_path):
    sequence = davis_sequences(davis, "names", merged=False)[0]
    assert sequence.starts == {1: 0}
    write_mask(tmp_path / "two.png", np.repeat(np.uint8([[0, 1], [3, 3]]), 50, axis=0).repeat(50, axis=1))
    cv2.imwrite(str(tmp_path / "two.jpg"), np.zeros((100, 100, 3), np.uint8))
    assert set(np.unique(Pair(tmp_path / "two.jpg", tmp_path / "two.png").load()[1])) == {0, 1, 3}
    assert set(np.unique(Pair(tmp_path / "two.jpg", tmp_path / "two.png", merged=True).load()[1])) == {0, 1}


def test_youtube_vos_objects_may_appear_late(two_videos):
    first, second = youtube_vos_sequences(two_videos, "train")
    assert (first.starts, second.starts) == ({2: 0}, {2: 2})
    assert not second.frames[1].load()[1].any()
    assert set(np.unique(second.frames[2].load()[1])) == {0, 2}


def test_frames_without_annotation_are_frames(two_videos):
    for number in (0, 5, 20):
        (two_videos / f"train/Annotations/bbb/{number:05d}.png").unlink()
    sequence = youtube_vos_sequences(two_videos, "train")[1]
    assert [frame.mask is None for frame in sequence.frames] == [True, True, False, False, True]
    assert not sequence.frames[4].load()[1].any()
    assert sequence.annotated().starts == {2: 0}
    assert len(sequence.annotated()) == 2


def test_what_is_missing_is_named_or_skipped(two_videos, davis, stills, tmp_path):
    (two_videos / "train/Annotations/bbb/00010.png").unlink()
    with pytest.raises(FastganError, match=r"bbb/00010\.png.*object 2"):
        youtube_vos_sequences(two_videos, "train")
    skipped = []
    assert [s.name for s in youtube_vos_sequences(two_videos, "train", skipped)] == ["aaa"]
    assert len(skipped) == 1
    with pytest.raises(FastganError, match=r"valid/meta\.json"):
        youtube_vos_sequences(two_videos, "valid")
    (two_videos / "train/meta.json").write_text('{"videos": [1]}')
    with pytest.raises(FastganError, match="damaged"):
        youtube_vos_sequences(two_videos, "train")
    with pytest.raises(FastganError, match=r"test-dev\.txt"):
        davis_sequences(davis, "test-dev")
    with pytest.raises(FastganError, match="no Images"):
        still_pairs(tmp_path)


def test_a_first_annotation_without_objects_is_named_or_skipped(davis, tmp_path):
    root = shutil.copytree(davis, tmp_path / "copy")
    write_mask(root / "Annotations/480p/alpha/00000.png", np.zeros((240, 320), np.uint8))
    with pytest.raises(FastganError, match=r"alpha/00000\.png: no object"):
        davis_sequences(root, "names", merged=False)
    skipped = []
    assert [s.name for s in davis_sequences(root, "names", merged=False, skipped=skipped)] == ["beta"]
    assert len(skipped) == 1


def test_the_list_of_the_year_is_taken_where_a_folder_holds_both(davis, tmp_path):
    root = shutil.copytree(davis, tmp_path / "copy")
    for year, name in (("2016", "alpha"), ("2017", "beta")):
        (root / "ImageSets" / year).mkdir(exist_ok=True)
        (root / "ImageSets" / year / "one.txt").write_text(name)
    assert [s.name for s in davis_sequences(root, "one")] == ["alpha"]
    assert [s.name for s in davis_sequences(root, "one", merged=False)] == ["beta"]


def test_pictures_that_cannot_be_read_are_named_or_skipped(davis, tmp_path):
    pair = davis_sequences(davis, "train")[0].frames[0]
    broken = Pair(tmp_path / "x.jpg", pair.mask)
    with pytest.raises(FastganError, match=r"x\.jpg"):
        preload([pair, broken], 64)
    skipped = []
    loaded = preload([pair, broken], 64, skipped)
    assert len(loaded) == len(skipped) == 1
    assert min(loaded[0].load()[1].shape) == 64


def test_a_mask_without_its_image_and_the_other_way_round(stills, tmp_path):
    (tmp_path / "Images").mkdir()
    (tmp_path / "Masks").mkdir()
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"Images/{name}.jpg"), np.zeros((64, 64, 3), np.uint8))
    write_mask(tmp_path / "Masks/a.png", np.ones((64, 64), np.uint8))
    with pytest.raises(FastganError, match=r"b\.png.*missing"):
        still_pairs(tmp_path)
    skipped = []
    assert len(still_pairs(tmp_path, skipped)) == len(skipped) == 1

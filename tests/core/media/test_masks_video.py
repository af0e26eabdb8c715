import cv2
import numpy as np
import pytest
from PIL import Image

from fastgan_core.errors import FastganError
from fastgan_core.labels import bounding_box
from fastgan_core.media.masks import read_mask, write_mask
from fastgan_core.media.painting import PALETTE, overlay
from fastgan_core.media.video import VideoWriter, open_source

LABELS = np.zeros((20, 30), np.uint8)
LABELS[5:10, 3:9] = 1
LABELS[12:18, 15:25] = 200


def test_palette_is_davis():
    assert PALETTE[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert PALETTE[255].tolist() == [224, 224, 192]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_mask_round_trip(tmp_path, dtype):
    labels = LABELS.astype(dtype) * (1 if dtype == np.uint8 else 100)
    write_mask(tmp_path / "m.png", labels)
    assert (read_mask(tmp_path / "m.png") == labels).all()
    if dtype == np.uint8:
        assert Image.open(tmp_path / "m.png").mode == "P"


def test_binary_255_is_object_1(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), (LABELS > 0).astype(np.uint8) * 255)
    assert set(np.unique(read_mask(tmp_path / "m.png"))) == {0, 1}


def test_grey_saved_as_rgb_is_accepted_and_colours_are_not(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.repeat(LABELS[..., None], 3, axis=2))
    assert (read_mask(tmp_path / "grey.png") == LABELS).all()
    cv2.imwrite(str(tmp_path / "colour.png"), PALETTE[LABELS])
    with pytest.raises(FastganError, match="colour picture"):
        read_mask(tmp_path / "colour.png")


def test_masks_that_are_not_ids(tmp_path):
    Image.fromarray(np.full((4, 4), 0.6, np.float32)).save(tmp_path / "fraction.tiff")
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(tmp_path / "large.tiff")
    for name in ("fraction.tiff", "large.tiff"):
        with pytest.raises(FastganError, match="fractions or values outside"):
            read_mask(tmp_path / name)


def test_alpha_is_no_colour(tmp_path):
    Image.fromarray(np.dstack([LABELS, np.full_like(LABELS, 255)]), mode="LA").save(tmp_path / "la.png")
    assert (read_mask(tmp_path / "la.png") == LABELS).all()


def test_masks_that_cannot_be_read(tmp_path):
    with pytest.raises(FastganError, match="no such mask file"):
        read_mask(tmp_path / "none.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(FastganError, match="cannot be read as a mask"):
        read_mask(tmp_path / "broken.png")


def test_overlay_tints_the_object_alone():
    frame = np.full((20, 30, 3), 100, np.uint8)
    painted = overlay(frame, LABELS, alpha=0.5)
    assert painted[7, 6].tolist() == [114, 50, 50]  # half of 100 and half of (128, 0, 0)
    assert painted[0, 29].tolist() == [100, 100, 100]
    assert (frame == 100).all()


def test_bounding_box():
    assert bounding_box(LABELS == 1) == (3, 5, 6, 5)
    assert bounding_box(LABELS == 9) == (0, 0, 0, 0)


def test_folder_is_sorted_and_rgb(tmp_path):
    for number in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), np.full((8, 8, 3), (0, 0, 10 * number), np.uint8))
    source = open_source(tmp_path)
    assert len(source) == 3
    frames = list(source)
    assert [name for name, _ in frames] == ["00000", "00001", "00002"]
    assert frames[2][1][0, 0].tolist() == [20, 0, 0]


def test_video_round_trip(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", fps=10) as writer:
        for level in (0, 100, 200):
            writer.write(np.full((65, 97, 3), level, np.uint8))
    source = open_source(tmp_path / "clip.mp4")
    assert len(source) == 3
    assert source.fps == pytest.approx(10)
    assert [round(float(f.mean()), -2) for _, f in source] == [0, 100, 200]
    assert next(iter(source))[1].shape == (64, 96, 3)


def test_sources_that_are_none(tmp_path):
    with pytest.raises(FastganError, match="no such file"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(FastganError, match="in this folder"):
        open_source(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    with pytest.raises(FastganError, match="cannot be opened"):
        open_source(tmp_path / "clip.mp4")

"""GrabCut proposals against the drawn scene's truth, strokes, and boxes that cannot be used."""

import cv2
import numpy as np
import pytest

from fastgan_core.errors import FastganError
from fastgan_core.labels import bounding_box
from fastgan_core.scenes.scene import Scene
from fastgan_core.selection.outline import outline


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


def around(truth: np.ndarray, slack: float = 0.06) -> tuple[float, float, float, float]:
    x, y, width, height = bounding_box(truth)
    return x - slack * width, y - slack * height, (1 + 2 * slack) * width, (1 + 2 * slack) * height


def dab(size: tuple[int, int], x: int, y: int, radius: int) -> np.ndarray:
    return cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, -1) > 0


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
@pytest.mark.parametrize("index", [0, 200])
def test_a_box_gives_the_object_in_it(size, index):
    frame, labels = Scene(*size)[index]
    found = outline(frame, around(labels > 0))
    assert found.shape == labels.shape and found.dtype == bool
    assert iou(found, labels > 0) > 0.95
    assert (found == outline(frame, around(labels > 0))).all(), "the same box must give the same outline"


def test_a_box_over_the_images_edge_is_cut_off(scene):
    frame, labels = scene[0]
    x, y, width, height = bounding_box(labels)
    half = frame[:, x + width // 2 :].copy(), (labels > 0)[:, x + width // 2 :]
    found = outline(half[0], (-0.5 * width, y - 5, width + 5, height + 10))
    assert iou(found, half[1]) > 0.9


def test_strokes_alone_are_enough(scene):
    frame, labels = scene[0]
    x, y, width, height = bounding_box(labels)
    stroke = np.zeros(labels.shape, np.uint8)
    cv2.line(stroke, (x + width // 4, y + height // 2), (x + 3 * width // 4, y + height // 2), 1, 5)
    cv2.line(stroke, (x + width // 2, y + height // 5), (x + width // 2, y + 4 * height // 5), 1, 5)
    found = outline(frame, inside=stroke > 0)
    assert found[stroke > 0].all()
    assert iou(found, labels > 0) > 0.9


def test_strokes_correct_the_proposal():
    """Two balls of one colour in a box: a stroke takes one of them out, another one brings it back."""
    frame = np.full((240, 320, 3), (40, 90, 60), np.uint8)
    frame += np.random.default_rng(0).integers(0, 12, frame.shape, np.uint8)
    left, right = dab((240, 320), 110, 120, 40), dab((240, 320), 210, 120, 40)
    frame[left | right] = (200, 80, 30)
    box = (60, 70, 200, 100)
    assert iou(outline(frame, box), left | right) > 0.97
    off = dab((240, 320), 210, 120, 8)
    found = outline(frame, box, outside=off)
    assert not (found & off).any()
    # Colour alone would keep the rest of the right ball; the operator paints over more of it.
    off |= dab((240, 320), 210, 120, 38)
    found = outline(frame, box, outside=off)
    assert iou(found, left) > 0.9 and not (found & off).any()
    on = dab((240, 320), 210, 120, 4)
    found = outline(frame, box, inside=on, outside=off & ~on)
    assert found[on].all(), "what was painted on belongs to the object, however small"


def test_the_box_grows_to_a_stroke_outside_of_it(scene):
    frame, labels = scene[0]
    x, y, width, height = bounding_box(labels)
    part = (x - 5, y - 5, 0.7 * width, height + 10)
    assert iou(outline(frame, part), labels > 0) < 0.9
    stroke = dab(labels.shape, x + round(0.9 * width), y + height // 2, 4)
    assert iou(outline(frame, part, inside=stroke), labels > 0) > 0.9


def test_a_thin_stroke_counts_at_the_size_that_grabcut_works_at():
    frame, labels = Scene(1920, 1080)[0]
    x, y, width, height = bounding_box(labels)
    line = np.zeros(labels.shape, np.uint8)
    cv2.line(line, (x + 20, y + height + 60), (x + width - 20, y + height + 60), 1, 1)
    found = outline(frame, (x, y, width, height + 120), outside=line > 0)
    assert not found[line > 0].any() and iou(found, labels > 0) > 0.9


def test_an_object_of_the_colours_around_it_is_found_by_the_middle_of_the_box():
    rng = np.random.default_rng(1)
    frame = np.full((120, 160, 3), 100, np.uint8) + rng.integers(0, 30, (120, 160, 3), np.uint8)
    found = outline(frame, (50, 40, 60, 40))
    assert found[60, 80] and not found[:35].any()


BAD = {
    "outside": ((400, 300, 50, 50), "outside of the image of 320x240"),
    "outside to the left": ((-80, 20, 50, 50), "outside of the image"),
    "only its edge inside": ((315, 20, 50, 50), "outside of the image"),
    "too small": ((10, 10, 7, 50), "too small"),
    "empty": ((10, 10, 0, 0), "too small"),
    "everything": ((0, 0, 320, 240), "whole image"),
    "no number": ((10, 10, float("nan"), 20), "not made of numbers"),
    "no box and no stroke": (None, "neither a box nor a stroke"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_box_that_cannot_be_used_is_refused_in_words(scene, kind):
    box, words = BAD[kind]
    with pytest.raises(FastganError, match=words):
        outline(scene[0][0], box)


def test_strokes_all_over_leave_nothing(scene):
    frame, labels = scene[0]
    with pytest.raises(FastganError, match="nothing in the box stands out"):
        outline(frame, around(labels > 0), outside=np.ones(labels.shape, bool))


def test_strokes_and_frames_of_another_kind_are_refused(scene):
    frame, _ = scene[0]
    with pytest.raises(FastganError, match="strokes"):
        outline(frame, (10, 10, 50, 50), inside=np.zeros((10, 10), bool))
    with pytest.raises(FastganError, match="strokes"):
        outline(frame, (10, 10, 50, 50), inside=np.zeros(frame.shape[:2], np.uint8))
    with pytest.raises(FastganError, match="RGB"):
        outline(frame[..., 0], (10, 10, 50, 50))

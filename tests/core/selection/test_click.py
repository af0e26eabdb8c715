"""The outline of an object from one click."""

import numpy as np
import pytest

from fastgan_core.errors import FastganError
from fastgan_core.scenes.scene import Scene
from fastgan_core.selection.click import Looks, outline_at

SCENE = Scene(320, 240)


def iou(found, truth) -> float:
    return (found & truth).sum() / (found | truth).sum()


def seen(index):
    frame, labels = SCENE[index]
    rows, columns = np.nonzero(labels)
    return frame, labels > 0, int(columns.mean()), int(rows.mean())


@pytest.mark.parametrize("index", [0, 60, 200, 260])
def test_a_click_in_the_middle_is_enough_where_the_object_stands_out(index):
    frame, truth, x, y = seen(index)
    assert iou(outline_at(frame, x, y), truth) > 0.9


def test_other_objects_of_other_sizes_are_found_too():
    frame, truth, _, _ = seen(0)
    found = outline_at(frame, 278, 55)  # the orange one
    assert found[55, 278] and not (found & truth).any() and 500 < found.sum() < 3000


@pytest.mark.parametrize("index", [60, 200, 260])
def test_how_the_object_looked_finds_it_again(index):
    """It has turned, is lit otherwise and may be half as large; the click is off its middle."""
    before, mask, _, _ = seen(0)
    frame, truth, x, y = seen(index)
    assert iou(outline_at(frame, x + 8, y - 6, Looks(before, mask)), truth) > 0.85


def test_the_size_of_the_frame_that_it_was_seen_in_does_not_matter():
    large = Scene(640, 480)[0]
    frame, truth, x, y = seen(0)
    looks = Looks(large[0], large[1] > 0)
    assert iou(outline_at(frame, x, y, looks), truth) > 0.5


def test_the_same_click_gives_the_same_outline():
    frame, truth, x, y = seen(60)
    for looks in (None, Looks(frame, truth)):
        assert (outline_at(frame, x, y, looks) == outline_at(frame, x, y, looks)).all()


@pytest.mark.parametrize("corner", [(0, 0), (319, 239), (319, 0)])
def test_a_click_in_a_corner_is_answered(corner):
    frame, truth, _, _ = seen(0)
    for looks in (None, Looks(frame, truth), Looks(frame, truth & False)):
        try:
            assert outline_at(frame, *corner, looks).shape == truth.shape
        except FastganError as error:
            assert "drag a box" in str(error)


def test_where_nothing_stands_out_it_says_so():
    with pytest.raises(FastganError, match="nothing at this place stands out"):
        outline_at(np.full((120, 160, 3), 90, np.uint8), 80, 60)

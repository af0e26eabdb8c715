"""The yardsticks: what they do, and the figures that they are known for."""

import numpy as np
import pytest
from footage import Video

from fastgan_core.data.folders import davis_sequences
from fastgan_core.errors import FastganError
from fastgan_core.evaluation.baselines import Flow, Repeat
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.evaluation.scoring import validate


@pytest.mark.parametrize("method", [Repeat, Flow])
def test_without_a_reference_nothing_is_found_and_a_bad_one_is_refused(method):
    frame, labels = Video()[0]
    assert not method().step(frame).labels.any()
    with pytest.raises(FastganError, match="empty"):
        method().set_reference(frame, labels * 0)
    with pytest.raises(FastganError, match="10x10"):
        method().set_reference(frame, labels[:10, :10])


def test_repeat_keeps_the_first_mask_and_adds_to_it():
    method, video = Repeat(), Video()
    method.set_reference(video[0][0], np.where(video[0][1] == 1, 1, 0))
    method.set_reference(video[3][0], np.where(video[3][1] == 2, 2, 0), "add")
    assert (method.step(video[8][0]).labels == video[3][1]).all()
    method.set_reference(video[5][0], np.where(video[5][1] == 2, 2, 0))
    assert np.unique(method.step(video[8][0]).labels).tolist() == [0, 2]


def test_flow_follows_a_camera_that_turns_and_keeps_objects_apart():
    method, (texture, labels) = Flow(), Video()[0]
    method.set_reference(texture, labels)
    for shift in range(2, 31, 2):
        found = method.step(np.roll(texture, shift, axis=1)).labels
    truth = np.roll(labels, 30, axis=1)
    for number in (1, 2):
        assert region_similarity(truth == number, found == number) > 0.9
        assert region_similarity(truth == number, labels == number) == 0  # it did move


def test_flow_adds_an_object_over_what_is_there():
    method, video = Flow(), Video()
    method.set_reference(*video[0])
    patch = np.zeros_like(video[0][1], np.uint16)
    patch[10:30, 30:40] = 300  # half of object 1
    method.set_reference(video[0][0], patch, "add")
    labels = method.step(video[0][0]).labels
    assert labels.dtype == np.uint16
    assert {n: int((labels == n).sum()) for n in (1, 2, 300)} == {1: 200, 2: 400, 300: 200}


@pytest.mark.parametrize(("method", "region", "contour"), [(Repeat, 0.309, 0.300), (Flow, 0.318, 0.366)])
def test_the_published_figures_are_reached(davis_copy, method, region, contour):
    mean = validate(method(), davis_sequences(davis_copy, "val"))
    assert mean["J-Mean"] == pytest.approx(region, abs=0.001)
    assert mean["F-Mean"] == pytest.approx(contour, abs=0.001)

"""Marking objects on a frozen frame, and the picture of it; no display and no ROS."""

import numpy as np
import pytest

from fastgan_core.labels import bounding_box
from fastgan_core.media.painting import PALETTE
from fastgan_core.scenes.scene import Scene
from fastgan_core.selection.click import Looks
from fastgan_ros.operator.marking import Selection
from fastgan_ros.operator.marks import BOX, CLICK, INSIDE, OUTSIDE, paint
from fastgan_ros.operator.selection_panel import FROZEN_KEYS, LIVE_KEYS, Row, wrapped
from fastgan_ros.operator.selection_view import Shown, View

FRAME, TRUTH = Scene(320, 240)[0]
X, Y, WIDTH, HEIGHT = bounding_box(TRUTH > 0)
CENTRE = X + WIDTH // 2, Y + HEIGHT // 2


def iou(found, truth=TRUTH > 0) -> float:
    return (found & truth).sum() / (found | truth).sum()


def drag(selection, *points, kind=INSIDE, radius=3, looks=None) -> bool:
    selection.press(*points[0], kind, radius)
    for point in points[1:]:
        selection.move(*point)
    return selection.release(looks)


def outlined(selection) -> Selection:
    while job := selection.next_job():
        selection.settle(job, *job.run())
    return selection


@pytest.fixture
def selection():
    return Selection(FRAME, "its header")


def box_around(selection, margin=3):
    drag(selection, (X - margin, Y - margin), (X, Y + 5), (X + WIDTH + margin, Y + HEIGHT + margin))


def test_a_box_leads_to_the_object(selection):
    box_around(selection)
    assert selection.numbers == [1] and selection.actions_of(1)[0].kind == BOX
    assert iou(outlined(selection).labels() == 1) > 0.95
    assert selection.header == "its header" and selection.labels().dtype == np.uint8


def test_a_box_may_be_dragged_from_any_corner(selection):
    drag(selection, (X + WIDTH + 3, Y + HEIGHT + 3), (X - 3, Y - 3))
    assert iou(outlined(selection).labels() == 1) > 0.95


def test_after_the_box_drags_are_strokes_that_correct_it(selection):
    box_around(selection)
    before = outlined(selection).proposal(1)
    left = (X + 8, CENTRE[1]), (X + WIDTH // 2 - 8, CENTRE[1])
    drag(selection, *left, kind=OUTSIDE)
    after = outlined(selection).proposal(1)
    assert before[CENTRE[1], X + 20] and not after[CENTRE[1], X + 20]
    drag(selection, *left)  # what is painted last counts
    assert outlined(selection).proposal(1)[CENTRE[1], X + 20]


def test_a_click_proposes_the_object_there(selection):
    assert drag(selection, (CENTRE[0] + 5, CENTRE[1] - 4))
    assert iou(outlined(selection).labels() == 1) > 0.9
    assert not drag(selection, CENTRE), "a second click is a dot of a stroke"
    assert [action.kind for action in selection.actions_of(1)] == [CLICK, INSIDE]
    assert iou(outlined(selection).labels() == 1) > 0.9


def test_a_click_knows_how_the_object_looked():
    """Another frame of the scene, in which the object is half the size and lies in the shade of the tree."""
    scene = Scene(320, 240)
    frame, truth = scene[60]
    ys, xs = np.nonzero(truth)
    selection = Selection(frame, None)
    assert drag(selection, (int(xs.mean()), int(ys.mean())), looks=Looks(FRAME, TRUTH > 0))
    assert iou(outlined(selection).labels() == 1, truth > 0) > 0.85


def test_strokes_correct_what_a_click_found(selection):
    drag(selection, CENTRE)
    before = outlined(selection).proposal(1)
    drag(selection, (X + 8, CENTRE[1]), (X + WIDTH // 2 - 8, CENTRE[1]), kind=OUTSIDE)
    after = outlined(selection).proposal(1)
    assert before[CENTRE[1], X + 20] and not after[CENTRE[1], X + 20]
    assert (before & after).sum() > 0.7 * before.sum()
    assert selection.undo() and selection.next_job() is None
    assert (selection.proposal(1) == before).all(), "the click's own outline is back"


def test_a_stroke_taken_back_while_its_outline_is_sought_leaves_the_clicks(selection):
    drag(selection, CENTRE)
    before = outlined(selection).proposal(1)
    drag(selection, (X + 8, CENTRE[1]), (X + WIDTH // 2 - 8, CENTRE[1]), kind=OUTSIDE)
    job = selection.next_job()
    selection.undo()
    selection.settle(job, *job.run())
    assert selection.next_job() is None and (selection.proposal(1) == before).all()


def test_a_click_that_finds_nothing_leaves_nothing():
    selection = Selection(np.full((120, 160, 3), 90, np.uint8), None)
    assert drag(selection, (80, 60))
    job = selection.next_job()
    found, problem = job.run()
    selection.settle(job, found, problem)
    assert found is None and "stands out" in problem
    assert selection.numbers == [] and selection.next_job() is None
    assert drag(selection, (80, 60)), "the same click once more"
    job = selection.next_job()
    assert job is not None, "is looked into once more"
    selection.settle(job, *job.run())
    assert selection.numbers == []
    drag(selection, (60, 40), (100, 80))
    assert selection.actions_of(1)[0].kind == BOX


def test_strokes_alone_are_enough(selection):
    selection.tool = INSIDE
    drag(selection, (X + 12, CENTRE[1]), (X + WIDTH - 12, CENTRE[1]))
    assert selection.actions_of(1)[0].kind == INSIDE
    selection.tool = INSIDE
    drag(selection, (CENTRE[0], Y + 12), (CENTRE[0], Y + HEIGHT - 12))
    assert iou(outlined(selection).labels() == 1) > 0.8


def test_a_stroke_on_the_background_may_come_first(selection):
    drag(selection, (X, Y - 8), (X + WIDTH, Y - 8), kind=OUTSIDE)
    assert "neither a box nor a stroke" in outlined(selection).problem()
    box_around(selection)
    assert not outlined(selection).problem() and iou(selection.labels() == 1) > 0.95


def test_a_box_can_be_drawn_anew(selection):
    drag(selection, (5, 5), (60, 60))
    selection.tool = BOX
    drag(selection, CENTRE)  # a click is no box
    assert len(selection.actions_of(1)) == 1
    box_around(selection)
    assert selection.hints(1).box == (X - 3, Y - 3, WIDTH + 7, HEIGHT + 7)
    assert selection.tool is None


def test_undo_goes_back_mark_by_mark_over_objects(selection):
    box_around(selection)
    before = outlined(selection).labels()
    drag(selection, CENTRE, (CENTRE[0] + 9, CENTRE[1]), kind=OUTSIDE)
    selection.current = 2
    drag(selection, (200, 20), (260, 70))
    assert outlined(selection).numbers == [1, 2]
    assert selection.undo() and selection.numbers == [1] and selection.current == 2
    assert selection.undo() and (outlined(selection).labels() == before).all() and selection.current == 1
    assert selection.undo() and not selection.labels().any()
    assert not selection.undo()


def test_what_is_marked_while_an_outline_is_sought_brings_another(selection):
    box_around(selection)
    job = selection.next_job()
    drag(selection, CENTRE, (CENTRE[0] + 9, CENTRE[1]), kind=OUTSIDE)
    selection.settle(job, *job.run())
    assert selection.proposal(1) is not None and not selection.settled(1)
    again = selection.next_job()
    assert again.hints.outside.any() and not job.hints.outside.any()
    selection.settle(again, *again.run())
    assert selection.next_job() is None


def test_two_objects_have_their_ids_and_the_later_one_lies_on_top(selection):
    box_around(selection)
    selection.current = 7
    drag(selection, (CENTRE[0] - 20, CENTRE[1] - 20), (CENTRE[0] + 20, CENTRE[1] + 20))
    labels = outlined(selection).labels()
    assert set(np.unique(labels)) == {0, 1, 7}
    assert (labels[selection.proposal(7)] == 7).all()


@pytest.mark.parametrize(("number", "kind"), [(254, np.uint8), (256, np.uint16), (300, np.uint16), (65535, np.uint16)])
def test_ids_of_two_bytes(selection, number, kind):
    """A tracker whose mask_encoding is mono16 has them."""
    selection.current = number
    box_around(selection)
    labels = outlined(selection).labels()
    assert labels.dtype == kind and set(np.unique(labels)) == {0, number}
    picture = View().draw(shown(selection=selection, current=number, rows=[Row(number, "lost")]))
    assert picture.dtype == np.uint8


def test_what_leads_to_no_outline_is_said(selection):
    drag(selection, (5, 5), (11, 30))
    assert "Object 1: the box of 7x26 pixels is too small" in outlined(selection).problem()
    assert not selection.labels().any()


def test_what_cannot_be_sent_is_said(selection):
    assert "Nothing is marked yet" in selection.fault()
    box_around(selection)
    assert outlined(selection).fault() == ""
    selection.current = 2
    box_around(selection)
    assert outlined(selection).fault() == "Object 1 is wholly under another one."


def test_marks_end_at_the_edge_of_the_image(selection):
    drag(selection, (300, 220), (1000, -40))
    assert selection.actions_of(1)[0].points == ((300, 220), (319, 0))
    selection.press(5, 5, INSIDE, 3)
    selection.cancel()
    assert not selection.release() and len(selection.actions_of(1)) == 1


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_stroke_is_painted_where_it_was_drawn(scale):
    selection = Selection(np.zeros((60, 80, 3), np.uint8), None)
    drag(selection, (20, 30), (60, 30), kind=OUTSIDE, radius=4)
    canvas = np.zeros((round(60 * scale), round(80 * scale)), np.uint8)
    paint(canvas, selection.actions_of(1)[0], 1, scale)
    assert canvas[round(30 * scale), round(20 * scale) : round(60 * scale)].all()
    assert canvas.sum() == pytest.approx((40 * 9 + np.pi * 4.5**2) * scale**2, rel=0.3)


def shown(**changes) -> Shown:
    rows = [Row(1, "tracked"), Row(2, "lost")]
    return Shown(FRAME, TRUTH, None, 1, rows, "All is well.")._replace(**changes)


@pytest.mark.parametrize("size", [(64, 48), (320, 240), (640, 480), (1920, 1080), (480, 640)])
def test_places_in_the_window_are_places_in_the_image(size):
    view = View()
    picture = view.draw(shown(frame=np.full((size[1], size[0], 3), (9, 99, 199), np.uint8), labels=None))
    assert picture.shape[0] <= 800 and picture.shape[1] <= 1280, "fits a laptop's screen"
    right, bottom = round(size[0] * view.scale) - 1, round(size[1] * view.scale) - 1
    assert view.to_image(0, 0) == (0, 0)
    for found, last in zip(view.to_image(right, bottom), size, strict=True):
        assert last - max(1 / view.scale, 1) <= found < last
    assert view.on_image(right, bottom) and not view.on_image(right + 5, 5)
    assert (picture[bottom // 2, right // 2] == (9, 99, 199)).all()


def test_a_click_on_a_name_finds_the_object():
    view = View()
    picture = view.draw(shown())
    column = round(320 * view.scale) + 30
    hits = [view.object_at(column, y) for y in range(picture.shape[0])]
    assert hits.count(1) == hits.count(2) > 15
    assert (picture[hits.index(2) + 13, round(320 * view.scale) + 25] == PALETTE[2]).all(), "its colour is beside it"
    assert view.object_at(50, hits.index(1)) is None, "on the image"


def test_the_brush_has_the_size_on_the_screen_whatever_the_camera():
    view = View()
    view.draw(shown(frame=np.zeros((1080, 1920, 3), np.uint8), labels=None))
    assert view.radius == 12
    for _ in range(30):
        view.change_brush(1.25)
    assert view.radius == 120
    for _ in range(30):
        view.change_brush(0.8)
    assert view.radius == 4


def test_frozen_and_live_are_told_apart(selection):
    box_around(selection)
    outlined(selection)
    view = View()
    live, frozen = view.draw(shown()), view.draw(shown(selection=selection, cursor=(5, 5)))
    assert live.shape == frozen.shape
    inside = tuple(round(at * view.scale) for at in CENTRE[::-1])
    assert not (frozen[inside] == view.draw(shown(labels=None))[inside]).all(), "the proposal is seen"
    # The live image stays in view beside the frozen one, with its masks.
    panel = np.s_[12:160, round(320 * view.scale) + 16 : round(320 * view.scale) + 200]
    assert np.abs(frozen[panel].astype(int) - live[panel]).mean() > 20
    plain = view.draw(shown(selection=selection, labels=None))
    assert (plain[panel] != frozen[panel]).any()


def test_without_an_image_there_is_still_a_window_that_says_why():
    silent = View().draw(shown(frame=None, labels=None, rows=[], status="Nobody publishes /image.", warning=True))
    other = View().draw(shown(frame=None, labels=None, rows=[], status="", warning=True))
    assert (silent[-64:] != other[-64:]).any() and (silent[:-64] == other[:-64]).all()


@pytest.mark.parametrize("keys", [FROZEN_KEYS, LIVE_KEYS])
def test_the_keys_have_room_in_the_panel(keys, selection):
    view, rows = View(), [Row(n, "tracked") for n in range(1, 4)]
    frozen = selection if keys is FROZEN_KEYS else None
    with_keys = view.draw(shown(selection=frozen, rows=rows))
    without = view.draw(shown(selection=frozen, rows=rows, keys=False))
    lines = np.flatnonzero((with_keys != without)[:, round(320 * view.scale) + 14 :].any((1, 2)))
    assert lines[-1] - lines[0] > 19 * (len(keys) - 1), "the last key is drawn"


def test_long_messages_are_wrapped():
    text = "Set object 1 on the frame of 1795665213.459169377 s. " * 3
    lines = wrapped(text, 500, 0.5)
    assert len(lines) > 1 and " ".join(lines) == text.strip()
    assert wrapped("", 500, 0.5) == [] and wrapped("word" * 100, 50, 0.5) == ["word" * 100]

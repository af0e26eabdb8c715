"""Where the paper's network looks for an object that is lost, and what it keeps of it."""

import pytest
import torch

from fastgan_core.tracking.objects import Objects
from fastgan_core.tracking.paper_network import PaperNetwork, PaperState, Seen


@pytest.fixture
def two():
    """Two objects; the first is marked in the upper left corner and lost."""
    reference = torch.zeros(2, 1, 8, 8)
    reference[:, :, 0, 0] = 1
    small, masks = torch.zeros(256, 256, 3, dtype=torch.uint8), torch.zeros(2, 1, 256, 256)
    masks[:, :, :32, :32] = 1
    no, zero = torch.zeros(2, dtype=torch.bool), torch.zeros(2, dtype=torch.int32)
    state = PaperState(reference, masks, torch.zeros(2, 1, 64, 64), masks, no, zero, zero)
    objects = Objects.new((1, 2), small, masks, state, torch.zeros(2, 0))
    objects.lost[0] = True
    return objects


def after(objects: Objects, scores: list[float], mask: float = 0.5) -> Objects:
    """The state after a frame in which both objects cover as much as ever."""
    masks, memory = torch.full((2, 1, 256, 256), mask), torch.ones(2, 1, 64, 64)
    seen = Seen(memory, objects.state.searching(objects.lost).place, objects.lost)
    verdict = objects.judged(torch.tensor(scores), objects.usual, 0.5, PaperNetwork.trust)
    state = PaperNetwork.keep(None, objects.state, seen, masks, verdict)
    return objects.advanced(state, objects.usual, objects.looks[:, -1], objects.features[:, -1], verdict, 0.0)


def test_a_lost_object_is_looked_for_where_it_was_and_about_the_whole_frame(two):
    places = []
    for turn in range(14):
        sought = two.state.searching(two.lost)
        lost, other = sought.placed()[:, 0]
        assert other[0, 0] == 1
        assert torch.equal(sought.previous[1], two.state.previous[1])
        if turn % 2 == 0:  # where it was last seen
            assert lost[0, 0] == 1
            assert torch.equal(sought.previous[0], two.state.last[0])
        else:  # with the reference alone
            places.append(tuple(lost.nonzero()[0].tolist()))
            assert not sought.previous[0].any()
        two = after(two, [0.05, 0.95])
        assert two.lost.tolist() == [True, False]
        assert not two.state.previous[0].any()
    assert set(places) == {(row, column) for row in (0, 4) for column in (0, 2, 4, 6)} - {(0, 0)}


def test_what_may_be_the_object_is_followed_before_it_is_taken_for_it(two):
    two = after(after(two, [0.05, 0.95]), [0.4, 0.95])  # promising at the second turn, elsewhere
    tried = two.state.searching(two.lost)
    assert (two.lost[0], two.state.trial[0]) == (True, True)
    assert two.state.previous[0].any()
    assert tried.place[0] != two.state.place[0]
    assert torch.equal(tried.previous, two.state.previous)
    failed = after(two, [0.05, 0.95])
    assert (failed.lost[0], failed.state.trial[0], failed.state.previous[0].any()) == (True, False, False)
    assert failed.state.place[0] == two.state.place[0]
    found = after(two, [0.95, 0.95])
    assert (found.lost[0], found.state.place[0], found.state.turn[0]) == (False, tried.place[0], 0)
    assert torch.equal(found.state.last[0], found.state.previous[0])


def test_an_object_that_is_followed_is_kept_with_less_than_it_takes_to_find_it(two):
    unsure = after(two, [0.6, 0.6])
    assert unsure.lost.tolist() == [True, False]
    assert torch.equal(unsure.state.last[1], two.state.last[1])  # not sure enough to be remembered
    assert after(two, [0.6, 0.4]).lost.tolist() == [True, True]

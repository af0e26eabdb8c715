"""The default network as the tracker uses it: a finite memory of each object, in slots that are never more."""

from typing import NamedTuple

import torch

from fastgan_core.model import STRIDE
from fastgan_core.model.lite_step import LAST, RING, SLOTS, LiteStep
from fastgan_core.tracking.evidence import embedding, followed, resemblance
from fastgan_core.tracking.network import VIEWS, Network, Verdict, fit

EVERY = 5  # frames from one of the ring to the next


class LiteState(NamedTuple):
    """Of N objects at the network's size ``(h, w)``; ``SLOTS`` frames of ``h/16 * w/16`` cells are remembered."""

    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, 32, h/4, w/4) last decoder feature of the last frame
    keys: torch.Tensor  # (N, SLOTS, h/16, w/16, KEY)
    values: torch.Tensor  # (N, SLOTS, h/16, w/16, VALUE)
    absent: torch.Tensor  # (N, SLOTS), 0, or -inf where nothing is remembered
    turn: torch.Tensor  # (N,) int32, place in the round of EVERY * RING frames that the ring is filled in
    added: torch.Tensor  # (N,) int32, views that were added to the reference, those that gave way to others included
    embeddings: torch.Tensor  # (N, VIEWS + 1, KEY) float32 of each object where it was marked, and lately; evidence.py

    def resized(self, size: tuple[int, int]) -> "LiteState":
        def fit_slots(x: torch.Tensor) -> torch.Tensor:
            fitted = fit(x.flatten(0, 1).permute(0, 3, 1, 2), size, 16).permute(0, 2, 3, 1)
            return fitted.unflatten(0, x.shape[:2]).contiguous()

        return self._replace(
            previous=fit(self.previous, size, 1),
            memory=fit(self.memory, size, 4),
            keys=fit_slots(self.keys),
            values=fit_slots(self.values),
        )


class Seen(NamedTuple):
    """What a step leaves for the state after the frame."""

    memory: torch.Tensor  # as in the state
    key: torch.Tensor  # (1, h/16, w/16, KEY) of the frame
    value: torch.Tensor  # (N, h/16, w/16, VALUE)


class LiteNetwork(Network):
    """:class:`Lite`, or a file of ``fastgan export`` that holds it.

    A lost object is looked for with what is remembered of it, about the whole frame, as one that is followed is: only
    what says where it was a moment ago is put aside.
    """

    # A stranger does not get as far as 0.5, and what comes back into view is seen in part at first. With a weight under
    # 0.25 an object that comes nearer fast is lost, with more what slides in before one is learnt.
    regained, sure, follows = 0.5, 0.8, 0.25

    def start(self, image: torch.Tensor, masks: torch.Tensor) -> LiteState:
        count, _, height, width = masks.shape
        shapes = LiteStep.ends(self.variant, count, height // STRIDE, width // STRIDE)[0]
        memory, keys, values, absent, zero = (
            masks.new_zeros(shapes[name]) for name in ("memory", "keys", "values", "absent", "lost")
        )
        memory = memory.contiguous(memory_format=torch.channels_last)
        zero = zero.to(torch.int32)
        unknown = torch.zeros(count, VIEWS + 1, keys.shape[-1], device=masks.device)
        state = LiteState(masks, memory, keys, values, absent, zero, zero.clone(), unknown)
        return self._marked(image, state, torch.zeros_like(zero), torch.zeros_like(zero))

    def add_view(self, image: torch.Tensor, masks: torch.Tensor, state: LiteState) -> LiteState:
        # The places of the ring that are not filled with views, from its end on; when all are, the oldest gives way.
        view = state.added % (VIEWS - 1)
        state = state._replace(previous=masks, memory=torch.zeros_like(state.memory), added=state.added + 1)
        return self._marked(image, state, SLOTS - 1 - view, 1 + view)

    def _marked(self, image: torch.Tensor, state: LiteState, slots: torch.Tensor, views: torch.Tensor) -> LiteState:
        """The state once ``previous`` was remembered in a slot of each object, beside its views alone.

        What the tracker remembered by itself goes: somebody who marks an object once more may do so because it drifts.
        """
        no = torch.zeros_like(state.absent[:, 0])
        _, _, key, value = self.runner(image, *state[:5], no, no + 1)
        places = torch.arange(SLOTS, device=slots.device)
        taken = places == slots[:, None]
        cells = taken[:, :, None, None, None]
        kept = taken | (places == 0) | _pinned(places, state.added)
        view = torch.arange(VIEWS + 1, device=views.device)
        view = (view == views[:, None]) | (view == VIEWS)
        return state._replace(
            keys=torch.where(cells, key[:, None], state.keys),
            values=torch.where(cells, value[:, None], state.values),
            absent=torch.zeros_like(state.absent).masked_fill(~kept, float("-inf")),
            embeddings=torch.where(view[:, :, None], embedding(key, state.previous)[:, None], state.embeddings),
        )

    def step(self, image: torch.Tensor, state: LiteState, lost: torch.Tensor) -> tuple[torch.Tensor, Seen]:
        lost = lost.to(state.absent.dtype)
        logits, *seen = self.runner(image, *state[:5], lost, torch.zeros_like(lost))
        return logits, Seen(*seen)

    def resemblance(self, state: LiteState, seen: Seen, pixels: torch.Tensor) -> torch.Tensor:
        return resemblance(embedding(seen.key, pixels), state.embeddings)

    def keep(self, state: LiteState, seen: Seen, masks: torch.Tensor, verdict: Verdict) -> LiteState:
        lost = verdict.lost
        kept = (~lost).view(-1, 1, 1, 1).to(seen.memory.dtype)
        turn = (state.turn + 1) % (EVERY * RING)
        slots = torch.arange(SLOTS, device=turn.device)
        last = (slots == LAST).expand(len(turn), -1)
        due = (turn % EVERY == 0) & verdict.sure
        ring = (slots == LAST + 1 + (turn // EVERY)[:, None]) & due[:, None]
        taken = (last & ~lost[:, None]) | (ring & ~_pinned(slots, state.added))
        cells = taken[:, :, None, None, None]
        return LiteState(
            previous=masks.to(seen.memory.dtype) * kept,
            memory=seen.memory * kept,
            keys=torch.where(cells, seen.key[:, None], state.keys),
            values=torch.where(cells, seen.value[:, None], state.values),
            absent=state.absent.masked_fill(taken, 0).masked_fill(last & lost[:, None], float("-inf")),
            turn=turn,
            added=state.added,
            embeddings=followed(state.embeddings, embedding(seen.key, masks > 0.5), verdict.sure, self.follows),
        )


def _pinned(slots: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    """Whether each of the slots has an added view, ``(N, SLOTS) bool``."""
    return slots >= SLOTS - added.clamp(max=VIEWS - 1)[:, None]

"""The default network as the tracker uses it: a finite memory of each object, in slots that are never more."""

from typing import NamedTuple

import torch

from fastgan_core.model import STRIDE
from fastgan_core.model.lite import merged, quartered
from fastgan_core.model.lite_step import LAST, RING, SLOTS, WHOLE, LiteStep
from fastgan_core.tracking.evidence import embedding
from fastgan_core.tracking.network import VIEWS, Network, Trust, Verdict, fit

EVERY = 5  # frames from one of the ring to the next


class LiteState(NamedTuple):
    """Of N objects at the network's size ``(h, w)``; ``SLOTS`` frames are remembered, those of the ring at half the
    resolution."""

    memory: torch.Tensor  # (N, 32, h/4, w/4) last decoder feature of the last frame
    keys: torch.Tensor  # (N, WHOLE, h/16, w/16, KEY)
    values: torch.Tensor  # (N, WHOLE, h/16, w/16, VALUE)
    ring_keys: torch.Tensor  # (N, RING, h/32, w/32, KEY)
    ring_values: torch.Tensor  # (N, RING, h/32, w/32, VALUE)
    absent: torch.Tensor  # (N, SLOTS), 0, or -inf where nothing is remembered
    turn: torch.Tensor  # (N,) int32, place in the round of EVERY * RING frames that the ring is filled in
    added: torch.Tensor  # (N,) int32, views that were added to the reference, those that gave way to others included

    def resized(self, size: tuple[int, int]) -> "LiteState":
        def fit_slots(x: torch.Tensor, stride: int) -> torch.Tensor:
            fitted = fit(x.flatten(0, 1).permute(0, 3, 1, 2), size, stride).permute(0, 2, 3, 1)
            return fitted.unflatten(0, x.shape[:2]).contiguous()

        return self._replace(
            memory=fit(self.memory, size, 4),
            keys=fit_slots(self.keys, 16),
            values=fit_slots(self.values, 16),
            ring_keys=fit_slots(self.ring_keys, 32),
            ring_values=fit_slots(self.ring_values, 32),
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
    trust = Trust(regained=0.5, sure=0.8, follows=0.25)

    def start(self, image: torch.Tensor, masks: torch.Tensor) -> tuple[LiteState, torch.Tensor]:
        count, _, height, width = masks.shape
        shapes = LiteStep.ends(self.variant, count, height // STRIDE, width // STRIDE)[0]
        memory, *slots, zero = (
            masks.new_zeros(shapes[name])
            for name in ("memory", "keys", "values", "ring_keys", "ring_values", "absent", "lost")
        )
        memory = memory.contiguous(memory_format=torch.channels_last)
        zero = zero.to(torch.int32)
        state = LiteState(memory, *slots, zero, zero.clone())
        return self._marked(image, state, masks, torch.zeros_like(zero))

    def add_view(self, image: torch.Tensor, masks: torch.Tensor, state: LiteState) -> tuple[LiteState, torch.Tensor]:
        # The places of the ring that are not filled with views, from its end on; when all are, the oldest gives way.
        slots = SLOTS - 1 - state.added % (VIEWS - 1)
        state = state._replace(memory=torch.zeros_like(state.memory), added=state.added + 1)
        return self._marked(image, state, masks, slots)

    def _marked(
        self, image: torch.Tensor, state: LiteState, masks: torch.Tensor, slots: torch.Tensor
    ) -> tuple[LiteState, torch.Tensor]:
        """The state once the masks were remembered in a slot of each object, beside its views alone.

        What the tracker remembered by itself goes: somebody who marks an object once more may do so because it drifts.
        """
        no = torch.zeros_like(state.absent[:, 0])
        seen = Seen(*self.runner(image, quartered(masks), *_inputs(state), no, no + 1)[1:])
        places = torch.arange(SLOTS, device=slots.device)
        taken = places == slots[:, None]
        kept = taken | (places == 0) | _pinned(places, state.added)
        absent = torch.zeros_like(state.absent).masked_fill(~kept, float("-inf"))
        return _remembering(state, seen, taken)._replace(absent=absent), self.features(seen, masks)

    def step(self, image: torch.Tensor, state: LiteState, lost: torch.Tensor) -> tuple[torch.Tensor, Seen]:
        lost = lost.to(state.absent.dtype)
        marks = torch.zeros_like(state.memory[:, :1])
        logits, *seen = self.runner(image, marks, *_inputs(state), lost, torch.zeros_like(lost))
        return logits, Seen(*seen)

    def features(self, seen: Seen, pixels: torch.Tensor) -> torch.Tensor:
        return embedding(seen.key, pixels)

    def keep(self, state: LiteState, seen: Seen, masks: torch.Tensor, verdict: Verdict) -> LiteState:
        lost = verdict.lost
        kept = (~lost).view(-1, 1, 1, 1).to(seen.memory.dtype)
        turn = (state.turn + 1) % (EVERY * RING)
        slots = torch.arange(SLOTS, device=turn.device)
        last = (slots == LAST).expand(len(turn), -1)
        due = (turn % EVERY == 0) & verdict.sure
        ring = (slots == LAST + 1 + (turn // EVERY)[:, None]) & due[:, None]
        taken = (last & ~lost[:, None]) | (ring & ~_pinned(slots, state.added))
        return _remembering(state, seen, taken)._replace(
            memory=seen.memory * kept,
            absent=state.absent.masked_fill(taken, 0).masked_fill(last & lost[:, None], float("-inf")),
            turn=turn,
        )


def _inputs(state: LiteState) -> tuple[torch.Tensor, ...]:
    """What of a state a step is given."""
    return state[: LiteState._fields.index("absent") + 1]


def _remembering(state: LiteState, seen: Seen, taken: torch.Tensor) -> LiteState:
    """The state with a frame in the slots of each object that are ``taken (N, SLOTS) bool``."""

    def put(slots: torch.Tensor, new: torch.Tensor, taken: torch.Tensor) -> torch.Tensor:
        return torch.where(taken[:, :, None, None, None], new[:, None], slots)

    def fewer(x: torch.Tensor) -> torch.Tensor:
        return merged(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    whole, ring = taken[:, :WHOLE], taken[:, WHOLE:]
    return state._replace(
        keys=put(state.keys, seen.key, whole),
        values=put(state.values, seen.value, whole),
        ring_keys=put(state.ring_keys, fewer(seen.key), ring),
        ring_values=put(state.ring_values, fewer(seen.value), ring),
    )


def _pinned(slots: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    """Whether each of the slots has an added view, ``(N, SLOTS) bool``."""
    return slots >= SLOTS - added.clamp(max=VIEWS - 1)[:, None]

"""The default network as the tracker uses it: a finite memory of each object, in slots that are never more."""

from typing import NamedTuple

import torch
from torch import nn

from fastgan_core.aggregation import aggregate, others
from fastgan_core.model import STRIDE, Lite
from fastgan_core.model.lite import KEY, VALUE, WIDTHS
from fastgan_core.network import Network, Verdict, fit

# Slots of an object's memory, a frame in each: references, never forgotten; the last frame; a ring of earlier ones.
VIEWS, RING = 1, 3
LAST, SLOTS = VIEWS, VIEWS + 1 + RING
EVERY = 5  # frames from one of the ring to the next


class LiteStep(nn.Module):
    """One step of :class:`Lite`: a frame is read, the masks are found, and the frame is made a memory.

    What becomes a memory are the masks that this frame's own logits give, so that it is one graph for every runtime.
    A frame is made a memory of the masks in ``previous`` instead where an object is being ``marked`` in it.
    """

    def __init__(self, model: Lite):
        super().__init__()
        self.model = model

    def forward(self, image, previous, memory, keys, values, absent, lost, marked):
        lost, marked = lost.view(-1, 1, 1, 1) > 0.5, marked.view(-1, 1, 1, 1) > 0.5
        frame = self.model.encode(image)
        cells = absent[:, :, None, None].expand(-1, -1, keys.shape[2], keys.shape[3])
        found = self.model.read(frame, keys.flatten(1, 3), values.flatten(1, 3), cells.flatten(1))
        logits, memory = self.model.decode(frame, found, planes(previous, lost), memory)
        masks = torch.where(marked, previous, aggregate(logits.float(), lost).to(previous.dtype))
        value = self.model.remember(frame, planes(masks, lost))
        return logits, memory, frame.key.permute(0, 2, 3, 1), value.permute(0, 2, 3, 1)

    @staticmethod
    def ends(variant: str, objects, rows, columns) -> tuple[dict[str, tuple], dict[str, tuple]]:
        """Shapes of inputs and outputs by name, for a number of objects and of rows and columns of 32 pixels."""
        image, grid = (STRIDE * rows, STRIDE * columns), (2 * rows, 2 * columns)
        mask, memory = (objects, 1, *image), (objects, WIDTHS[0], 8 * rows, 8 * columns)
        inputs = {
            "image": (1, 3, *image),
            "previous": mask,
            "memory": memory,
            "keys": (objects, SLOTS, *grid, KEY),
            "values": (objects, SLOTS, *grid, VALUE),
            "absent": (objects, SLOTS),
            "lost": (objects,),
            "marked": (objects,),
        }
        outputs = {"logits": mask, "next_memory": memory, "key": (1, *grid, KEY), "value": (objects, *grid, VALUE)}
        return inputs, outputs


def planes(masks: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Each object's mask and the sum of all others that are not lost, at most 1.

    Args:
        masks: ``(N, 1, h, w)`` in [0, 1]. lost: ``(N, 1, 1, 1) bool``.

    Returns:
        ``(N, 2, h, w)``
    """
    shown = masks.masked_fill(lost, 0)
    return torch.cat([masks, others(shown, dim=0)], dim=1)


class LiteState(NamedTuple):
    """Of N objects at the network's size ``(h, w)``; ``SLOTS`` frames of ``h/16 * w/16`` cells are remembered."""

    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, 32, h/4, w/4) last decoder feature of the last frame
    keys: torch.Tensor  # (N, SLOTS, h/16, w/16, KEY)
    values: torch.Tensor  # (N, SLOTS, h/16, w/16, VALUE)
    absent: torch.Tensor  # (N, SLOTS), 0, or -inf where nothing is remembered
    turn: torch.Tensor  # (N,) int32, place in the round of EVERY * RING frames that the ring is filled in

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

    step_class = LiteStep

    def start(self, image: torch.Tensor, masks: torch.Tensor) -> LiteState:
        count, _, height, width = masks.shape
        shapes = LiteStep.ends(self.variant, count, height // STRIDE, width // STRIDE)[0]
        memory, keys, values, absent, no = (
            masks.new_zeros(shapes[name]) for name in ("memory", "keys", "values", "absent", "lost")
        )
        memory = memory.contiguous(memory_format=torch.channels_last)
        _, _, key, value = self.runner(image, masks, memory, keys, values, absent, no, no + 1)
        keys[:, 0], values[:, 0] = key, value
        absent[:, 1:] = float("-inf")
        return LiteState(masks, memory, keys, values, absent, torch.zeros_like(no, dtype=torch.int32))

    def step(self, image: torch.Tensor, state: LiteState, lost: torch.Tensor) -> tuple[torch.Tensor, Seen]:
        lost = lost.to(state.absent.dtype)
        logits, *seen = self.runner(image, *state[:-1], lost, torch.zeros_like(lost))
        return logits, Seen(*seen)

    def keep(self, state: LiteState, seen: Seen, masks: torch.Tensor, verdict: Verdict) -> LiteState:
        lost = verdict.lost
        kept = (~lost).view(-1, 1, 1, 1).to(seen.memory.dtype)
        turn = (state.turn + 1) % (EVERY * RING)
        slots = torch.arange(SLOTS, device=turn.device)
        last = (slots == LAST).expand(len(turn), -1)
        due = (turn % EVERY == 0) & verdict.sure
        ring = (slots == LAST + 1 + (turn // EVERY)[:, None]) & due[:, None]
        taken = (last & ~lost[:, None]) | ring
        cells = taken[:, :, None, None, None]
        return LiteState(
            previous=masks.to(seen.memory.dtype) * kept,
            memory=seen.memory * kept,
            keys=torch.where(cells, seen.key[:, None], state.keys),
            values=torch.where(cells, seen.value[:, None], state.values),
            absent=state.absent.masked_fill(taken, 0).masked_fill(last & lost[:, None], float("-inf")),
            turn=turn,
        )

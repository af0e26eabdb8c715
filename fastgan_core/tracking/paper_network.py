"""The paper's network as the tracker uses it: what it keeps of an object, and where it looks for a lost one."""

from typing import NamedTuple

import torch

from fastgan_core.model import STRIDE
from fastgan_core.model.paper_step import PaperStep
from fastgan_core.tracking.network import Network, Verdict, fit

PLACES = 8  # about the frame, four in a row and two rows, at which a lost object is looked for


class PaperState(NamedTuple):
    """Of N objects at the network's size ``(h, w)``."""

    reference: torch.Tensor  # (N, C, h/32, w/32) features of each object's reference
    previous: torch.Tensor  # (N, 1, h, w) soft mask of the last frame, in [0, 1]
    memory: torch.Tensor  # (N, w4, h/4, w/4) last decoder feature of the last frame
    last: torch.Tensor  # (N, 1, h, w) soft mask of the last frame in which it was surely seen
    trial: torch.Tensor  # (N,) bool; lost, but what may be the object is followed
    place: torch.Tensor  # (N,) int32, where about the frame the reference is put
    turn: torch.Tensor  # (N,) int32, frames in which it was looked for since it was lost

    def searching(self, lost: torch.Tensor) -> "PaperState":
        """What a frame is searched with; the state of the objects that are not lost, as it is.

        A lost object is looked for where it was last seen at every other turn, and with its reference alone
        elsewhere in between: the matching convolution sees three places of 1/32 to each side of where the object
        was in its reference, so one that comes back further away is found when its reference is put there.
        """
        elsewhere = self.turn % 2
        place = torch.where(lost, self.place + elsewhere * (1 + self.turn // 2 % (PLACES - 1)), self.place) % PLACES
        looking = (lost & ~self.trial).view(-1, 1, 1, 1)
        there = self.last * (1 - elsewhere).view(-1, 1, 1, 1).to(self.last.dtype)
        return self._replace(previous=torch.where(looking, there, self.previous), place=place)

    def placed(self) -> torch.Tensor:
        """The references, each at its place; what leaves the frame on one side comes in on the other."""
        height, width = self.reference.shape[-2:]
        right, down = self.place % 4 * (width // 4), self.place // 4 * (height // 2)
        rows = (torch.arange(height, device=down.device) - down.view(-1, 1)) % height
        columns = (torch.arange(width, device=right.device) - right.view(-1, 1)) % width
        cells = (rows[:, :, None] * width + columns[:, None]).view(-1, 1, height * width)
        flat = self.reference.flatten(2)
        return flat.gather(2, cells.expand_as(flat)).view_as(self.reference)

    def resized(self, size: tuple[int, int]) -> "PaperState":
        return self._replace(
            reference=fit(self.reference, size, STRIDE),
            previous=fit(self.previous, size, 1),
            memory=fit(self.memory, size, 4),
            last=fit(self.last, size, 1),
        )


class Seen(NamedTuple):
    """What a step leaves for the state after the frame."""

    memory: torch.Tensor  # as in the state
    place: torch.Tensor  # where the reference was put
    lost: torch.Tensor  # what was lost before the frame


class PaperNetwork(Network):
    """:class:`FaSTGAN`, or a file of ``fastgan export`` that holds it."""

    def __init__(self, runner):
        super().__init__(runner)
        model = getattr(runner, "model", None)
        # PyTorch runs the halves of the network on their own, a file can run the whole alone.
        self._regress = model or (lambda *inputs: runner(*inputs)[:2])
        self._encode = model.encode_reference if model else self._features

    def start(self, image: torch.Tensor, masks: torch.Tensor) -> tuple[PaperState, torch.Tensor]:
        reference = self._encode(image, masks)
        no = torch.zeros(len(masks), dtype=torch.bool, device=masks.device)
        zero = torch.zeros_like(no, dtype=torch.int32)
        state = PaperState(reference, masks, self._zeros(masks, "memory"), masks, no, zero, zero.clone())
        return state, self.features(None, masks.float())

    def step(self, image: torch.Tensor, state: PaperState, lost: torch.Tensor) -> tuple[torch.Tensor, Seen]:
        sought = state.searching(lost)
        logits, memory = self._regress(image, sought.previous, sought.placed(), state.memory)
        return logits, Seen(memory, sought.place, lost)

    def keep(self, state: PaperState, seen: Seen, masks: torch.Tensor, verdict: Verdict) -> PaperState:
        lost, trial, sure = verdict
        # What is left of an object that vanished would hold the network to the wrong place.
        kept = (~lost | trial).view(-1, 1, 1, 1).to(seen.memory.dtype)
        masks = masks.to(seen.memory.dtype)
        return state._replace(
            previous=masks * kept,
            memory=seen.memory * kept,
            last=torch.where(sure.view(-1, 1, 1, 1), masks, state.last),
            trial=trial,
            place=torch.where(lost, state.place, seen.place),
            turn=torch.where(lost, state.turn + (seen.lost & ~trial), 0),
        )

    def _features(self, image: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        return self.runner(image, masks, self._zeros(masks, "reference"), self._zeros(masks, "memory"))[2]

    def _zeros(self, masks: torch.Tensor, name: str) -> torch.Tensor:
        count, _, height, width = masks.shape
        shape = PaperStep.ends(self.variant, count, height // STRIDE, width // STRIDE)[0][name]
        return masks.new_zeros(shape).contiguous(memory_format=torch.channels_last)

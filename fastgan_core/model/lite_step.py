"""The default network as one step of the tracker: tensors in, tensors out, for every runtime."""

import torch
from torch import nn

from fastgan_core.model.aggregation import aggregate, others
from fastgan_core.model.lite import KEY, MERGED, VALUE, WIDTHS, Lite
from fastgan_core.model.regressor import STRIDE

# Slots of an object's memory, a frame in each: the reference, never forgotten; the last frame; a ring of earlier ones,
# in which one cell stands for four.
LAST, RING = 1, 5
WHOLE = LAST + 1
SLOTS = WHOLE + RING


class LiteStep(nn.Module):
    """One step of :class:`Lite`: a frame is read, the masks are found, and the frame is made a memory.

    What becomes a memory are the masks that this frame's own logits give, so that it is one graph for every runtime.
    Where an object is being ``marked`` in a frame, its mask in ``marks`` is made a memory instead.
    """

    def __init__(self, model: Lite):
        super().__init__()
        self.model = model

    def forward(self, image, marks, memory, keys, values, ring_keys, ring_values, absent, lost, marked):
        lost, marked = lost.view(-1, 1, 1, 1) > 0.5, marked.view(-1, 1, 1, 1) > 0.5
        frame = self.model.encode(image)
        found = self.model.read(
            frame,
            torch.cat([keys.flatten(1, 3), ring_keys.flatten(1, 3)], dim=1),
            torch.cat([values.flatten(1, 3), ring_values.flatten(1, 3)], dim=1),
            torch.cat([spread(absent[:, :WHOLE], keys), spread(absent[:, WHOLE:] + MERGED, ring_keys)], dim=1),
        )
        logits, memory = self.model.decode(frame, found, memory)
        masks = torch.where(marked, marks, aggregate(logits.float(), lost).to(marks.dtype))
        value = self.model.remember(frame, planes(masks, lost))
        return logits, memory, frame.key.permute(0, 2, 3, 1), value.permute(0, 2, 3, 1)

    @staticmethod
    def ends(variant: str, objects, rows, columns) -> tuple[dict[str, tuple], dict[str, tuple]]:
        """Shapes of inputs and outputs by name, for a number of objects and of rows and columns of 32 pixels."""
        image, grid = (STRIDE * rows, STRIDE * columns), (2 * rows, 2 * columns)
        quarter, ring = (8 * rows, 8 * columns), (objects, RING, rows, columns)
        masks, memory = (objects, 1, *quarter), (objects, WIDTHS[0], *quarter)
        inputs = {
            "image": (1, 3, *image),
            "marks": masks,
            "memory": memory,
            "keys": (objects, WHOLE, *grid, KEY),
            "values": (objects, WHOLE, *grid, VALUE),
            "ring_keys": (*ring, KEY),
            "ring_values": (*ring, VALUE),
            "absent": (objects, SLOTS),
            "lost": (objects,),
            "marked": (objects,),
        }
        outputs = {
            "logits": masks,
            "next_memory": memory,
            "key": (1, *grid, KEY),
            "value": (objects, *grid, VALUE),
        }
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


def spread(absent: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
    """What holds for slots ``(N, T)``, for each of the cells of ``(N, T, h, w, C)``: ``(N, T * h * w)``."""
    return absent[:, :, None, None].expand(-1, -1, *slots.shape[2:4]).flatten(1)

"""One frame for all objects, as device operations alone: nothing in here waits for the device."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.model.aggregation import aggregate, winners, won
from fastgan_core.tracking.evidence import colours, confidence, likeness
from fastgan_core.tracking.network import Network
from fastgan_core.tracking.objects import Objects


def to_image(small: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """``(h, w, 3) uint8 -> (1, 3, h, w)`` in [0, 1].

    Not channels_last: with three channels a CPU normalises that 20 times slower, and the first convolution
    takes either.
    """
    return small.permute(2, 0, 1)[None].float().div(255).to(dtype).contiguous()


def advance(
    network: Network, small: torch.Tensor, objects: Objects, threshold
) -> tuple[Objects, torch.Tensor, torch.Tensor]:
    """Run the network on a frame and resolve overlaps.

    Args:
        small: ``(h, w, 3) uint8`` at the network's size.
        threshold: score under which an object is lost; a float, or a tensor of one.

    Returns:
        the state after the frame, soft masks ``(N, 1, h, w) float32`` and scores ``(N,)``.
    """
    image = to_image(small, network.dtype)
    logits, seen = network.step(image, objects.state, objects.lost | ~objects.live)
    logits = logits.float().masked_fill(~objects.live.view(-1, 1, 1, 1), float("-inf"))
    masks = aggregate(logits, objects.lost)
    pixels, shares = won(masks)
    # Each object's own probability: that another one is near does not make its mask worse.
    sureness = (logits.sigmoid() * pixels).sum(dim=(1, 2, 3)) / pixels.sum(dim=(1, 2, 3)).clamp(min=1)
    found = colours(small, pixels)
    alike = likeness(found, objects.looks)
    scores = confidence(sureness, alike, network.resemblance(objects.state, seen, pixels))
    verdict = objects.judged(scores, shares, threshold, network.regained, network.sure)
    state = network.keep(objects.state, seen, masks, verdict)
    return objects.advanced(state, shares, found, verdict, network.follows), masks, scores


def device_labels(masks: torch.Tensor, lost: torch.Tensor, ids: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Label image ``(H, W)`` with the type of ``ids``.

    Soft masks are enlarged before the decision, for smooth contours.

    Args:
        masks: ``(N, 1, h, w)``. lost: ``(N,) bool``, objects to leave out. ids: ``(N,)`` integer.
    """
    visible = masks.masked_fill(lost.view(-1, 1, 1, 1), 0.0)
    index, inside = winners(F.interpolate(visible, size=size, mode="bilinear", align_corners=False)[:, 0])
    return torch.where(inside, ids[index], 0)


def host_labels(masks: np.ndarray, rows: list[int], ids: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """As :func:`device_labels`, for a CPU: bytes are enlarged ten times faster than floats.

    Args:
        masks: ``(N, 1, h, w)`` in [0, 1]. rows: those to paint.
    """
    labels = np.zeros(size, np.uint8 if max(ids) < 256 else np.uint16)
    best = others = None
    for row in rows:
        mask = np.rint(masks[row, 0] * 255).astype(np.uint8)
        mask = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        if best is None:
            labels[:] = ids[row]
            best, others = mask, np.zeros_like(mask)
        else:
            better = mask > best
            labels[better] = ids[row]
            others = cv2.add(others, cv2.min(best, mask))
            best = cv2.max(best, mask)
    if best is not None:  # inside: likelier than the background, which has what the masks leave
        labels[best <= cv2.bitwise_not(cv2.add(best, others))] = 0
    return labels

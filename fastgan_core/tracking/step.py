"""One frame for all objects, as device operations alone: nothing in here waits for the device."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from fastgan_core.model.aggregation import aggregate, won
from fastgan_core.tracking.evidence import colours, confidence, likeness, resemblance
from fastgan_core.tracking.network import Network
from fastgan_core.tracking.objects import Objects

LIMIT, FINE = 16, 1024  # of logits in label images: where they end, to each side, and steps of one


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
        the state after the frame, logits as of :meth:`.network.Network.step` in float32, and scores ``(N,)``.
    """
    image = to_image(small, network.dtype)
    logits, seen = network.step(image, objects.state, objects.lost | ~objects.live)
    logits = logits.float().masked_fill(~objects.live.view(-1, 1, 1, 1), float("-inf"))
    masks = aggregate(logits, objects.lost)
    pixels, shares = won(masks)
    # Each object's own probability: that another one is near does not make its mask worse.
    sureness = (logits.sigmoid() * pixels).sum(dim=(1, 2, 3)) / pixels.sum(dim=(1, 2, 3)).clamp(min=1)
    found, features = colours(small, pixels), network.features(seen, pixels)
    scores = confidence(sureness, likeness(found, objects.looks), resemblance(features, objects.features))
    verdict = objects.judged(scores, shares, threshold, network.trust)
    state = network.keep(objects.state, seen, masks, verdict)
    return objects.advanced(state, shares, found, features, verdict, network.trust.follows), logits, scores


def device_labels(logits: torch.Tensor, lost: torch.Tensor, ids: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Label image ``(H, W)`` with the type of ``ids``: at each pixel the likeliest object, if it is likelier than none.

    Logits are enlarged before the decision, as in training, for smooth contours.

    Args:
        logits: ``(N, 1, h, w)``. lost: ``(N,) bool``, objects to leave out. ids: ``(N,)`` integer.
    """
    visible = logits.masked_fill(lost.view(-1, 1, 1, 1), -LIMIT).clamp(-LIMIT, LIMIT)
    best, index = F.interpolate(visible, size=size, mode="bilinear", align_corners=False)[:, 0].max(dim=0)
    return torch.where(best > 0, ids[index], 0)


def host_labels(logits: np.ndarray, rows: list[int], ids: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """As :func:`device_labels`, for a CPU: short integers are enlarged and compared faster than floats.

    Args:
        logits: ``(N, 1, h, w)``. rows: those to paint.
    """
    labels = np.zeros(size, np.uint8 if max(ids) < 256 else np.uint16)
    best = np.zeros(size, np.int16)  # the background's
    for row in rows:
        level = (logits[row, 0].clip(-LIMIT, LIMIT) * FINE).astype(np.int16)
        level = cv2.resize(level, size[::-1], interpolation=cv2.INTER_LINEAR)
        labels[level > best] = ids[row]
        best = cv2.max(best, level)
    return labels

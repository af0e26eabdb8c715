"""The network over a clip as the tracker runs it, with the gradient through values and the temporal skip."""

import torch
import torch.nn.functional as F

from fastgan_core.data.synthesis import Clips
from fastgan_core.model.aggregation import others
from fastgan_core.model.lite import MERGED, Features, Lite, cells, each, enlarged, merged, quartered

FORMAT = torch.channels_last  # of images and of the weights of convolutions
EVERY = 2  # of the frames before the last, every so many stays in the memory; what the tracker keeps lies further apart


def unroll(model: Lite, clips: Clips, forget: torch.Tensor) -> torch.Tensor:
    """Run the network over clips.

    Args:
        forget: ``(K, B * O) bool``, objects that are lost before a step.

    Returns:
        logits ``(B, K, O, S, S) float32``, -10,000 for objects that are none. Nothing is detached.
    """
    count, frames, objects = clips.masks.shape[:3]
    images = clips.frames.flatten(0, 1).contiguous(memory_format=FORMAT)
    features = [f.unflatten(0, (count, frames)) for f in model.encode(images)]
    size = images.shape[-2:]

    def at(time: int) -> Features:
        return Features(*(f[:, time] for f in features))

    def kept(time: int, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of a frame, for the memory, from masks at 1/4."""
        frame, rows = at(time), planes(masks)
        return each(frame.key, len(rows)).expand(len(rows), -1, -1, -1).float(), model.remember(frame, rows).float()

    reference = kept(0, quartered(clips.masks[:, 0]))
    earlier, last = [], None
    memory = model.initial_memory(count * objects, size, images)
    outputs = []
    for time in range(1, frames):
        frame, lost = at(time), forget[time - 1].view(-1, 1, 1, 1)
        memory = memory.masked_fill(lost, 0)
        views = [reference, *([last] if last else []), *earlier]
        absent = [torch.zeros_like(keys[:, 0]).flatten(1) for keys, _ in views]
        if last:
            absent[1] = absent[1].masked_fill(lost.view(-1, 1), float("-inf"))
        absent[2:] = [weight + MERGED for weight in absent[2:]]
        # The likeness of keys is a difference of large numbers, too coarse in half precision.
        with torch.autocast(images.device.type, enabled=False):
            keys, values = (torch.cat([cells(x) for x in parts], dim=1) for parts in zip(*views, strict=True))
            found = model.read(frame._replace(key=frame.key.float()), keys, values, torch.cat(absent, dim=1))
        logits, memory = model.decode(frame, found, memory)
        logits = logits.float().unflatten(0, (count, objects))[:, :, 0]
        logits = logits.masked_fill(~clips.valid[:, :, None, None], -1e4)
        outputs.append(enlarged(logits, images))
        if time < frames - 1:
            if last and (time - 1) % EVERY == 0:
                earlier.append(tuple(merged(x) for x in last))
            last = kept(time, aggregated(logits))
    return torch.stack(outputs, dim=1)


def planes(masks: torch.Tensor) -> torch.Tensor:
    """``(B, O, S, S)`` as rows ``(B * O, 2, S, S)``: each object's mask and that of all the others."""
    return torch.stack([masks, others(masks, dim=1)], dim=2).flatten(0, 1)


def aggregated(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities ``(B, O, S, S)`` by the softmax over a clip's objects and a background logit of 0."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1).softmax(dim=1)[:, 1:]


def clip_loss(
    logits: torch.Tensor, clips: Clips, hard: float, dice: float, balance: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy over the worst pixels of each frame, and a Dice loss.

    Args:
        logits: result of :func:`unroll`. hard: share of the pixels that count. dice: weight of the Dice loss.
        balance: 1 weighs pixels by the share of the frame that is not theirs, object or background, as equation (2)
            does; 0 weighs all the same.

    Returns:
        loss and the mean IoU of the objects that are followed; scalars.
    """
    truth = clips.masks[:, 1:]
    numbers = torch.arange(1, truth.shape[2] + 1, device=truth.device, dtype=truth.dtype)
    target = torch.einsum("bkohw,o->bkhw", truth, numbers).long().flatten(0, 1)
    every = torch.cat([torch.zeros_like(logits[:, :, :1]), logits], dim=2).flatten(0, 1)
    entropy = F.cross_entropy(every, target, reduction="none")
    share = (target > 0).float().mean(dim=(-2, -1), keepdim=True)
    entropy = entropy * (1 - balance + 2 * balance * torch.where(target > 0, 1 - share, share))
    with torch.no_grad():  # of a sample: sorting all pixels takes longer than the network
        sample = entropy[:, ::4, ::4].flatten(1)
        least = sample.kthvalue(max(1, round((1 - hard) * sample.shape[1])), dim=1).values.view(-1, 1, 1)
        worst = (entropy >= least).float()
    entropy = (entropy * worst).sum() / worst.sum().clamp(min=1)
    found = every.softmax(dim=1)[:, 1:].view_as(truth)
    overlap, total = (found * truth).sum(dim=(-2, -1)), (found + truth).sum(dim=(-2, -1))
    present = (truth.sum(dim=(-2, -1)) > 0).float()
    loss = ((1 - 2 * overlap / total.clamp(min=1)) * present).sum() / present.sum().clamp(min=1)
    with torch.no_grad():
        sure = (found > 0.5).float()
        union = torch.maximum(sure, truth).sum(dim=(-2, -1)).clamp(min=1)
        iou = ((sure * truth).sum(dim=(-2, -1)) / union * present).sum() / present.sum().clamp(min=1)
    return entropy + dice * loss, iou

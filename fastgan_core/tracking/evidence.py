"""How sure the tracker may be of an object: the network's word, checked against what the object looks like.

The network is sure of its masks, also of those that cover something else while the object is out of sight. What they
cover then seldom has the object's colours, and seldom resembles it in features of the frame alone, where a network has
such.
"""

import torch
import torch.nn.functional as F

SHADES, TONES = 6, 4  # bins along each of two axes of chroma, and of brightness
BINS = SHADES * SHADES * TONES
STEP = 2  # every other pixel in each direction is counted
LEAST = 32  # with fewer of them a histogram says little about an object
COPIES = 32  # of each bin on a GPU, see _counted()
USUAL = 0.93  # likeness that is assumed of an object whose colours are not known
LEAST_CELLS = 4.0  # of a mask that covers fewer cells of the features they are those of what is around it
# Logistics; docs/lost_and_found.md says how their weights were found.
SURE, ALIKE, BIAS = 24.7, 16.1, -34.2
RESEMBLES, ALIKE_TOO, BIAS_TOO = 40.0, 10.0, -42.3  # where there is a resemblance; sureness says nothing beside it


def colours(small: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Histograms of colour, with the brightness relative to the frame's, so that more or less light changes little.

    Args:
        small: frame ``(h, w, 3) uint8 RGB``. masks: weight of each pixel, ``(N, 1, ...)`` at this resolution or one
            some times coarser.

    Returns:
        ``(N, BINS) float32``, each sums to 1; zeros for a mask of less than ``LEAST`` counted pixels.
    """
    red, green, blue = small[::STEP, ::STEP].float().unbind(-1)
    total = red + green + blue
    tone = _bins(total / (2 * total.mean()).clamp(min=1), TONES)
    total = total + 30  # dark pixels have no colour to speak of
    across = _bins(0.5 + 1.5 * (red - green) / total, SHADES)  # beyond 0 and 1 are pure colours alone
    down = _bins(0.5 + 0.75 * (red + green - 2 * blue) / total, SHADES)
    place = ((across * SHADES + down) * TONES + tone).flatten()
    weights = F.interpolate(masks.float(), size=tone.shape, mode="nearest").flatten(1)
    counts = _counted(place, weights, COPIES if place.is_cuda else 1)
    sizes = counts.sum(dim=1, keepdim=True)
    return counts / sizes.clamp(min=LEAST) * (sizes >= LEAST)


def _counted(place: torch.Tensor, weights: torch.Tensor, copies: int) -> torch.Tensor:
    """Sums ``(N, BINS)`` of the weights ``(N, P)`` of the pixels whose bin is ``place (P,)``.

    A GPU adds to one place one after another, so that there neighbours count into different copies of their bin.
    A product with rows of zeros and ones would do too, and needs 60 MB for 864x480 pixels.
    """
    if copies > 1:
        place = place * copies + torch.arange(len(place), device=place.device) % copies
    counts = weights.new_zeros(len(weights), BINS * copies).index_add_(1, place, weights)
    return counts.view(len(weights), BINS, copies).sum(dim=2) if copies > 1 else counts


def _bins(values: torch.Tensor, count: int) -> torch.Tensor:
    return (values * count).clamp(0, count - 1).long()  # an index of int32 takes 50 times as long


def likeness(found: torch.Tensor, looks: torch.Tensor) -> torch.Tensor:
    """Bhattacharyya coefficient of histograms and the likest of an object's looks: 1 = the same, 0 = nothing in common.

    ``USUAL`` where all looks are zeros: of an object so small where it was marked the network's word has to do.

    Args:
        found: ``(N, BINS)``. looks: ``(N, V, BINS)``, zeros where there are fewer than V.

    Returns:
        ``(N,)``
    """
    known = looks.sum(dim=(1, 2)) > 0
    return torch.where(known, (found[:, None] * looks).sqrt().sum(dim=2).amax(dim=1), USUAL)


def embedding(key: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The mean feature of what each mask covers, as persons and faces are told apart by.

    Args:
        key: of a frame, ``(1, h, w, C)``.
        masks: weight of each pixel, ``(N, 1, ...)`` at a resolution some times finer.

    Returns:
        ``(N, C) float32`` of length 1; zeros for a mask of less than ``LEAST_CELLS``.
    """
    weights = F.avg_pool2d(masks.float(), masks.shape[-1] // key.shape[2]).flatten(1)
    means = F.normalize(weights @ key[0].float().flatten(0, 1), dim=1)
    return means * (weights.sum(dim=1, keepdim=True) >= LEAST_CELLS)


def resemblance(found: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Cosine of what was found and the likest of what is known of an object; NaN where one of both is too small to say.

    Args:
        found: ``(N, C)``. known: ``(N, V, C)``, zeros where there are fewer than V; of :func:`followed` a little
            shorter than 1, the more the object changes.

    Returns:
        ``(N,)`` from 0 to 1.
    """
    there = found.any(dim=1) & known.any(dim=2).any(dim=1)
    alike = (found[:, None] * known).sum(dim=2).amax(dim=1).clamp(min=0)
    return torch.where(there, alike, torch.nan)


def followed(looks: torch.Tensor, found: torch.Tensor, sure: torch.Tensor, rate: float) -> torch.Tensor:
    """What is known of objects, the last of it a mean over the frames in which each was surely seen.

    An object that turns or comes nearer looks less and less like where it was marked; what slides in before it does not
    look like it did a moment ago.

    Args:
        looks: colours or features ``(N, V, C)``. found: those of a frame, ``(N, C)``, zeros where they are not known.
        sure: ``(N,) bool``. rate: weight of the frame; with 0 nothing is followed.
    """
    if not rate:
        return looks
    last = looks[:, -1]
    new = torch.where(last.any(dim=1, keepdim=True), torch.lerp(last, found, rate), found)
    taken = (sure & found.any(dim=1))[:, None]
    return torch.cat([looks[:, :-1], torch.where(taken, new, last)[:, None]], dim=1)


def confidence(sureness: torch.Tensor, alike: torch.Tensor, resembles: torch.Tensor) -> torch.Tensor:
    """Probability ``(N,)`` that a mask is on its object.

    Args:
        sureness: mean of the object's own probability over the mask's pixels. alike: of :func:`likeness`.
        resembles: of :func:`resemblance`; NaN where nothing is known of it.
    """
    known = ALIKE_TOO * alike + RESEMBLES * resembles + BIAS_TOO
    odds = torch.where(resembles.isnan(), SURE * sureness + ALIKE * alike + BIAS, known)
    return torch.sigmoid(odds) * (sureness > 0)

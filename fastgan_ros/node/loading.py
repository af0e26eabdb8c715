"""Bringing the model onto the device."""

import sys

from fastgan_core.errors import FastganError


def load_tracker(settings, say):
    """Return a Tracker for the settings, warmed up; FastganError, in a sentence, when that cannot be had.

    say(sentence) is called with what was decided on the way.
    """
    try:
        # Here and not above: torch takes seconds to import, and the node is to be on the network before.
        import torch

        from fastgan_core.tracking.choosing import open_fastest
        from fastgan_core.tracking.opening import open_network
        from fastgan_core.tracking.tracker import Tracker
    except ImportError as error:
        raise FastganError(
            f"The model cannot be loaded because a Python package is missing ({error}). The node runs in "
            f"{sys.executable}; install the package there, for example "
            f"'{sys.executable} -m pip install torch torchvision safetensors'."
        ) from error
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        how = settings.device, settings.precision
        if settings.backend == "auto":
            network, info, reason = open_fastest(settings.weights, *how, settings.input_size)
            if reason:
                say(reason)
        else:
            network, info = open_network(settings.weights, settings.backend, *how)
        size = settings.input_size or info.size_on(network.device)
        tracker = Tracker(network, size=size, max_objects=settings.max_objects)
        tracker.warm_up()
    except (OSError, RuntimeError) as error:
        # A driver that does not answer, a device whose memory is full.
        raise FastganError(f"The model cannot be loaded on device '{settings.device}': {error}") from error
    tracker.lost_threshold = settings.lost_threshold
    return tracker



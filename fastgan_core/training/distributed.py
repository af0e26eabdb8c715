"""Several processes as ``torchrun`` starts them; alone, everything here does nothing."""

import os
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from fastgan_core.errors import FastganError
from fastgan_core.running.device import choose_device


def rank() -> int:
    """Number of this process, 0 for the only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def processes(device: str):
    """Join the processes that torchrun started, if it did; gives this one's device.

    nccl where the device is CUDA, one GPU per process; gloo on CPUs.

    Raises:
        FastganError: several processes were given one GPU.
    """
    joined = os.environ.keys() >= {"RANK", "LOCAL_RANK", "WORLD_SIZE"}
    if joined and device.startswith("cuda:") and int(os.environ["WORLD_SIZE"]) > 1:
        raise FastganError(f"--device {device}: several processes cannot share one GPU; leave --device out")
    if joined and device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    chosen = choose_device(device)
    if chosen.index is not None:
        torch.cuda.set_device(chosen)
    if joined:
        # The others wait while the first one validates, which may take long.
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(hours=12))
    yield chosen
    # Not after an exception: it would wait for peers that wait for this one.
    if joined:
        dist.destroy_process_group()


def average_gradients(parameters) -> None:
    """Replace every gradient by its mean over the processes.

    Not DistributedDataParallel: that forbids ``torch.autograd.grad``, which the gradient penalty
    needs, and several forward passes before a backward one, which a clip of K frames is.
    """
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def wait_for_all() -> None:
    """Return when every process has come here."""
    if world() > 1:
        dist.barrier()

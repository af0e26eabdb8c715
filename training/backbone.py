"""Train the ResNet backbone as an image classifier, for machines without ImageNet weights.

The paper starts from an ImageNet classifier (section 5). torchvision loads one
where the network allows it; this script makes a smaller stand-in from any folder
of labelled images (``DIR/<class>/**/<image>``), for instance Tiny-ImageNet:

    python training/backbone.py tiny-imagenet-200/train --out backbone.safetensors

The result is a plain torchvision state dict (without ``fc``) that the training
recipes take as ``backbone:``.
"""

import argparse
import random
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file

from fastgan_core.running.device import computes_bf16

SUFFIXES = {".jpg", ".jpeg", ".png"}


def load_folder(root: Path, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """All images of ``root/<class>/**`` as one array.

    Returns:
        images ``(N, size, size, 3) uint8 RGB``, labels ``(N,) int64``, number of classes.
    """
    classes = sorted(d for d in root.iterdir() if d.is_dir())
    files = [
        (path, label)
        for label, folder in enumerate(classes)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise SystemExit(f"{root}: no images found; expected {root}/<class>/<image>.jpg")
    images = np.empty((len(files), size, size, 3), np.uint8)
    for i, (path, _) in enumerate(files):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise SystemExit(f"{path}: cannot be read as an image; remove it and start again")
        if bgr.shape[:2] != (size, size):
            bgr = cv2.resize(bgr, (size, size), interpolation=cv2.INTER_AREA)
        images[i] = bgr[..., ::-1]
    return images, np.array([label for _, label in files]), len(classes)


def augment(x: torch.Tensor) -> torch.Tensor:
    """Random scale, rotation, shift, flip and colour. ``x``: ``(B, 3, H, W) float in [0, 1]``."""
    n = len(x)
    angle = (torch.rand(n) - 0.5) * 0.5
    scale = 0.55 + 0.55 * torch.rand(n)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    shift = (torch.rand(n, 2) - 0.5) * 2 * (1 - scale).clamp(min=0.1)[:, None]
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack(
        [torch.stack([cos * flip, -sin, shift[:, 0]], 1), torch.stack([sin * flip, cos, shift[:, 1]], 1)],
        1,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    gain = 1 + 0.3 * (torch.rand(n, 1, 1, 1) - 0.5) + 0.2 * (torch.rand(n, 3, 1, 1) - 0.5)
    return (x * gain + 0.2 * (torch.rand(n, 1, 1, 1) - 0.5)).clamp_(0, 1)


def normalise(x: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def batch(images: np.ndarray, index: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images[index]).permute(0, 3, 1, 2).float().div_(255)


@torch.no_grad()
def accuracy(model, images, labels, index) -> float:
    model.eval()
    right = 0
    for part in np.array_split(index, max(1, len(index) // 250)):
        right += int((model(normalise(batch(images, part))).argmax(1).numpy() == labels[part]).sum())
    model.train()
    return right / len(index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="continue from an earlier result of this script")
    parser.add_argument("--arch", default="resnet18", choices=["resnet18", "resnet50"])
    parser.add_argument("--size", type=int, default=64, help="side of the training images, pixels")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.2, help="peak learning rate (SGD, one cycle)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    images, labels, classes = load_folder(args.root, args.size)
    order = np.random.permutation(len(images))
    held_out, train = order[: len(order) // 50], order[len(order) // 50 :]
    print(f"{len(train)} images of {classes} classes, {len(held_out)} held out", flush=True)

    model = torchvision.models.get_model(args.arch, weights=None, num_classes=classes)
    if args.init:
        model.load_state_dict(load_file(args.init), strict=False)
    model = model.to(memory_format=torch.channels_last)
    steps = args.epochs * (len(train) // args.batch)
    optimiser = torch.optim.SGD(model.parameters(), args.lr, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, total_steps=steps, pct_start=0.15)
    start, running = time.time(), 0.0
    for step in range(steps):
        position = step % (len(train) // args.batch)
        if position == 0:
            np.random.shuffle(train)
        index = train[position * args.batch : (position + 1) * args.batch]
        x = normalise(augment(batch(images, index)))
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu"))):
            logits = model(x)
        loss = F.cross_entropy(logits.float(), torch.from_numpy(labels[index]), label_smoothing=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{steps} loss {running:.3f} {time.time() - start:.0f} s", flush=True)
        if (step + 1) % (len(train) // args.batch) == 0:
            print(f"held-out accuracy {accuracy(model, images, labels, held_out):.3f}", flush=True)
            state = {k: v.contiguous() for k, v in model.state_dict().items() if not k.startswith("fc.")}
            save_file(state, args.out, {"arch": args.arch, "source": args.root.parent.name})


if __name__ == "__main__":
    main()

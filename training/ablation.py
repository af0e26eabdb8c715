"""The ablation of Table 1: what each critic adds, from the same weights, clips and number of steps.

python training/ablation.py training/configs/adversarial_davis_resnet18.yaml --output runs/ablation

Trains four times as the recipe says (cross-entropy alone, with the spatial critic, with the temporal one, with
both), tracks the validation sequences with each and with the weights that all started from, and leaves
``table.md``, ``table.json`` and pictures of the frames in which they differ the most: ``differences.png`` of the
validation sequences, ``scene.png`` of the drawn scene. Stopped, the same command goes on.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

from fastgan_core.data.folders import davis_sequences
from fastgan_core.errors import FastganError, in_words
from fastgan_core.evaluation.scoring import validate
from fastgan_core.media.painting import overlay
from fastgan_core.scenes.scene import Scene
from fastgan_core.tracking.tracker import Tracker
from fastgan_core.training.distributed import processes, rank, wait_for_all
from fastgan_core.training.reading import load_recipe
from fastgan_core.training.trainer import Trainer

ARMS = {
    "cross-entropy": ["lambda_s=0", "lambda_t=0"],
    "+ spatial": ["lambda_t=0"],
    "+ temporal": ["lambda_s=0"],
    "+ both": [],
}
START = "start"


def train_arms(args: argparse.Namespace, device: torch.device) -> dict[str, dict]:
    """Weights and seconds of every arm; one that is finished is not trained again."""
    arms = {START: {"weights": load_recipe(args.recipe, args.set).init, "seconds": 0.0}}
    for name, overrides in ARMS.items():
        folder = args.output / name.strip("+ ").replace("-", "_")
        run = Trainer(load_recipe(args.recipe, [*args.set, *overrides, "validate=''"]), folder, device)
        todo, clock, start = run.recipe.steps - run.step, folder / "seconds.txt", time.time()
        run.run()
        spent = float(clock.read_text()) if clock.exists() else 0.0
        if todo and rank() == 0:
            clock.write_text(f"{spent + time.time() - start:.0f}")
        wait_for_all()
        arms[name] = {"weights": str(folder / "weights.safetensors"), "seconds": float(clock.read_text())}
    return arms


def table(arms: dict[str, dict], conditions: str) -> str:
    """The arms' scores as Markdown, with the differences to the start."""
    lines = ["| L_S | L_T | | J&F | J | F | J&F less the start's | minutes |", "|:-:|:-:|---|---:|---:|---:|---:|---:|"]
    base = arms[START]["scores"]["J&F-Mean"]
    for name, arm in arms.items():
        s = {k: 100 * v for k, v in arm["scores"].items()}
        marks = ["✓" if name in used else "-" for used in (("+ spatial", "+ both"), ("+ temporal", "+ both"))]
        row = [*marks, name, f"{s['J&F-Mean']:.1f}", f"{s['J-Mean']:.1f}", f"{s['F-Mean']:.1f}"]
        row += [f"{s['J&F-Mean'] - 100 * base:+.1f}", f"{arm['seconds'] / 60:.0f}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, "", conditions, ""])


def differences(trackers: dict[str, Tracker], sequences: list, rows: int = 1) -> np.ndarray:
    """Per sequence the ``rows`` frames in which the trackers differ the most: the truth, then every tracker.

    A sequence is a list of ``(frame, labels)``. Frames of one sequence are at least a tenth of it apart.
    """
    picture = []
    for sequence in sequences:
        reference, truth = sequence[0][0], (sequence[0][1] > 0).astype(np.uint8)
        for tracker in trackers.values():
            tracker.set_reference(reference, truth)
        found = [[tracker.step(frame).labels > 0 for tracker in trackers.values()] for frame, _ in sequence[1:]]
        area = max(1, np.count_nonzero(truth))
        spread = np.array([np.std(masks, axis=0).sum() / area for masks in found])
        for _ in range(rows):
            worst = int(spread.argmax())
            frame, truth = sequence[worst + 1]
            tiles = [overlay(frame, mask.astype(np.uint8)) for mask in (truth > 0, *found[worst])]
            for tile, name in zip(tiles, ["truth", *trackers], strict=True):
                cv2.putText(tile, name, (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 0), 2, cv2.LINE_AA)
            height = round(340 * frame.shape[0] / frame.shape[1])
            picture.append(np.hstack([cv2.resize(t, (340, height), interpolation=cv2.INTER_AREA) for t in tiles]))
            apart = max(1, len(spread) // 10)
            spread[max(0, worst - apart) : worst + apart] = -1
    return np.vstack(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path, help="an adversarial recipe with 'init' and 'validate'")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    with in_words("ablation"):
        run(args)


def run(args: argparse.Namespace) -> None:
    recipe = load_recipe(args.recipe, args.set)
    if recipe.stage != "adversarial" or not recipe.init or not recipe.validate:
        raise FastganError(f"{args.recipe}: the ablation wants stage: adversarial, and init and validate set")
    args.output.mkdir(parents=True, exist_ok=True)
    with processes(args.device) as device:
        arms = train_arms(args, device)
        if rank() > 0:
            return
    sequences = davis_sequences(Path(recipe.davis), recipe.validate, merged=recipe.davis_year == 2016)
    trackers = {name: Tracker.from_weights(arm["weights"], args.device) for name, arm in arms.items()}
    for name, tracker in trackers.items():
        arms[name]["scores"] = validate(tracker, sequences)
        print(name, arms[name]["scores"], flush=True)
    resolved = yaml.safe_load((args.output / "both/recipe.yaml").read_text())
    phase = resolved["phases"][0]
    conditions = (
        f"{phase['steps']} steps of the regressor at {phase['size']} pixels, {phase['batch']} clips of "
        f"{phase['frames']} frames, {resolved['critic_steps']} steps of the critics (width "
        f"{resolved['critic_width']}) before each; {recipe.validate} of {Path(recipe.davis).name}, "
        f"{len(sequences)} sequences; tracked at {trackers[START].precision}; torch {torch.__version__}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, {device}."
    )
    text = table(arms, conditions)
    print(text)
    (args.output / "table.md").write_text(text)
    (args.output / "table.json").write_text(json.dumps(arms, indent=1))
    videos = [[frame.load() for frame in sequence.frames] for sequence in sequences]
    cv2.imwrite(str(args.output / "differences.png"), differences(trackers, videos)[..., ::-1])
    scene = Scene(480, 360, length=150)
    drawn = [scene[i] for i in range(len(scene))]
    cv2.imwrite(str(args.output / "scene.png"), differences(trackers, [drawn], rows=4)[..., ::-1])


if __name__ == "__main__":
    main()

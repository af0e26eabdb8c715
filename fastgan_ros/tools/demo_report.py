"""What the demo leaves behind: overlay video, contact sheet, figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fastgan_core.media.painting import overlay
from fastgan_core.media.video import VideoWriter, open_source
from fastgan_core.scenes.scene import Scene

TILES, COLUMNS, TILE_WIDTH = 16, 4, 400
LEAST_SHARE = 0.1  # of the frames must have got a mask
LEAST_IOU = 0.5


@dataclass(frozen=True)
class Footage:
    """What the camera publishes: a scene, whose truth is known, or a video file or folder."""

    scene: Scene | None
    video: str = ""

    def walk(self, wanted: set[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index, frame (H, W, 3) uint8 RGB) of the wanted indices, in order."""
        if self.scene:
            yield from ((index, self.scene[index][0]) for index in sorted(wanted))
            return
        for index, (_, frame) in enumerate(open_source(self.video)):
            if index in wanted:
                yield index, frame
            if index >= max(wanted):
                return


@dataclass
class Outcome:
    """What was measured; times in seconds. `iou` and `hidden` are by frame index, and empty without truth.

    `iou` has the frames in which the object is to be seen; `hidden` the share of it that is behind the tree.
    """

    published: int
    masks: int
    duration: float
    ages: list[float]
    model: tuple[str, str]
    where: str
    iou: dict[int, float]
    hidden: dict[int, float]

    def spans(self) -> dict[str, list[float]]:
        """IoU before, during and after the frames in which most of the object is hidden."""
        covered = [index for index, share in self.hidden.items() if share > 0.5]
        if not covered:
            return {}
        first, last = min(covered), max(covered)
        return {
            "before the tree": [iou for index, iou in self.iou.items() if index < first],
            "behind it": [iou for index, iou in self.iou.items() if first <= index <= last],
            "after it": [iou for index, iou in self.iou.items() if index > last],
        }

    def table(self) -> str:
        """The figures for people, one a line."""
        rows = [
            ("frames published", f"{self.published}", f"by the camera, in {self.duration:.1f} s"),
            ("masks received", f"{self.masks}", f"{self.masks / self.duration:.1f} a second"),
            ("frames dropped", f"{self.published - self.masks}", "a newer one came while the model was busy"),
        ]
        if self.ages:
            p50, p99 = np.percentile(self.ages, (50, 99)) * 1e3
            rows.append(("image age", f"{p50:.0f} / {p99:.0f} ms", "p50 / p99, image stamp to mask received"))
        if any(self.model):
            rows.append(("model", " / ".join(self.model) + " ms", f"p50 / p99 of a frame, {self.where}"))
        if self.iou:
            values = list(self.iou.values())
            rows.append(("mean IoU", f"{np.mean(values):.3f}", f"{len(values)} frames that show the object"))
            for name, part in self.spans().items():
                mean = f"{np.mean(part):.3f}" if part else "-"
                rows.append((f"  {name}", mean, f"{len(part)} frames"))
        else:
            rows.append(("mean IoU", "-", "only the demo's own scene has a known truth"))
        return "\n".join(f"  {name:<19}{value:>16}   {note}" for name, value, note in rows)

    def fault(self) -> str | None:
        """Why this is no success, in a sentence; None if it is one."""
        if self.masks < LEAST_SHARE * self.published:
            return (
                f"Only {self.masks} of {self.published} frames got a mask. The model is too slow for this "
                "machine, or images are lost on the way: see image age and model time, and try --rate 5."
            )
        if self.iou and np.mean(list(self.iou.values())) < LEAST_IOU:
            return (
                f"The mean IoU is {np.mean(list(self.iou.values())):.2f}, under {LEAST_IOU}: the object was "
                "not followed. The weights do not fit, or the frames came too far apart."
            )
        return None


def render(footage: Footage, masks: dict[int, bytes], output: Path, fps: float) -> dict[int, float]:
    """Write overlay.mp4 and contact_sheet.png to `output`; returns the IoU by frame index, {} without truth.

    `masks` are PNG label images by frame index, at least one; the video has a frame for each, `fps` a second.
    """
    shown = _pick(sorted(masks), footage.scene)
    tiles, iou = [], {}
    writer = VideoWriter(output / "overlay.mp4", fps)
    try:
        for index, frame in footage.walk(set(masks)):
            labels = cv2.imdecode(np.frombuffer(masks[index], np.uint8), cv2.IMREAD_UNCHANGED)
            caption = f"frame {index}"
            if footage.scene:
                truth = footage.scene[index][1]
                if truth.any():
                    iou[index] = _iou(labels, truth)
                    caption += f"   IoU {iou[index]:.2f}"
                if (hidden := footage.scene.hidden(index)) > 0.005:
                    caption += f"   {hidden:.0%} hidden"
            picture = overlay(frame, labels)
            _write(picture, caption)
            writer.write(picture)
            if index in shown:
                height = round(picture.shape[0] * TILE_WIDTH / picture.shape[1])
                tiles.append(cv2.resize(picture, (TILE_WIDTH, height), interpolation=cv2.INTER_AREA))
    finally:
        writer.close()
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(output / "contact_sheet.png"), np.vstack(rows)[..., ::-1])
    return iou


def _pick(indices: list[int], scene: Scene | None) -> set[int]:
    """Indices for the contact sheet: evenly over time, and the one in which most of the object is hidden."""
    times = np.linspace(indices[0], indices[-1], min(TILES, len(indices)))
    if scene:
        most = max(indices, key=scene.hidden)
        times[np.abs(times - most).argmin()] = most
    return {min(indices, key=lambda index: abs(index - time)) for time in times}


def _iou(labels: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of object 1; `truth` is not empty."""
    ours, theirs = labels == 1, truth == 1
    return float((ours & theirs).sum() / (ours | theirs).sum())


def _write(picture: np.ndarray, text: str) -> None:
    """Write a line at the lower edge, white on a darkened band, in place."""
    scale = picture.shape[1] / 900
    band = int(42 * scale)
    picture[-band:] //= 3
    at = (int(10 * scale), picture.shape[0] - int(13 * scale))
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)

"""The demo: what it counts as success, what it draws, and that it leaves no process behind."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the demo runs ROS nodes")
pytest.importorskip("fastgan_interfaces", reason="the demo calls the node's services")

from fastgan_core.errors import FastganError
from fastgan_core.media.masks import write_mask
from fastgan_core.media.video import open_source
from fastgan_core.scenes.scene import Scene
from fastgan_ros.tools import bench, demo
from fastgan_ros.tools.demo_report import Footage, Outcome, render

ROOT = Path(__file__).parents[3]


def outcome(**changes):
    given = dict(
        published=100,
        masks=50,
        duration=10.0,
        ages=[0.1] * 99 + [0.5],
        model=("30", "40"),
        where="cpu, fp32",
        iou={0: 0.9, 10: 0.7, 20: 0.2, 30: 0.8, 40: 0.6},
        hidden={0: 0.0, 10: 0.3, 20: 0.6, 25: 1.0, 30: 0.5, 40: 0.0},
    )
    return Outcome(**(given | changes))


def test_iou_is_split_at_the_frames_that_are_mostly_hidden():
    assert outcome().spans() == {"before the tree": [0.9, 0.7], "behind it": [0.2], "after it": [0.8, 0.6]}
    assert outcome(hidden={}).spans() == {}


def test_the_table_has_the_figures():
    rows = {line[:21].strip(): line[21:37].strip() for line in outcome().table().splitlines()}
    assert rows == {
        "frames published": "100",
        "masks received": "50",
        "frames dropped": "50",
        "image age": "100 / 104 ms",  # a hundred ages, the 99th percentile 1 % of the way to the last
        "model": "30 / 40 ms",
        "mean IoU": "0.640",
        "before the tree": "0.800",
        "behind it": "0.200",
        "after it": "0.700",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"masks": 9}, "Only 9 of 100 frames got a mask"),
        ({"iou": {0: 0.4, 1: 0.58}}, "mean IoU is 0.49, under 0.5"),
    ],
)
def test_what_is_no_success(changes, said):
    assert said in outcome(**changes).fault()


def test_what_is_a_success():
    assert outcome(masks=10).fault() is None
    assert outcome(iou={}).fault() is None  # a video of the user's, without truth


def test_masks_are_drawn_on_their_own_frames_and_measured(tmp_path):
    scene = Scene(160, 120, 40)
    masks = {index: cv2.imencode(".png", scene[index][1])[1].tobytes() for index in range(0, 40, 2)}
    masks[4] = cv2.imencode(".png", np.zeros((120, 160), np.uint8))[1].tobytes()
    iou = render(Footage(scene), masks, tmp_path, fps=10)
    seen = {index for index in masks if scene[index][1].any()}
    assert iou == {index: 0.0 if index == 4 else 1.0 for index in seen}
    sheet = cv2.imread(str(tmp_path / "contact_sheet.png"))
    assert sheet.shape == (4 * 300, 4 * 400, 3)

    video = [frame for _, frame in open_source(str(tmp_path / "overlay.mp4"))]
    assert len(video) == 20
    red = [video[k].astype(int)[..., 0] - scene[2 * k][0][..., 0] for k in (0, 2)]
    inside = scene[0][1] == 1, scene[4][1] == 1
    assert red[0][inside[0]].mean() > 15  # the first palette colour, dark red, on a blue skin
    assert abs(red[1][inside[1]].mean()) < 5


def test_footage_of_a_video_keeps_its_indices(tmp_path):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((64, 64, 3), index, np.uint8))
    frames = {index: int(frame[0, 0, 0]) for index, frame in Footage(None, str(tmp_path)).walk({1, 3})}
    assert frames == {1: 1, 3: 3}


def test_the_repeats_of_the_held_frame_are_not_counted(tmp_path):
    log = tmp_path / "log"
    log.write_text("100 7\n110 7\n120 7\n130 8\n140 9\n15")  # the last line is still being written
    assert demo._published(log) == {120: 7, 130: 8, 140: 9}
    log.write_text("")
    assert demo._published(log) == {}


@pytest.mark.parametrize(
    "arguments",
    [["--video", "x.mp4"], ["--mask", "x.png"], ["--mask-frame", "3"], ["--rate", "0"], ["--frames", "1"]],
)
def test_arguments_that_do_not_go_together_are_refused(arguments):
    with pytest.raises(SystemExit) as ended:
        demo.main(arguments)
    assert ended.value.code == 2


def test_a_mask_of_another_size_is_refused_before_anything_starts(tmp_path, capsys):
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "0.png"), np.zeros((64, 80, 3), np.uint8))
    write_mask(tmp_path / "mask.png", np.ones((64, 64), np.uint8))
    arguments = [
        "--video",
        str(frames),
        "--mask",
        str(tmp_path / "mask.png"),
        "--output",
        str(tmp_path / "out"),
    ]
    assert demo.main(arguments) == 1
    assert "is 64 x 64 pixels but" in capsys.readouterr().err
    assert demo.main([*arguments, "--mask-frame", "1"]) == 1
    assert "has no frame 1" in capsys.readouterr().err


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path):
    child = demo.Child("camera", "fastgan_ros.tools.camera", tmp_path / "log", {"rate": -1.0})
    child._process.wait(20)
    with pytest.raises(FastganError, match=r"(?s)camera ended with code 2; .*'rate' is -1.0"):
        child.ended()
    child.stop()


def test_programs_beside_the_bench_compute_and_end_with_it():
    def children() -> set[int]:
        return {int(pid) for pid in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()}

    before = children()
    with bench.busy(2):
        (one, other) = children() - before
        code = f"import time; time.sleep(1); print(*open('/proc/{one}/stat').read().rpartition(')')[2].split()[11:12])"
        used = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert int(used) > 0
    assert not {one, other} & children()


def test_a_run_from_end_to_end_with_a_model_that_knows_nothing(tmp_path):
    import torch

    from fastgan_core.model import FaSTGAN
    from fastgan_core.running.weights import save_weights

    torch.manual_seed(0)
    weights = tmp_path / "untrained.safetensors"
    save_weights(weights, FaSTGAN("resnet18"), input_size=64)
    options = ["--frames", "30", "--rate", "30", "--weights", str(weights)]
    command = [sys.executable, "-m", "fastgan_ros.tools.demo", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("ROS_DOMAIN_ID", None)  # it is to choose one of its own
    run = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stderr
    assert "The mean IoU is 0." in run.stderr and "Traceback" not in run.stderr
    assert "frames published                 30" in run.stdout
    assert (tmp_path / "out" / "contact_sheet.png").is_file()
    assert len(list(open_source(str(tmp_path / "out" / "overlay.mp4")))) > 3
    # Node and camera have this folder in their parameters.
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(p)]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended meanwhile
        return ""

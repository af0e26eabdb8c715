"""``fastgan evaluate``: data sets, methods, files read and written."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
from commandline import fastgan
from footage import Video
from PIL import Image

from fastgan_core.errors import FastganError
from fastgan_core.media.masks import read_mask, write_mask
from fastgan_core.tracking.tracker import Tracker

NAMES = {"J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"}


def test_the_tracker_is_scored_printed_and_written(monkeypatch, capsys, davis, tmp_path):
    arguments = ("--root", davis, "--split", "train", "--size", 64, "--json", tmp_path / "scores.json")
    assert fastgan(monkeypatch, "evaluate", *arguments) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["sequences"].keys() == {"alpha_1", "beta_1"}
    assert scores["global"].keys() == scores["sequences"]["beta_1"].keys() == NAMES | {"fps"}
    alpha, beta, mean = scores["sequences"]["alpha_1"], scores["sequences"]["beta_1"], scores["global"]
    assert mean["J-Mean"] == pytest.approx((alpha["J-Mean"] + beta["J-Mean"]) / 2)
    assert mean["fps"] == pytest.approx(16 / (8 / alpha["fps"] + 8 / beta["fps"]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["sequence", "alpha", "beta", "mean", "J&F"]
    assert lines[-1] == f"J&F {100 * mean['J&F-Mean']:.1f}"


def test_nobody_waits_for_a_score_so_that_it_is_taken_at_the_large_size(monkeypatch, capsys, davis):
    def marked(tracker, *_):
        raise FastganError(f"size {tracker.shrink(np.zeros((64, 64, 3), np.uint8)).pixels.shape}")

    monkeypatch.setattr(Tracker, "set_reference", marked)
    for more, side in (((), 640), (("--size", 96), 96)):
        assert fastgan(monkeypatch, "evaluate", "--root", davis, "--split", "train", "--device", "cpu", *more) == 2
        assert f"size torch.Size([{side}, {side}, 3])" in capsys.readouterr().err


def test_sequences_are_scored_backwards_too(monkeypatch, capsys, davis2017, tmp_path):
    arguments = ("--dataset", "davis2017", "--root", davis2017, "--method", "repeat", "--both-ways")
    assert fastgan(monkeypatch, "evaluate", *arguments, "--json", tmp_path / "s.json") == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    names = {"pair_1", "pair_2", "still_1"}
    assert scores["sequences"].keys() == names | {name[:-2] + "-backwards" + name[-2:] for name in names}
    ways = [scores["sequences"][name]["J-Decay"] for name in ("pair_2", "pair-backwards_2")]
    assert min(ways) > 0.1, "what moves away from its first place does so from its last"
    assert scores["global"]["J-Mean"] == pytest.approx(np.mean([s["J-Mean"] for s in scores["sequences"].values()]))
    assert "pair-backwards" in capsys.readouterr().out


def test_objects_have_rows_of_their_own_and_the_mean_is_over_them(monkeypatch, capsys, davis2017, tmp_path):
    arguments = ("--dataset", "davis2017", "--root", davis2017, "--method", "repeat", "--json", tmp_path / "s.json")
    assert fastgan(monkeypatch, "evaluate", *arguments) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert list(rows) == ["sequence", "pair", "pair_1", "pair_2", "still", "mean", "J&F"]
    j = {name: float(row[1]) for name, row in rows.items() if name not in ("sequence", "J&F")}
    assert j["pair_1"] == j["still"] == 100 > j["pair_2"]
    assert j["pair"] == pytest.approx((100 + j["pair_2"]) / 2, abs=0.06)
    assert j["mean"] == pytest.approx((200 + j["pair_2"]) / 3, abs=0.06)
    assert json.loads((tmp_path / "s.json").read_text())["sequences"].keys() == {"pair_1", "pair_2", "still_1"}


def test_masks_that_were_written_score_the_same_when_read(monkeypatch, capsys, davis2017, tmp_path):
    common, out = ("evaluate", "--dataset", "davis2017", "--root", davis2017), tmp_path / "out"
    assert fastgan(monkeypatch, *common, "--method", "flow", "--output", out, "--json", tmp_path / "a") == 0
    assert fastgan(monkeypatch, *common, "--results", out, "--json", tmp_path / "b") == 0
    written, read = (json.loads((tmp_path / name).read_text()) for name in "ab")
    assert written["global"].pop("fps") > 0
    assert written["global"] == read["global"]
    assert read["sequences"]["pair_2"].keys() == NAMES
    masks = sorted((out / "pair").iterdir())
    assert [m.name for m in masks] == [f"{i:05d}.png" for i in range(10)]
    assert Image.open(masks[0]).mode == "P"
    assert (read_mask(masks[0]) == Video()[0][1]).all()


@pytest.fixture
def results(davis2017, tmp_path):
    """The truth, as somebody's results."""
    return shutil.copytree(davis2017 / "Annotations/480p", tmp_path / "results")


def test_the_truth_scores_full_marks_and_needs_neither_first_nor_last_frame(monkeypatch, capsys, davis2017, results):
    for number in (0, 9):
        (results / f"pair/{number:05d}.png").unlink()
    assert fastgan(monkeypatch, "evaluate", "--root", davis2017, "--results", results) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "J&F 100.0"


def test_binary_results_of_255_count_as_the_merged_object(monkeypatch, capsys, davis2017, results):
    for file in results.glob("*/*.png"):
        write_mask(file, (read_mask(file) > 0).astype(np.uint8) * 255)
    assert fastgan(monkeypatch, "evaluate", "--root", davis2017, "--results", results) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "J&F 100.0"


def refused(monkeypatch, capsys, *arguments) -> str:
    """The one sentence on standard error."""
    assert fastgan(monkeypatch, "evaluate", *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("fastgan: ")
    return line


def test_what_is_wrong_with_results_is_named(monkeypatch, capsys, davis2017, results):
    arguments = ("--dataset", "davis2017", "--root", davis2017, "--results", results)
    write_mask(results / "pair/00004.png", np.ones((10, 20), np.uint8))
    assert "00004.png: is 20x10 and its annotation 160x96" in refused(monkeypatch, capsys, *arguments)
    (results / "pair/00004.png").write_bytes(b"nonsense")
    assert "00004.png: cannot be read as a mask" in refused(monkeypatch, capsys, *arguments)
    (results / "pair/00005.png").unlink()
    assert f"{results}/pair/00005.png: this result is missing" in refused(monkeypatch, capsys, *arguments)
    shutil.rmtree(results / "still")
    shutil.copytree(davis2017 / "Annotations/480p/pair", results / "pair", dirs_exist_ok=True)
    assert "sequence 'still' is missing" in refused(monkeypatch, capsys, *arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--root": "nowhere"}, "is this a DAVIS folder"),
        ({"--split": "test-dev"}, "test-dev.txt"),
        ({"--dataset": "youtube-vos"}, "is .* a YouTube-VOS folder"),
        ({"--json": "nowhere/scores.json"}, "there is no folder nowhere"),
        ({"--json": "."}, "is a folder"),
        ({"--output": "ROOT/Annotations/480p"}, "lies in the data set"),
        ({"--output": "out", "--results": "out", "--method": None}, "leave one of the two out"),
        ({"--output": "out", "--both-ways": ""}, "leave it or --output out"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(monkeypatch, capsys, davis2017, change, words):
    options = {"--root": davis2017, "--dataset": "davis2017", "--method": "repeat"} | change
    given = [option for option in options.items() if option[1] is not None]
    arguments = [str(part).replace("ROOT", str(davis2017)) for option in given for part in option if part]
    assert re.search(words, refused(monkeypatch, capsys, *arguments))


def test_youtube_vos_train_is_scored(monkeypatch, capsys, youtube_vos, tmp_path):
    arguments = ("--dataset", "youtube-vos", "--root", youtube_vos, "--split", "train", "--method", "repeat")
    assert fastgan(monkeypatch, "evaluate", *arguments, "--json", tmp_path / "scores.json") == 0
    objects = json.loads((tmp_path / "scores.json").read_text())["sequences"]
    assert objects["v1_1"]["J-Mean"] == 1
    # Seen first in frame 4, it has moved by 2 * t pixels t frames later; the last frame, 9, counts.
    overlaps = [(20 - 2 * t) / (20 + 2 * t) for t in range(1, 6)]
    assert objects["v1_2"]["J-Mean"] == pytest.approx(np.mean(overlaps))
    assert "J&F" in capsys.readouterr().out.splitlines()[-1]


def test_youtube_vos_valid_makes_a_submission_and_says_that_nothing_is_scored(
    monkeypatch, capsys, youtube_vos, tmp_path
):
    arguments = ("--dataset", "youtube-vos", "--root", youtube_vos, "--method", "flow")
    assert "no annotations to score" in refused(monkeypatch, capsys, *arguments)
    assert fastgan(monkeypatch, "evaluate", *arguments, "--output", tmp_path) == 0
    assert "nothing was scored" in capsys.readouterr().out
    masks = sorted((tmp_path / "Annotations/v1").iterdir())
    assert [m.stem for m in masks] == ["00000", "00002", "00004", "00006", "00008"]
    assert [np.unique(read_mask(m)).tolist() for m in masks] == [[0, 1], [0, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


def test_a_frame_that_youtube_vos_asks_for_and_does_not_hold_is_named(monkeypatch, capsys, youtube_vos, tmp_path):
    root = shutil.copytree(youtube_vos, tmp_path / "copy")
    (root / "valid/JPEGImages/v1/00006.jpg").unlink()
    arguments = ("--dataset", "youtube-vos", "--root", root, "--method", "repeat", "--output", tmp_path / "out")
    assert "00006.jpg: is missing" in refused(monkeypatch, capsys, *arguments)
    cv2.imwrite(str(root / "valid/JPEGImages/v1/00006.jpg"), np.zeros((96, 160, 3), np.uint8))
    assert fastgan(monkeypatch, "evaluate", *arguments) == 0

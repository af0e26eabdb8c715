"""``fastgan evaluate`` on data sets in their own layouts."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from test_cli import fastgan

from fastgan_core.data.folders import davis_sequences
from fastgan_core.masks import read_mask, write_mask

NAMES = {"J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"}


def figures(path) -> dict:
    return json.loads(path.read_text())


def test_figures_are_printed_and_written_under_the_official_names(monkeypatch, capsys, davis, tmp_path):
    arguments = ("--root", davis, "--split", "train", "--size", 64, "--json", tmp_path / "scores.json")
    assert fastgan(monkeypatch, "evaluate", *arguments) == 0
    scores = figures(tmp_path / "scores.json")
    assert scores.keys() == {"global", "sequences"}
    assert scores["sequences"].keys() == {"alpha_1", "beta_1"}
    assert scores["global"].keys() >= NAMES
    assert all(row.keys() >= NAMES for row in scores["sequences"].values())
    mean = np.mean([row["J-Mean"] for row in scores["sequences"].values()])
    assert scores["global"]["J-Mean"] == pytest.approx(mean)
    out = capsys.readouterr().out
    assert "alpha" in out
    assert out.strip().splitlines()[-1] == f"J&F {100 * scores['global']['J&F-Mean']:.1f}"


def test_masks_that_were_written_score_as_they_did_when_they_were_made(monkeypatch, davis, tmp_path):
    common = ("evaluate", "--root", davis, "--split", "train")
    made, read = tmp_path / "made.json", tmp_path / "read.json"
    masks = ("--method", "flow", "--output", tmp_path / "masks", "--json", made)
    assert fastgan(monkeypatch, *common, *masks) == 0
    assert Image.open(tmp_path / "masks/alpha/00003.png").mode == "P"
    assert fastgan(monkeypatch, *common, "--results", tmp_path / "masks", "--json", read) == 0
    for name, row in figures(read)["sequences"].items():
        assert "fps" not in row
        assert {k: figures(made)["sequences"][name][k] for k in row} == pytest.approx(row)


def test_the_truth_scores_one(monkeypatch, davis, tmp_path):
    truth = davis / "Annotations/480p"
    arguments = ("--root", davis, "--split", "train", "--results", truth, "--json", tmp_path / "scores.json")
    assert fastgan(monkeypatch, "evaluate", *arguments) == 0
    assert figures(tmp_path / "scores.json")["global"]["J&F-Mean"] == 1


def test_results_that_are_missing_or_of_another_size_are_named(monkeypatch, capsys, davis, tmp_path):
    results = tmp_path / "masks"
    shutil.copytree(davis / "Annotations/480p", results)
    common = ("evaluate", "--root", davis, "--split", "train", "--results", results)
    write_mask(results / "beta/00004.png", np.ones((9, 9), np.uint8))
    assert fastgan(monkeypatch, *common) == 2
    assert "beta/00004.png: is 9x9 and its annotation 320x240" in capsys.readouterr().err
    (results / "beta/00004.png").unlink()
    assert fastgan(monkeypatch, *common) == 2
    assert "beta/00004.png: this result is missing" in capsys.readouterr().err
    shutil.rmtree(results / "alpha")
    assert fastgan(monkeypatch, *common) == 2
    assert "'alpha' is missing" in capsys.readouterr().err


@pytest.fixture
def davis2017(davis, tmp_path):
    """The data set with a second object in every frame, as DAVIS 2017 has it."""
    root = tmp_path / "davis2017"
    shutil.copytree(davis, root)
    for sequence in davis_sequences(root, "names"):
        for pair in sequence.frames:
            labels = read_mask(pair.mask)
            labels[:20, :30] = 2
            write_mask(pair.mask, labels)
    return root


def test_objects_of_davis_2017_are_scored_each_on_its_own(monkeypatch, capsys, davis2017, tmp_path):
    common = ("evaluate", "--root", davis2017, "--split", "names", "--method", "repeat", "--json", tmp_path / "s.json")
    assert fastgan(monkeypatch, *common, "--dataset", "davis2017") == 0
    apart = figures(tmp_path / "s.json")["sequences"]
    assert apart.keys() == {f"{name}_{number}" for name in ("alpha", "beta") for number in (1, 2)}
    assert apart["alpha_2"]["J-Mean"] == 1 > apart["alpha_1"]["J-Mean"]
    assert "alpha_2" in capsys.readouterr().out
    assert fastgan(monkeypatch, *common, "--dataset", "davis2016") == 0
    assert figures(tmp_path / "s.json")["sequences"].keys() == {"alpha_1", "beta_1"}


def test_a_youtube_vos_submission(monkeypatch, capsys, youtube_vos, tmp_path_factory):
    out = tmp_path_factory.mktemp("submission")
    (youtube_vos / "train").rename(youtube_vos / "valid")
    for i in (5, 15, 20):  # what is public: the frames in which objects appear
        for name in ("aaa", "bbb"):
            (youtube_vos / f"valid/Annotations/{name}/{i:05d}.png").unlink()
    (youtube_vos / "valid/Annotations/bbb/00000.png").unlink()
    (youtube_vos / "valid/Annotations/aaa/00010.png").unlink()
    common = ("evaluate", "--dataset", "youtube-vos", "--root", youtube_vos, "--method", "repeat")
    assert fastgan(monkeypatch, *common) == 2
    assert "--output" in capsys.readouterr().err
    assert fastgan(monkeypatch, *common, "--output", out) == 0
    assert "no public annotations" in capsys.readouterr().out
    written = sorted(str(p.relative_to(out)) for p in out.rglob("*.png"))
    assert written == [f"Annotations/aaa/{i:05d}.png" for i in range(0, 25, 5)] + [
        f"Annotations/bbb/{i:05d}.png" for i in (10, 15, 20)
    ]
    assert set(np.unique(read_mask(out / "Annotations/bbb/00015.png"))) == {0, 2}


def test_youtube_vos_with_annotations_is_scored(monkeypatch, youtube_vos, tmp_path):
    common = ("--dataset", "youtube-vos", "--root", youtube_vos, "--split", "train", "--method", "repeat")
    assert fastgan(monkeypatch, "evaluate", *common, "--json", tmp_path / "s.json") == 0
    assert figures(tmp_path / "s.json")["sequences"].keys() == {"aaa_2", "bbb_2"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--split": "none"}, "none.txt"),
        ({"--root": "nowhere"}, "is this a DAVIS folder"),
        ({"--json": "nowhere/x.json"}, "there is no folder nowhere"),
        ({"--dataset": "youtube-vos"}, "meta.json"),
        ({"--results": "nowhere"}, "is missing from the results"),
        ({"--output": "."}, "lies in the data set"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(monkeypatch, capsys, davis, change, words):
    monkeypatch.chdir(davis)
    options = {"--root": davis, "--split": "train"} | change
    assert fastgan(monkeypatch, "evaluate", *[part for pair in options.items() for part in pair]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("fastgan: ")
    assert words in error

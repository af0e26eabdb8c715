"""Which room of the house may import which: the table, and a look at the code's own imports."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST = 14  # files of a room, its __init__.py included

# Modules beside the rooms, which all rooms of both packages may import, but for model: errors alone.
WORDS = {f"fastgan_core.{name}" for name in ("errors", "kept", "settings", "labels", "tracked")}

CORE = {
    "model": "",
    "running": "model",
    "tracking": "model running",
    "media": "",
    "selection": "",
    "scenes": "",
    "data": "media",
    "evaluation": "data media tracking running model",
    "training": "data media evaluation tracking running model",
    "commands": "data media evaluation tracking running model training",
}
ROS = {
    "messages": "",
    "programs": "",
    "frames": "messages",
    "node": "frames messages programs",
    "operator": "messages programs",
    "tools": "frames messages programs",
}
ROS_TAKES = {  # of fastgan_core
    "messages": "media tracking",  # tracking: what a stamp is; all of torch stays away until a model is loaded
    "programs": "",
    "frames": "media running",
    "node": "running selection tracking",
    "operator": "media selection tracking",
    "tools": "media scenes",
}
ALLOWED = {
    **{f"fastgan_core.{room}": {f"fastgan_core.{other}" for other in others.split()} for room, others in CORE.items()},
    **{
        f"fastgan_ros.{room}": {f"fastgan_ros.{other}" for other in others.split()}
        | {f"fastgan_core.{other}" for other in ROS_TAKES[room].split()}
        for room, others in ROS.items()
    },
}
WITHOUT_TORCH = {"media", "selection", "scenes", "messages", "programs", "operator", "tools"}
ROS_WORDS = ("rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "lifecycle_msgs", "fastgan_interfaces")


def imports(file: Path) -> set[str]:
    """What a file imports anywhere in it: modules, with the names that are taken from packages of ours."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def faults(root: Path) -> list[str]:
    """Imports below ``root`` that the table does not allow."""
    found = []
    for package in ("fastgan_core", "fastgan_ros"):
        for file in sorted((root / package).glob("*/**/*.py")):
            room = ".".join(file.relative_to(root).parts[:2])
            allowed = ALLOWED[room] | ({"fastgan_core.errors"} if room == "fastgan_core.model" else WORDS) | {room}
            for name in sorted(imports(file)):
                head = name.split(".")[0]
                ours = ".".join(name.split(".")[:2])
                wrong = head in ("fastgan_core", "fastgan_ros") and ours not in allowed
                wrong |= package == "fastgan_core" and head in ROS_WORDS
                wrong |= head in ("torch", "torchvision") and room.split(".")[1] in WITHOUT_TORCH
                if wrong:
                    found.append(f"{file.relative_to(root)}: {name}")
    return found


def test_no_room_imports_what_it_may_not():
    assert not faults(ROOT), "see the table in tests/test_rooms.py and the first lines of the rooms' __init__.py"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("fastgan_core/model/lite.py", "from fastgan_core.labels import MAX_ID"),
        ("fastgan_core/tracking/tracker.py", "from fastgan_core.media.masks import read_mask"),
        ("fastgan_core/media/bags.py", "def read():\n    import rclpy"),
        ("fastgan_core/selection/click.py", "import torch"),
        ("fastgan_core/running/weights.py", "from fastgan_ros import node"),
        ("fastgan_ros/frames/worker.py", "from fastgan_ros.node.parameters import table"),
        ("fastgan_ros/operator/marking.py", "import fastgan_core.training.trainer"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("from fastgan_core.errors import FastganError\n")
    assert not faults(tmp_path)
    path.write_text(line)
    assert len(faults(tmp_path)) == 1


def test_arrows_make_no_circle():
    def reached(room: str, way: tuple[str, ...] = ()) -> None:
        assert room not in way, " -> ".join((*way, room))
        for other in ALLOWED[room]:
            reached(other, (*way, room))

    for room in ALLOWED:
        reached(room)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_is_small_and_says_what_it_is(room):
    folder = ROOT / room.replace(".", "/")
    assert len(list(folder.glob("*.py"))) <= LARGEST
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_every_room_is_in_the_table_and_little_stands_beside_the_rooms():
    rooms, beside = set(), set()
    for package in ("fastgan_core", "fastgan_ros"):
        rooms |= {f"{package}.{file.parent.name}" for file in ROOT.glob(f"{package}/*/__init__.py")}
        beside |= {f"{package}.{file.stem}" for file in ROOT.glob(f"{package}/*.py") if "__" not in file.stem}
    assert rooms == set(ALLOWED)
    assert beside == WORDS


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_that_all_share_needs_only_others(word):
    ours = {name for name in imports(ROOT / f"{word.replace('.', '/')}.py") if name.startswith("fastgan_")}
    assert {".".join(name.split(".")[:2]) for name in ours} <= WORDS


def test_the_table_allows_nothing_that_is_not_needed():
    for room, allowed in ALLOWED.items():
        needed = set()
        for file in (ROOT / room.replace(".", "/")).rglob("*.py"):
            needed |= {".".join(name.split(".")[:2]) for name in imports(file)}
        assert allowed <= needed, f"{room} does without {allowed - needed}"


def test_the_diagram_of_the_rooms_is_that_of_the_table():
    """An arrow is left out where there is a longer way along others."""

    def below(room: str) -> set[str]:
        return ALLOWED[room].union(*map(below, ALLOWED[room]))

    direct = {(room, other) for room in ALLOWED for other in ALLOWED[room]}
    needed = {(a, b) for a, b in direct if not any(b in below(c) for c in ALLOWED[a])}
    wanted = {(a.split(".")[1], b.split(".")[1]) for a, b in needed}
    diagram = (ROOT / "docs/architecture.md").read_text().split("```mermaid")[1].split("```")[0]
    drawn = set(re.findall(r"(\w+) --> (\w+)", diagram))
    assert drawn == wanted, f"missing {wanted - drawn}, too many {drawn - wanted}"

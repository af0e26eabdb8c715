"""rosbag2 in and out over the real command: both storages, raw and compressed, and everything that can be wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bag_files import COMPRESSED, DELAY, PERIOD, RAW, START, STORE, TYPES, compressed, raw, read_bag, write_bag
from commandline import fastgan
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from fastgan_core.errors import FastganError
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.media.bags import Bag
from fastgan_core.media.encodings import to_labels
from fastgan_core.media.masks import write_mask
from fastgan_core.media.new_bag import MASK_TOPIC, OBJECTS_TOPIC, NewBag
from fastgan_core.media.video import is_bag, open_source
from fastgan_core.tracked import Tracked, describe

ROOT = Path(__file__).parents[3]
CHATTER = [TYPES["std_msgs/msg/String"](data="hello")] * 3


@pytest.fixture(scope="module")
def mask(tmp_path_factory, scene):
    path = tmp_path_factory.mktemp("mask") / "first.png"
    write_mask(path, scene[0][1])
    return path


@pytest.fixture(scope="module")
def bag(tmp_path_factory, scene):
    """Ten raw images in sqlite3, with chatter."""
    images = [raw(i, scene[i][0]) for i in range(10)]
    return write_bag(tmp_path_factory.mktemp("bag") / "bag", "sqlite3", {"/camera": images, "/chatter": CHATTER})


@pytest.mark.parametrize("form", [raw, compressed])
@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_masks_and_objects_have_the_stamps_of_the_images(monkeypatch, tmp_path, scene, mask, storage, form):
    images = [form(i, scene[i][0]) for i in range(8)]
    old = write_bag(tmp_path / "old", storage, {"/camera": images, "/chatter": CHATTER})
    new, video = tmp_path / "new", tmp_path / "overlay.mp4"
    arguments = ("--topic", "camera", "--mask", mask, "--output", new, "--overlay", video)
    assert fastgan(monkeypatch, "track", old, *arguments) == 0

    suffix = {"sqlite3": "db3", "mcap": "mcap"}[storage]
    assert sorted(p.name for p in new.iterdir()) == ["metadata.yaml", f"new.{suffix}"]
    topics = read_bag(new)
    assert sorted(topics) == [MASK_TOPIC, OBJECTS_TOPIC]
    for messages in topics.values():
        assert [time for time, _ in messages] == [START + i * PERIOD + DELAY for i in range(8)]
        assert [message.header for _, message in messages] == [image.header for image in images]
    masks = [message for _, message in topics[MASK_TOPIC]]
    assert {m.encoding for m in masks} == {"mono8"}
    assert np.mean([region_similarity(scene[i][1] > 0, to_labels(masks[i]) > 0) for i in range(8)]) > 0.7
    for message, (_, report) in zip(masks, topics[OBJECTS_TOPIC], strict=True):
        (found,) = report.objects
        ys, xs = np.nonzero(to_labels(message))
        assert (found.id, found.state, found.area) == (1, found.STATE_TRACKED, len(xs))
        assert 0.5 < found.score <= 1
        assert (found.box.x_offset, found.box.y_offset) == (xs.min(), ys.min())
        assert (found.box.width, found.box.height) == (np.ptp(xs) + 1, np.ptp(ys) + 1)
    played = open_source(video)
    assert len(played) == 8 and played.fps == pytest.approx(15, abs=0.1)


def test_the_new_bag_describes_its_types_and_offers_what_the_node_offers(monkeypatch, tmp_path, bag, mask):
    new = tmp_path / "new"
    assert fastgan(monkeypatch, "track", bag, "--mask", mask, "--output", new, "--storage", "mcap", "--size", 64) == 0
    assert (new / "new.mcap").is_file()
    with AnyReader([new]) as reader:  # by the definitions in the bag alone; it checks their hashes
        assert {c.topic: c.msgcount for c in reader.connections} == {MASK_TOPIC: 10, OBJECTS_TOPIC: 10}
        for connection, _, data in reader.messages():
            assert reader.deserialize(data, connection.msgtype).header.frame_id == "camera"
        for connection in reader.connections:
            (qos,) = connection.ext.offered_qos_profiles
            assert (qos.reliability.name, qos.durability.name, qos.depth) == ("RELIABLE", "VOLATILE", 3)


def test_ids_over_255_are_mono16_and_a_lost_object_is_reported(tmp_path):
    labels = np.zeros((4, 6), np.uint16)
    labels[1:3, 2:5] = 300
    tracked = Tracked(labels, describe(labels, (300, 7), [0.75, 0.25], [0]), 1)
    source = write_bag(tmp_path / "old", "mcap", {"/camera": [raw(0, np.zeros((4, 6, 3), np.uint8))]})
    ((moment, _),) = Bag(source)
    new = NewBag(tmp_path / "new", "sqlite3")
    new.write(moment, tracked)
    new.close()
    topics = read_bag(tmp_path / "new")
    ((_, mask),), ((_, report),) = topics[MASK_TOPIC], topics[OBJECTS_TOPIC]
    assert mask.encoding == "mono16" and (to_labels(mask) == labels).all()
    seen, lost = report.objects
    assert (seen.id, seen.state, seen.score, seen.area) == (300, seen.STATE_TRACKED, 0.75, 6)
    assert (seen.box.x_offset, seen.box.y_offset, seen.box.width, seen.box.height) == (2, 1, 3, 2)
    assert (lost.id, lost.state, lost.area, lost.box.width) == (7, lost.STATE_LOST, 0, 0)


def test_masks_begin_with_the_frame_of_the_mask(monkeypatch, tmp_path, scene, bag):
    write_mask(tmp_path / "fourth.png", scene[4][1])
    arguments = ("--mask", tmp_path / "fourth.png", "--mask-frame", 4, "--output", tmp_path / "new", "--size", 64)
    assert fastgan(monkeypatch, "track", bag, *arguments) == 0
    times = [time for time, _ in read_bag(tmp_path / "new")[MASK_TOPIC]]
    assert times == [START + i * PERIOD + DELAY for i in range(4, 10)]


def test_a_single_file_of_a_bag_is_read(monkeypatch, tmp_path, bag, mask):
    (file,) = bag.glob("*.db3")
    assert fastgan(monkeypatch, "track", file, "--mask", mask, "--output", tmp_path / "new", "--size", 64) == 0
    assert len(read_bag(tmp_path / "new")[MASK_TOPIC]) == 10


def test_frames_are_views_of_the_message_that_can_be_written_to(scene, tmp_path):
    rgb = np.ascontiguousarray(scene[0][0])
    message = raw(0, rgb)
    message.encoding, message.data, message.step = "rgb8", rgb.reshape(-1), rgb.shape[1] * 3
    bag = write_bag(tmp_path / "bag", "mcap", {"/camera": [message]})
    ((moment, frame),) = Bag(bag)
    assert (frame == rgb).all()
    assert frame.base is not None and frame.flags.writeable  # torch warns of others
    assert (moment.time, moment.header) == (START + DELAY, message.header)


def test_the_image_types_are_the_same_in_every_ros_2():
    stores = [get_typestore(store) for store in Stores if store.name.startswith("ROS2")]
    assert len(stores) > 5
    for kind in (RAW, COMPRESSED):
        assert {store.hash_rihs01(kind) for store in stores} == {STORE.hash_rihs01(kind)}


def test_messages_that_cannot_be_decoded_are_counted_and_said(monkeypatch, capsys, tmp_path, scene, mask):
    images = [raw(i, scene[i][0]) for i in range(6)]
    images[2] = bytes(STORE.serialize_cdr(images[2], RAW))[:1000]
    images[3].encoding = "32FC1"
    bag = write_bag(tmp_path / "bag", "mcap", {"/camera": images})
    new = tmp_path / "new"
    assert fastgan(monkeypatch, "track", bag, "--mask", mask, "--output", new, "--size", 64) == 0
    assert "2 images cannot be used and have no mask. The first: The message is cut off" in capsys.readouterr().err
    times = [time for time, _ in read_bag(new)[MASK_TOPIC]]
    assert times == [START + i * PERIOD + DELAY for i in (0, 1, 4, 5)]
    assert fastgan(monkeypatch, "track", bag, "--mask", mask, "--mask-frame", 3, "--output", tmp_path / "x") == 2
    assert "--mask-frame 3: that image cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def refused(monkeypatch, capsys, *arguments) -> str:
    assert fastgan(monkeypatch, "track", *arguments, "--size", 64) == 2
    lines = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()
    assert lines[-1].startswith("fastgan: ")
    return lines[-1]


def test_the_topic_is_chosen_or_asked_for(monkeypatch, capsys, tmp_path, scene, bag, mask):
    two = {"/left": [raw(0, scene[0][0])], "/right": [raw(i, scene[i][0]) for i in range(2)], "/chatter": CHATTER}
    arguments = ("--mask", mask, "--output", tmp_path / "new")
    listed = "topics with images: /left (1), /right (2)"
    both = write_bag(tmp_path / "two", "mcap", two)
    assert f"choose a topic with --topic; {listed}" in refused(monkeypatch, capsys, both, *arguments)
    missing = refused(monkeypatch, capsys, both, *arguments, "--topic", "/middle")
    assert f"the topic /middle is not in this bag; {listed}" in missing
    other = refused(monkeypatch, capsys, bag, *arguments, "--topic", "/chatter")
    assert "/chatter holds std_msgs/msg/String, not images; topics with images: /camera (10)" in other
    none = write_bag(tmp_path / "none", "sqlite3", {"/chatter": CHATTER})
    assert "no topic in it holds images" in refused(monkeypatch, capsys, none, *arguments)
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(monkeypatch, capsys, tmp_path, bag, mask):
    (tmp_path / "there").mkdir()
    before = {p.name: p.read_bytes() for p in bag.iterdir()}
    common = (bag, "--mask", mask, "--output")
    assert "exists already" in refused(monkeypatch, capsys, *common, tmp_path / "there")
    assert "would be overwritten" in refused(monkeypatch, capsys, *common, bag)
    assert "would be overwritten" in refused(monkeypatch, capsys, *common, bag / "new")
    video = tmp_path / "new" / "overlay.mp4"
    assert "lies in the new bag" in refused(monkeypatch, capsys, *common, tmp_path / "new", "--overlay", video)
    assert {p.name: p.read_bytes() for p in bag.iterdir()} == before
    assert not list((tmp_path / "there").iterdir()) and not (tmp_path / "new").exists()


def test_options_of_bags_are_refused_elsewhere(monkeypatch, capsys, tmp_path, mask):
    arguments = (mask.parent, "--mask", mask, "--output", tmp_path / "new", "--topic", "/camera")
    assert "is not a bag" in refused(monkeypatch, capsys, *arguments)
    assert not is_bag(mask.parent) and not is_bag(tmp_path / "none") and not is_bag("0")


def damaged(tmp_path, scene, storage: str, harm: str) -> Path:
    path = write_bag(tmp_path / "bag", storage, {"/camera": [raw(i, scene[i][0]) for i in range(10)]})
    file = next(p for p in path.iterdir() if p.name != "metadata.yaml")
    data = file.read_bytes()
    if harm == "no metadata":
        (path / "metadata.yaml").unlink()
    elif harm == "no file":
        file.unlink()
    elif harm == "metadata":
        (path / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    elif harm == "nested metadata":
        (path / "metadata.yaml").write_text("[" * 100_000)
    elif harm == "later":
        third = len(data) // 3
        file.write_bytes(data[: 2 * third] + b"\xff" * (third // 2) + data[2 * third + third // 2 :])
    else:
        file.write_bytes({"empty": b"", "garbage": b"no bag at all" * 99, "half": data[: len(data) // 2]}[harm])
    return path


@pytest.mark.parametrize("harm", ["no metadata", "no file", "metadata", "nested metadata", "empty", "garbage", "half"])
@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_a_damaged_bag_is_one_sentence(monkeypatch, capsys, tmp_path, scene, mask, storage, harm):
    bag = damaged(tmp_path, scene, storage, harm)
    assert "reindex" in refused(monkeypatch, capsys, bag, "--mask", mask, "--output", tmp_path / "new")


def test_the_masks_before_the_damage_are_kept(monkeypatch, capsys, tmp_path, scene, mask):
    bag = damaged(tmp_path, scene, "mcap", "later")
    new = tmp_path / "new"
    assert "is damaged after" in refused(monkeypatch, capsys, bag, "--mask", mask, "--output", new)
    assert 1 <= len(read_bag(new)[MASK_TOPIC]) < 10


def test_a_ros_1_bag_is_named(monkeypatch, capsys, tmp_path, mask):
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    said = refused(monkeypatch, capsys, tmp_path / "old.bag", "--mask", mask, "--output", tmp_path / "new")
    assert "is a ROS 1 bag; convert it with 'rosbags-convert" in said


def test_a_disk_that_is_full_is_said(tmp_path, bag, monkeypatch):
    new = NewBag(tmp_path / "new", "sqlite3")
    labels = np.zeros((2, 2), np.uint8)
    moments = [moment for moment, _ in Bag(bag)]
    new.write(moments[0], Tracked(labels, (), 1))
    new._writer.storage.conn.execute("PRAGMA max_page_count = 20")  # SQLite's own way to a full disk
    with pytest.raises(FastganError, match=r"new: cannot be written \(database or disk is full\)"):
        new.write(moments[1], Tracked(np.zeros((500, 500), np.uint8), (), 1))


@pytest.mark.parametrize(("storage", "number"), [("sqlite3", signal.SIGTERM), ("mcap", signal.SIGINT)])
def test_ctrl_c_keeps_what_there_is_as_a_bag(tmp_path, scene, mask, storage, number):
    bag = write_bag(tmp_path / "bag", storage, {"/camera": [raw(i, scene[i % 40][0]) for i in range(400)]})
    new, log = tmp_path / "new", tmp_path / "log"
    command = [sys.executable, "-m", "fastgan_core", "track", bag, "--mask", mask, "--output", new, "--size", "64"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            list(map(str, command)), cwd=tmp_path, stderr=errors, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        try:
            while not new.exists() and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(number)
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert "Traceback" not in log.read_text() and log.read_text().strip().endswith("fastgan: stopped")
    topics = read_bag(new)
    assert 1 <= len(topics[MASK_TOPIC]) == len(topics[OBJECTS_TOPIC]) < 400


def test_the_interfaces_are_installed_with_the_library(tmp_path):
    """A wheel holds the very files of fastgan_interfaces, though there is no such folder where it is installed."""
    build = tmp_path / "build"
    command = [sys.executable, "setup.py", "-q", "egg_info", "-e", str(tmp_path), "build_py", "-d", str(build)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    sources = {file.name: file.read_text() for file in (ROOT / "fastgan_interfaces/msg").glob("*.msg")}
    assert {file.name: file.read_text() for file in (build / "fastgan_core/media/msg").glob("*.msg")} == sources
    assert not list((build / "fastgan_core/media/msg").glob("*.py")) and len(sources) == 2


@pytest.mark.parametrize("version", [8, 9])
def test_bags_of_older_and_newer_recorders_are_read(tmp_path, scene, version):
    bag = write_bag(tmp_path / "bag", "sqlite3", {"/camera": [raw(0, scene[0][0])]}, version)
    assert len(list(Bag(bag))) == len(Bag(bag)) == 1


@pytest.mark.parametrize(("storage", "packed"), [("sqlite3", "file"), ("sqlite3", "message"), ("mcap", "storage")])
def test_compressed_bags_are_read(tmp_path, scene, storage, packed):
    images = [raw(i, scene[i][0]) for i in range(3)]
    path = write_bag(tmp_path / "bag", storage, {"/camera": images}, packed=packed)
    bag = Bag(path)
    assert is_bag(path) and bag.storage == storage
    assert [moment.header for moment, _ in bag] == [image.header for image in images]
    assert all((frame == scene[i][0]).all() for i, (_, frame) in enumerate(bag))

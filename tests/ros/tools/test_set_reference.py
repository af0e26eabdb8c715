"""Marking objects from a file, as a person does in a terminal."""

import subprocess
import sys
import threading

import cv2
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

from harness import environment, labels, picture, wait_for
from lifecycle_msgs.srv import GetState

from fastgan_core.media.masks import write_mask
from fastgan_interfaces.srv import SetReferenceMask
from fastgan_ros.tools.set_reference import main, stamp


def set_reference(rig, *arguments):
    command = [sys.executable, "-m", "fastgan_ros.tools.set_reference", *map(str, arguments)]
    command += ["--node", f"{rig.namespace}/fastgan_tracker"]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120, check=False)


def soon(rig, *arguments):
    """As :func:`set_reference` with a short ``--timeout``; with a longer one where the node was not found in time."""
    for seconds in (3, 10, 30, 60):
        done = set_reference(rig, *arguments, "--timeout", seconds)
        if "is it running" not in done.stderr:
            break
    return done


@pytest.fixture
def files(tmp_path):
    write_mask(tmp_path / "mask.png", labels(ids=(4, 9)))
    write_mask(tmp_path / "other.png", labels(ids=(2,)))
    cv2.imwrite(str(tmp_path / "frame.png"), picture()[..., ::-1])
    return tmp_path


def test_a_mask_with_its_image_and_another_added(rig, files):
    tracker = rig.tracker()
    done = set_reference(rig, "--mask", files / "mask.png", "--image", files / "frame.png")
    assert done.returncode == 0, done.stderr
    assert tracker.tracker.ids == (4, 9)
    done = set_reference(rig, "--mask", files / "other.png", "--image", files / "frame.png", "--add")
    assert done.returncode == 0, done.stderr
    assert tracker.tracker.ids == (4, 9, 2)


def test_binary_masks_get_the_lowest_free_ids(rig, files):
    tracker = rig.tracker()
    for name, number in (("first", 1), ("second", 2)):
        cv2.imwrite(str(files / f"{name}.png"), labels(ids=(255,)))
        done = set_reference(rig, "--mask", files / f"{name}.png", "--image", files / "frame.png", "--add")
        assert done.returncode == 0, done.stderr
        assert tracker.tracker.ids[-1] == number
    assert tracker.tracker.ids == (1, 2)


def test_the_first_image_is_waited_for(rig, files):
    tracker, camera = rig.tracker(), rig.camera()
    timer = rig.node.create_timer(4.0, camera.send)
    done = set_reference(rig, "--mask", files / "mask.png")
    rig.node.destroy_timer(timer)
    assert done.returncode == 0, done.stderr
    assert tracker.tracker.ids == (4, 9)


def test_a_box_and_an_id(rig, files):
    tracker = rig.tracker()
    box = ["--box", 12, 8, 24, 20, "--image", files / "frame.png"]
    done = set_reference(rig, *box, "--id", 7)
    assert done.returncode == 0, done.stderr
    assert "object 7" in done.stdout and tracker.tracker.ids == (7,)
    assert set_reference(rig, *box, "--add").returncode == 0
    assert tracker.tracker.ids == (7, 1)
    done = set_reference(rig, "--mask", files / "other.png", "--image", files / "frame.png", "--id", 3, "--add")
    assert done.returncode == 0, done.stderr
    assert tracker.tracker.ids == (7, 1, 3)
    done = set_reference(rig, "--box", 500, 8, 24, 20, "--image", files / "frame.png")
    assert done.returncode == 2 and "outside of the image of 64x48" in done.stderr
    assert tracker.tracker.ids == (7, 1, 3)


def test_a_stamp_names_the_frame(rig, files):
    tracker, camera = rig.tracker(), rig.camera()
    rig.ready(tracker, camera)
    stamp = camera.send()
    wait_for(lambda: tracker.tally["published"] == 1, "the image")
    seconds = f"{stamp // 10**9}.{stamp % 10**9:09d}"
    for what in (["--box", 12, 8, 24, 20], ["--mask", files / "other.png"]):
        done = set_reference(rig, *what, "--stamp", seconds)
        assert done.returncode == 0, done.stderr
        assert "names the frame" not in done.stdout, "the stamp must arrive as it was given, to the nanosecond"


def test_stamps_are_exact():
    assert (stamp("1700000000.050000001").sec, stamp("1700000000.050000001").nanosec) == (1700000000, 50000001)
    assert stamp("12.5").nanosec == 500000000 and stamp("12").nanosec == 0


def test_the_nodes_refusal_is_passed_on(rig, files):
    tracker = rig.tracker()
    done = soon(rig, "--mask", files / "mask.png")  # no image has arrived
    assert done.returncode == 2
    assert "No image has arrived yet" in done.stderr
    assert tracker.tracker.ids == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mask", "none.png"], "there is no such mask file"),
        (["--mask", "{}/mask.png", "--image", "none.jpg"], "none.jpg"),
        (["--mask", "{}/mask.png", "--timeout", "1"], "is it running"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(rig, files, arguments, words):
    done = set_reference(rig, *(a.format(files) for a in arguments))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mask", "{}/mask.png", "--id", "3"], "has objects 4, 9"),
        (["--mask", "{}/other.png", "--id", "255"], "another id"),
        (["--mask", "{}/mask.png", "--box", "1", "2", "30", "40"], "not allowed with"),
        (["--image", "{}/frame.png"], "one of the arguments --mask --box is required"),
        (["--box", "1", "2", "30"], "expected 4 arguments"),
        (["--box", "-1", "2", "30", "20"], "--box"),
        (["--box", "1.5", "2", "30", "20"], "'1.5' is not a whole number of pixels"),
        (["--box", "1", "2", "30", "20", "--id", "0"], "ids are 1 to 65535"),
        (["--box", "1", "2", "30", "20", "--stamp", "now"], "seconds with nine decimals"),
    ],
)
def test_arguments_that_cannot_be_used_are_said_in_a_sentence(files, capsys, arguments, words):
    try:  # without a node: none of these gets that far
        code = main([a.format(files) for a in arguments])
    except SystemExit as end:  # argparse's
        code = end.code
    assert code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--node", "a b"], "must not contain characters"),
        (["--node", "/a//b"], "repeated '/'"),
        (["--ros-args", "-r", "a b c"], "the ROS arguments cannot be used"),
        (["--ros-args", "--nonsense"], "the ROS arguments cannot be used: ['--nonsense']"),
    ],
)
def test_names_and_arguments_that_ros_cannot_use_are_said_in_a_sentence(files, arguments, words):
    command = [sys.executable, "-m", "fastgan_ros.tools.set_reference", "--mask", str(files / "other.png"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert done.returncode == 2
    assert words in done.stderr and "set_reference: " in done.stderr and "Traceback" not in done.stderr


def says_that_it_is_active(rig) -> None:
    def answer(_, response):
        response.current_state.label = "active"
        return response

    rig.node.create_service(GetState, "fastgan_tracker/get_state", answer)


def test_the_service_itself_is_waited_for(rig, files):
    """Services of one node are found one by one: a request to one that is not there yet would never be answered."""
    says_that_it_is_active(rig)

    def answer(request, response):
        response.success, response.message = True, f"A mask of {request.mask.width} columns."
        return response

    name = "fastgan_tracker/set_reference_mask"
    later = threading.Timer(6.0, rig.node.create_service, (SetReferenceMask, name, answer))
    later.start()
    done = set_reference(rig, "--mask", files / "other.png")
    later.join()
    assert done.returncode == 0, done.stderr
    assert "A mask of 64 columns." in done.stdout


def test_an_active_node_that_is_no_tracker_is_named(rig, files):
    says_that_it_is_active(rig)
    done = soon(rig, "--mask", files / "other.png")
    assert done.returncode == 2
    assert "set_reference_mask is not there" in done.stderr and "Traceback" not in done.stderr


def test_it_needs_no_torch():
    code = "import sys, fastgan_ros.tools.set_reference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), timeout=120, check=False).returncode == 0


def test_a_node_that_is_not_active_is_named_with_the_fix(rig, files):
    rig.tracker(autostart=False)
    done = soon(rig, "--mask", files / "mask.png")
    assert done.returncode == 2
    assert "unconfigured" in done.stderr and "ros2 lifecycle set" in done.stderr

"""Files that somebody sent: the node refuses each in one sentence, runs nothing out of it, and goes on."""

import json
import os
import pickle
import struct

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import harness
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from safetensors import safe_open
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def stand(weights):
    """One node for all files."""
    with harness.Rig(weights) as rig:
        yield rig, rig.tracker(autostart=False)


class Trap:
    """Unpickled, it leaves a folder behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def changed(good, path, tensors=None, **metadata):
    """A copy of a checkpoint with `tensors` passed through a function and some metadata replaced."""
    with safe_open(good, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        known = file.metadata()
    if tensors:
        state = tensors(state)
    kept = {name: value for name, value in {**known, **metadata}.items() if value is not None}
    save_file(state, path, kept)


def first(state, change):
    """The tensors with the first one changed."""
    name = next(name for name in state if name.endswith("weight"))
    return {**state, name: change(state[name]).contiguous()}


def header(length: int, text: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + text


def whole(path):
    with open(path, "rb") as file:
        return file.read()


DEEP = "[" * 100_000 + "]" * 100_000
FILES = {
    "empty": lambda good, path: path.write_bytes(b""),
    "a few bytes": lambda good, path: path.write_bytes(b"abc"),
    "pickle": lambda good, path: path.write_bytes(pickle.dumps(Trap(path.parent / "ran"))),
    "zip": lambda good, path: path.write_bytes(b"PK\x03\x04" + bytes(500)),
    "truncated": lambda good, path: path.write_bytes(whole(good)[:-1000]),
    "truncated in the header": lambda good, path: path.write_bytes(whole(good)[:300]),
    "longer than it says": lambda good, path: path.write_bytes(whole(good) + bytes(1000)),
    "header of exabytes": lambda good, path: path.write_bytes(header(2**62, b"{}")),
    "header of 90 MB": lambda good, path: path.write_bytes(header(90_000_000, b"{}")),
    "header that is no JSON": lambda good, path: path.write_bytes(header(8, b"not json")),
    "header nested deeply": lambda good, path: path.write_bytes(header(len(DEEP), DEEP.encode())),
    "tensor out of the file": lambda good, path: path.write_bytes(
        header(83, b'{"a": {"dtype": "F32", "shape": [1000000, 1000000], "data_offsets": [0, 400]}}     ')
    ),
    "another program's": lambda good, path: changed(good, path, format=None),
    "unknown variant": lambda good, path: changed(good, path, variant="../../etc/passwd"),
    "no variant": lambda good, path: changed(good, path, variant=None),
    "input size of words": lambda good, path: changed(good, path, input_size="large"),
    "input size of millions": lambda good, path: changed(good, path, input_size="32000000"),
    "negative input size": lambda good, path: changed(good, path, input_size="-64"),
    "recipe that is no JSON": lambda good, path: changed(good, path, recipe="{"),
    "recipe nested deeply": lambda good, path: changed(good, path, recipe=DEEP),
    "recipe with a number of a million digits": lambda good, path: changed(good, path, recipe="1" * 1_000_000),
    "recipe that is a list": lambda good, path: changed(good, path, recipe=json.dumps([1, 2])),
    "other variant": lambda good, path: changed(good, path, variant="resnet50"),
    "wrong shape": lambda good, path: changed(good, path, lambda s: first(s, lambda t: t[:1])),
    "scalar": lambda good, path: changed(good, path, lambda s: first(s, lambda t: t.sum())),
    "a tensor missing": lambda good, path: changed(good, path, lambda s: dict(list(s.items())[1:])),
    "a tensor too many": lambda good, path: changed(
        good, path, lambda s: {**s, "stranger": next(iter(s.values())).clone()}
    ),
    "no tensors": lambda good, path: changed(good, path, lambda s: {}),
    "not a number": lambda good, path: changed(good, path, lambda s: first(s, lambda t: t * float("nan"))),
    "infinite": lambda good, path: changed(good, path, lambda s: first(s, lambda t: t / 0)),
    "a folder": lambda good, path: path.mkdir(),
}


ONNX_FILES = {
    "no model": b"no model at all" * 99,
    # A graph (field 7) with a tensor (field 5) whose external_data (field 13) names a place.
    "a tensor in another file": b"\x3a\x0a\x2a\x08\x6a\x06secret",
}


@pytest.mark.parametrize("kind", ONNX_FILES)
def test_an_onnx_file_from_a_stranger_is_one_sentence(rig, tmp_path, kind, capfd):
    path = tmp_path / "model.onnx"
    path.write_bytes(ONNX_FILES[kind])
    tracker = rig.tracker(weights=str(path))
    harness.wait_for(lambda: rig.lifecycle_state() == "unconfigured", "the transition to end")
    assert tracker.state == "unconfigured"
    said = rig.reset().message
    assert "model.onnx" in said and "\n" not in said and len(said) < 600, said
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", FILES)
def test_a_file_from_a_stranger_is_one_sentence(stand, tmp_path, capfd, kind):
    rig, tracker = stand
    path = tmp_path / "model.safetensors"
    FILES[kind](rig.weights, path)

    def configure(file):
        change = [Parameter("weights", value=str(file)).to_parameter_msg()]
        # The size is the file's own here, not the stand's.
        change.append(Parameter("input_size", value=0).to_parameter_msg())
        answer = rig.call(SetParameters, "set_parameters", SetParameters.Request(parameters=change))
        assert all(result.successful for result in answer.results)
        return rig.transition("configure")

    capfd.readouterr()
    if tracker.state == "inactive":  # where an earlier file was taken
        assert rig.transition("cleanup")
    assert not configure(path)
    assert rig.lifecycle_state() == tracker.state == "unconfigured"
    said = rig.reset().message
    assert "model.safetensors" in said and "\n" not in said and len(said) < 600, said
    assert "Traceback" not in capfd.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert configure(rig.weights) and rig.transition("cleanup")

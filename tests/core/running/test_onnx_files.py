"""ONNX files from strangers: those that refer to other files are not opened, those that do not fit are one sentence."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="makes the files")
pytest.importorskip("onnxruntime", reason="the backend of ONNX files")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fastgan_core.errors import FastganError
from fastgan_core.running.onnx_files import check_onnx
from fastgan_core.tracking.opening import open_network

TOLD = {"format": "fastgan-onnx-1", "variant": "resnet18", "input_size": "64", "recipe": "{}", "licence": ""}
SHAPES = {
    "image": [1, 3, "h", "w"],
    "previous": ["n", 1, "h", "w"],
    "reference": ["n", 512, "y", "x"],
    "memory": ["n", 64, "b", "a"],
}
RESULTS = {"logits": "previous", "next_memory": "memory", "features": "reference"}
FLOAT = TensorProto.FLOAT


def model(nodes=(), tensors=(), told=TOLD, shapes=SHAPES, kind=FLOAT, **more):
    """A file with the marks of an export that hands its state on unchanged, and with what is given besides."""
    same = [helper.make_node("Identity", [source], [name]) for name, source in RESULTS.items()]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, kind, shapes[source]) for name, source in RESULTS.items()]
    graph = helper.make_graph([*same, *nodes], "g", inputs, outputs, list(tensors))
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("evil", 1)]
    made = helper.make_model(graph, opset_imports=domains, ir_version=10, **more)
    helper.set_model_props(made, told)
    return made


def outside(location: str) -> TensorProto:
    """A tensor that lies in another file."""
    tensor = TensorProto(name="stolen", data_type=TensorProto.UINT8, dims=[8], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(tensor: TensorProto):
    return helper.make_node("Constant", [], ["unused"], value=tensor)


def without(name: str) -> dict:
    return {key: value for key, value in TOLD.items() if key != name}


def loop():
    """An operator with a graph in it, which may run for ever."""
    body = helper.make_graph([], "body", [], [])
    return helper.make_node("Loop", ["", ""], [], body=body)


def sparse():
    values = outside("secret")
    indices = numpy_helper.from_array(np.zeros(8, np.int64), "i")
    return helper.make_node("Constant", [], ["s"], sparse_value=helper.make_sparse_tensor(values, indices, [8]))


def engine():
    """ONNX Runtime would read an engine's file here, and run what is in it."""
    named = {"embed_mode": 0, "ep_cache_context": "/etc/passwd"}
    return helper.make_node("EPContext", [], ["e"], domain="com.microsoft", **named)


FILES = {
    "a file beside": (lambda: model(tensors=[outside("secret")]), "lie in other files"),
    "a file above": (lambda: model(tensors=[outside("../secret")]), "lie in other files"),
    "a file of the system": (lambda: model(tensors=[outside("/etc/passwd")]), "lie in other files"),
    "a file, in a constant": (lambda: model([constant(outside("../secret"))]), "lie in other files"),
    "a file, in a sparse constant": (lambda: model([sparse()]), "lie in other files"),
    "a cached engine": (lambda: model([engine()]), "'EPContext' of the domain 'com.microsoft'"),
    "an operator of a stranger": (lambda: model([helper.make_node("X", [], ["x"], domain="evil")]), "domain 'evil'"),
    "a loop": (lambda: model([loop()]), "has loops or branches"),
    "functions": (
        lambda: model(functions=[helper.make_function("evil", "F", [], [], [], [helper.make_opsetid("", 18)])]),
        "has functions",
    ),
    "an operator that there is not": (lambda: model([helper.make_node("NoSuch", [], ["x"])]), "cannot be run"),
    "no metadata": (lambda: model(told={}), "was not made by 'fastgan export'"),
    "no variant": (lambda: model(told=without("variant")), "cannot be read"),
    "a variant that there is not": (lambda: model(told={**TOLD, "variant": "../../etc"}), "is of the variant"),
    "an input size of words": (lambda: model(told={**TOLD, "input_size": "wide"}), "cannot be read"),
    "an input size of millions": (lambda: model(told={**TOLD, "input_size": "32000000"}), "says input size 32000000"),
    "a recipe nested deeply": (lambda: model(told={**TOLD, "recipe": "[" * 100_000}), "cannot be read"),
    "other channels": (lambda: model(shapes={**SHAPES, "memory": ["n", 7, "b", "a"]}), "other inputs and outputs"),
    "other ranks": (lambda: model(shapes={**SHAPES, "memory": ["n"]}), "other inputs and outputs"),
    "numbers of another type": (lambda: model(kind=TensorProto.DOUBLE), "other inputs and outputs"),
}


@pytest.fixture
def path(tmp_path):
    """Where to write a file; above it and beside it lie others that are nobody's business."""
    (tmp_path / "secret").write_bytes(b"password")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "secret").write_bytes(b"password")
    return tmp_path / "sub" / "strange.onnx"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_does_not_fit_is_one_sentence(path, kind, backend):
    if backend == "openvino":
        pytest.importorskip("openvino", reason="openvino is optional")
    make, words = FILES[kind]
    path.write_bytes(make().SerializeToString())
    with pytest.raises(FastganError) as refused:
        open_network(path, backend, device="cpu")
    said = str(refused.value)
    assert words in said and str(path) in said and "\n" not in said and len(said) < 500, said
    assert "password" not in said and said.count("weights: ") == 1


def test_the_file_that_the_others_are_made_from_is_taken(path):
    path.write_bytes(model().SerializeToString())
    network, info = open_network(path, device="cpu")
    assert (network.variant, info.variant, info.input_size) == ("resnet18", "resnet18", 64)


@pytest.mark.parametrize("content", [b"", b"\x00", b"no model at all" * 99, b"\x3a\xff\xff\xff\xff\x7f", b"\x0b" * 50])
def test_what_is_no_model_is_one_sentence(path, content):
    path.write_bytes(content)
    with pytest.raises(FastganError, match=r"strange\.onnx cannot be run as an ONNX file"):
        open_network(path, device="cpu")


# Field 13 of a tensor (other files) and 14 (where it lies) with a bit that a runtime cuts off; field 0.
@pytest.mark.parametrize("tag", [b"\xea\x80\x80\x80\x10", b"\xf0\x80\x80\x80\x10", b"\x02"])
def test_fields_that_a_runtime_would_take_for_others_are_refused(path, tag):
    path.write_bytes(model().SerializeToString() + tag + b"\x00")
    with pytest.raises(FastganError, match="a field that protobuf does not know"):
        open_network(path, device="cpu")


@settings(max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    cut=st.none() | st.integers(0, 2000),
)
def test_a_damaged_file_is_taken_or_one_sentence(path, changes, cut):
    data = bytearray(model([constant(numpy_helper.from_array(np.ones(9, np.float32), "c"))]).SerializeToString())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data[:cut])
    try:
        open_network(path, device="cpu")
    except FastganError as error:
        assert "\n" not in str(error) and str(path) in str(error)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_looked_through_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "bytes.onnx"
    file.write_bytes(data)
    try:
        check_onnx(file)
    except FastganError as error:
        assert "\n" not in str(error)

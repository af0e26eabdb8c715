"""What an ONNX file may hold: looked at before a runtime opens it, because a runtime does what the file says.

An ONNX file can name other files (a tensor's external data, the cached engine of an operator), and have loops that
do not end. Files of ``fastgan export`` have none of it: tensors inside, the standard's operators, one flat graph.
"""

from collections.abc import Iterator
from pathlib import Path

from fastgan_core.errors import FastganError

LARGEST = 2**31  # bytes; protobuf itself ends there
STANDARD = (b"", b"ai.onnx")  # domains of operators
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf's wire types

# Numbers of the fields in onnx.proto.
MODEL_GRAPH, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_OP, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
SPARSE_PARTS = (1, 2)
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14


def check_onnx(path: str | Path) -> None:
    """Refuse a file that is no ONNX, refers to other files, or has operators that ``fastgan export`` does not write.

    Raises:
        FastganError: what is wrong with it, in a sentence.
    """
    path = Path(path)
    if not path.is_file():
        raise FastganError(f"weights: there is no file {path}; make it with 'fastgan export --onnx {path}'")
    try:
        size = path.stat().st_size
        if not 0 < size < LARGEST:
            raise ValueError(f"it has {size} bytes")
        reason = _model(memoryview(path.read_bytes()))
    except (OSError, ValueError, IndexError) as error:
        raise FastganError(f"weights: {path} cannot be run as an ONNX file ({error}); export it again") from None
    if reason:
        raise FastganError(
            f"weights: {path} {reason}, which files of 'fastgan export' do not; it was not opened. Export it again"
        )


def _model(model: memoryview) -> str:
    """Why a ModelProto is refused, or ""."""
    graphs = 0
    for number, value in _fields(model):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            return "has functions or training steps in it"
        if number == MODEL_GRAPH:
            graphs += 1
            reason = _graph(_message(value))
            if reason:
                return reason
    if not graphs:
        raise ValueError("there is no graph in it")
    return ""


def _graph(graph: memoryview) -> str:
    for number, value in _fields(graph):
        reason = ""
        if number == GRAPH_NODE:
            reason = _node(_message(value))
        elif number == GRAPH_INITIALIZER:
            reason = _tensor(_message(value))
        elif number == GRAPH_SPARSE:
            reason = _sparse(_message(value))
        if reason:
            return reason
    return ""


def _node(node: memoryview) -> str:
    kind = ""
    for number, value in _fields(node):
        if number == NODE_OP:
            kind = bytes(_message(value)[:40]).decode("utf-8", "replace")
        elif number == NODE_DOMAIN and bytes(_message(value)) not in STANDARD:
            domain = bytes(_message(value)[:40]).decode("utf-8", "replace")
            return f"has an operator {kind!r} of the domain {domain!r}"
        elif number == NODE_ATTRIBUTE:
            reason = _attribute(_message(value))
            if reason:
                return reason
    return ""


def _attribute(attribute: memoryview) -> str:
    for number, value in _fields(attribute):
        if number in ATTRIBUTE_GRAPHS:
            return "has loops or branches"
        reason = ""
        if number in ATTRIBUTE_TENSORS:
            reason = _tensor(_message(value))
        elif number in ATTRIBUTE_SPARSE:
            reason = _sparse(_message(value))
        if reason:
            return reason
    return ""


def _sparse(tensor: memoryview) -> str:
    reasons = (_tensor(_message(value)) for number, value in _fields(tensor) if number in SPARSE_PARTS)
    return next(filter(None, reasons), "")


def _tensor(tensor: memoryview) -> str:
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value != 0):
            return "has tensors that lie in other files"
    return ""


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: number and value, bytes as a view. ValueError or IndexError: it is none."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        if not 0 < key >> 3 < 2**29:  # runtimes cut what is beyond, and would see another field than is seen here
            raise ValueError("it has a field that protobuf does not know")
        wire = key & 7
        if wire == VARINT:
            value, at = _varint(message, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
            value, at = message[at : at + length], at + length
        elif wire == BYTES:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            raise ValueError("it is no protobuf")
        if at > end:
            raise ValueError("it is cut off")
        yield key >> 3, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it has a number that does not end")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is not ONNX")
    return value

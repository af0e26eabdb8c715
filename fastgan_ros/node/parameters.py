"""The node's parameters: one table with type, default, range and a sentence for each."""

import difflib
import math
from dataclasses import dataclass, field, fields

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from fastgan_core.errors import FastganError
from fastgan_core.running.choices import BACKENDS, PRECISIONS

# When a new value can be given: only at the start of the process, while the node is unconfigured, or always.
START, CONFIGURE, LIVE = "start", "configure", "live"


def _parameter(default, text, *, low=None, high=None, step=0, choices=(), when=CONFIGURE):
    metadata = {"text": text, "low": low, "high": high, "step": step, "choices": choices, "when": when}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Values of all parameters; the fields are the table that the node declares from."""

    weights: str = _parameter(
        "", "Checkpoint (.safetensors) or file of fastgan export (.onnx); empty: the one that ships with the package."
    )
    device: str = _parameter(
        "auto", "Where the model runs: auto (the GPU if there is one), cpu, cuda or cuda:N."
    )
    backend: str = _parameter(
        "auto",
        "What runs the model: auto is onnxruntime for a file of fastgan export, else torch or, on a CPU where it is "
        "installed and faster, openvino.",
        choices=BACKENDS,
    )
    precision: str = _parameter("auto", "Arithmetic of the model.", choices=PRECISIONS)
    threads: int = _parameter(
        0, "Threads of the model on a CPU; 0: one for each core.", low=0, high=256, when=START
    )
    input_size: int = _parameter(
        0,
        "Side of the square network input in pixels, a multiple of 32; 0: the checkpoint's own, on a GPU the larger "
        "one.",
        low=0,
        high=2048,
        step=32,
    )
    max_objects: int = _parameter(32, "Most objects tracked at the same time.", low=1, high=255)
    image_transport: str = _parameter(
        "raw",
        "raw subscribes to the topic image (sensor_msgs/Image); compressed to image/compressed "
        "(sensor_msgs/CompressedImage, JPEG or PNG).",
        choices=("raw", "compressed"),
    )
    reliability: str = _parameter(
        "auto",
        "Reliability asked of the camera: auto follows what its publisher offers.",
        choices=("auto", "reliable", "best_effort"),
    )
    mask_encoding: str = _parameter(
        "mono8",
        "Encoding of ~/mask: mono8 holds ids up to 255, mono16 up to 65535.",
        choices=("mono8", "mono16"),
    )
    overlay_alpha: float = _parameter(
        0.5,
        "Opacity of the object colours in ~/overlay; 0 leaves contours only.",
        low=0.0,
        high=1.0,
        when=LIVE,
    )
    lost_threshold: float = _parameter(
        0.25, "Score in [0, 1] under which an object is reported lost.", low=0.0, high=1.0, when=LIVE
    )
    history_seconds: float = _parameter(
        10.0,
        "Seconds of frames that are kept for masks that come late; 0 keeps none.",
        low=0.0,
        high=600.0,
    )
    history_megabytes: int = _parameter(
        160, "Most memory that kept frames take, in MB; the oldest go first.", low=1, high=8192
    )
    catch_up_budget: float = _parameter(
        2.0,
        "Seconds in which a late mask is to be brought to the present; frames are skipped to keep to it.",
        low=0.1,
        high=60.0,
        when=LIVE,
    )
    no_image_timeout: float = _parameter(
        3.0,
        "Seconds without an image after which the node says so and names the fix.",
        low=0.1,
        high=3600.0,
        when=LIVE,
    )
    diagnostics_period: float = _parameter(
        1.0, "Seconds between two messages on /diagnostics.", low=0.1, high=60.0, when=START
    )
    autostart: bool = _parameter(
        True, "Configure and activate at start; false leaves that to a lifecycle manager.", when=START
    )


TABLE = {f.name: f for f in fields(Settings)}


def allowed(name: str) -> str:
    """Return in words which values a parameter takes."""
    default, rule = TABLE[name].default, TABLE[name].metadata
    if rule["choices"]:
        return "one of " + ", ".join(rule["choices"])
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, str):
        return "text"
    # An integer where a decimal number is expected is the usual slip in a parameter file.
    kind = f"a decimal number (such as {default})" if isinstance(default, float) else "an integer"
    step = f", a multiple of {rule['step']}" if rule["step"] else ""
    return f"{kind} from {rule['low']} to {rule['high']}{step}"


def check(name: str, value) -> str | None:
    """Return a sentence that says what is wrong with a value of the right type, or None."""
    rule = TABLE[name].metadata
    wrong = rule["choices"] and value not in rule["choices"]
    if rule["low"] is not None:
        # NaN passes the range check of rclpy in some releases.
        wrong = not math.isfinite(value) or not rule["low"] <= value <= rule["high"]
        wrong = wrong or (rule["step"] and value % rule["step"] != 0)
    if not wrong:
        return None
    near = difflib.get_close_matches(str(value), rule["choices"], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"Parameter '{name}' must be {allowed(name)}; it was given '{value}'.{hint}"


def is_live(name: str) -> bool:
    """Return True for a parameter that can be changed at any time."""
    return TABLE[name].metadata["when"] == LIVE


def descriptor(name: str) -> ParameterDescriptor:
    """Return what `ros2 param describe` shows for one parameter."""
    rule = TABLE[name].metadata
    described = ParameterDescriptor(description=rule["text"], read_only=rule["when"] == START)
    described.additional_constraints = allowed(name)
    if rule["when"] == CONFIGURE:
        described.description += " Can be changed while the node is unconfigured."
    if rule["low"] is not None and isinstance(TABLE[name].default, float):
        described.floating_point_range = [FloatingPointRange(from_value=rule["low"], to_value=rule["high"])]
    elif rule["low"] is not None:
        described.integer_range = [
            IntegerRange(from_value=rule["low"], to_value=rule["high"], step=rule["step"])
        ]
    return described


def declare(node) -> Settings:
    """Declare all parameters on a node and return the values it was started with.

    Raises FastganError with a sentence when a value has the wrong type or is out of range.
    """
    values = {}
    for name, entry in TABLE.items():
        try:
            values[name] = node.declare_parameter(name, entry.default, descriptor(name)).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise FastganError(f"Parameter '{name}' must be {allowed(name)}. {error}") from error
        problem = check(name, values[name])
        if problem:
            raise FastganError(problem)
    return Settings(**values)


def misspelt(given) -> list[str]:
    """Return a sentence for each given name that is not a parameter but nearly is one.

    Names far from all of ours are left alone: a parameter file may be shared with other nodes.
    """
    sentences = []
    for name in given:
        near = difflib.get_close_matches(name, TABLE, n=1, cutoff=0.75)
        if name not in TABLE and near:
            sentences.append(f"There is no parameter '{name}'; did you mean '{near[0]}'? It was ignored.")
    return sentences


def table() -> str:
    """The parameters as the Markdown table of docs/node.md; `python -m fastgan_ros.node.parameters` prints it."""
    rows = ["| parameter | default | takes | changes | |", "|---|---|---|---|---|"]
    for name, entry in TABLE.items():
        default = str(entry.default).lower() if isinstance(entry.default, bool) else entry.default
        shown = f"`{default}`" if default != "" else "empty"
        rows.append(f"| `{name}` | {shown} | {allowed(name)} | {entry.metadata['when']} | {entry.metadata['text']} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())

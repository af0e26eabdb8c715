"""What the node shows on the network: topics, services, parameters, and the file with their defaults."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
pytest.importorskip("fastgan_interfaces", reason="needs fastgan_interfaces, built by pip or colcon")

import yaml
from harness import wait_for
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter

from fastgan_core.errors import FastganError
from fastgan_core.tracking.tracker import Tracker
from fastgan_ros.node.parameters import LIVE, START, TABLE, Settings, check, misspelt

CONFIG = Path(__file__).parents[3] / "config" / "fastgan_tracker.yaml"

TOPICS = {
    "fastgan_tracker/mask": "sensor_msgs/msg/Image",
    "fastgan_tracker/overlay": "sensor_msgs/msg/Image",
    "fastgan_tracker/mask_color": "sensor_msgs/msg/Image",
    "fastgan_tracker/objects": "fastgan_interfaces/msg/TrackedObjects",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
SERVICES = {
    "fastgan_tracker/set_reference_mask": "fastgan_interfaces/srv/SetReferenceMask",
    "fastgan_tracker/remove_objects": "fastgan_interfaces/srv/RemoveObjects",
    "fastgan_tracker/reset": "std_srvs/srv/Trigger",
    "fastgan_tracker/set_paused": "std_srvs/srv/SetBool",
    "fastgan_tracker/change_state": "lifecycle_msgs/srv/ChangeState",
}


@pytest.mark.parametrize(
    ("transport", "topic", "kind"),
    [
        ("raw", "image", "sensor_msgs/msg/Image"),
        ("compressed", "image/compressed", "sensor_msgs/msg/CompressedImage"),
    ],
)
def test_discovery(rig, transport, topic, kind):
    rig.tracker(image_transport=transport)
    absolute = {name if name[0] == "/" else f"{rig.namespace}/{name}": [t] for name, t in TOPICS.items()}
    services = {f"{rig.namespace}/{name}": [t] for name, t in SERVICES.items()}
    absolute[f"{rig.namespace}/{topic}"] = [kind]
    wait_for(lambda: absolute.items() <= dict(rig.node.get_topic_names_and_types()).items(), "the topics")
    wait_for(lambda: services.items() <= dict(rig.node.get_service_names_and_types()).items(), "the services")
    wait_for(lambda: ("fastgan_tracker", rig.namespace) in rig.node.get_node_names_and_namespaces(), "the node")


def test_parameters_are_described(rig):
    rig.tracker(autostart=False)
    answer = rig.call(DescribeParameters, "describe_parameters", DescribeParameters.Request(names=list(TABLE)))
    kinds = {
        str: ParameterType.PARAMETER_STRING,
        int: ParameterType.PARAMETER_INTEGER,
        float: ParameterType.PARAMETER_DOUBLE,
        bool: ParameterType.PARAMETER_BOOL,
    }
    for described in answer.descriptors:
        entry = TABLE[described.name]
        assert described.type == kinds[type(entry.default)]
        assert described.description.startswith(entry.metadata["text"])
        assert described.read_only == (entry.metadata["when"] == START)
        ranges = [*described.integer_range, *described.floating_point_range]
        assert [(r.from_value, r.to_value) for r in ranges] == (
            [(entry.metadata["low"], entry.metadata["high"])]
            if isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool)
            else []
        )


def test_the_parameter_file_holds_every_parameter_with_its_default():
    file = yaml.safe_load(CONFIG.read_text())
    given = file["/**"]["ros__parameters"]
    assert given == {name: entry.default for name, entry in TABLE.items()}
    assert {n: type(v) for n, v in given.items()} == {n: type(e.default) for n, e in TABLE.items()}
    for line in CONFIG.read_text().splitlines():
        name = line.strip().split(":")[0]
        if name in TABLE:
            assert "#" in line, f"{name} has no comment"
            marked = "live;" in line, "start;" in line
            assert marked == (TABLE[name].metadata["when"] == LIVE, TABLE[name].metadata["when"] == START)


def set_parameter(rig, name, value):
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return rig.call(SetParameters, "set_parameters", request).results[0]


def test_parameters_set_while_active(rig):
    tracker = rig.tracker()
    for name, value in {"overlay_alpha": 0.25, "lost_threshold": 0.75, "no_image_timeout": 9.0}.items():
        assert set_parameter(rig, name, value).successful
        assert getattr(tracker.settings, name) == value
    assert tracker.tracker.lost_threshold == 0.75
    before = tracker.settings
    refused = {
        "overlay_alpha": (1.5, float("nan"), "much"),
        "lost_threshold": (-0.1, float("inf")),
        "no_image_timeout": (0.0,),
        "input_size": (33, 64, -32),
        "max_objects": (0, 8),
        "threads": (1, -1),
        "autostart": (False,),
        "precision": ("fp31", "fp16"),
        "reliability": ("best effort", "reliable"),
        "weights": ("x",),
    }
    for name, values in refused.items():
        for value in values:
            answer = set_parameter(rig, name, value)
            assert (not answer.successful and name in answer.reason) or "type" in answer.reason
    assert tracker.settings == before


def test_threads_and_the_price_of_an_emulated_precision(rig, monkeypatch, capfd):
    import torch

    before = torch.get_num_threads()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    try:
        rig.tracker(threads=1 + before, precision="bf16")
        with ThreadPoolExecutor(1) as pool:  # a thread that has not computed yet, as the worker's had not
            assert pool.submit(torch.get_num_threads).result() == 1 + before
    finally:
        torch.set_num_threads(before)
    assert "no instructions for bf16" in capfd.readouterr().err


def test_parameters_of_the_model_can_be_set_while_unconfigured(rig):
    tracker = rig.tracker(autostart=False)
    assert set_parameter(rig, "max_objects", 2).successful
    assert not set_parameter(rig, "precision", "fp31").successful
    assert rig.transition("configure")
    answer = set_parameter(rig, "max_objects", 3)
    assert not answer.successful and "clean" in answer.reason
    assert tracker.settings.max_objects == 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lost_threshold", 7.0, "from 0.0 to 1.0"),
        ("no_image_timeout", 3, "a decimal number (such as 3.0)"),
        ("input_size", 100, "a multiple of 32"),
        ("precision", "fp61", "Did you mean 'fp16'?"),
        ("autostart", "yes", "true or false"),
        ("overlay_alpha", float("nan"), "from 0.0 to 1.0"),
    ],
)
def test_a_wrong_parameter_at_start_is_one_sentence(rig, name, value, words):
    with pytest.raises(FastganError) as caught:
        rig.tracker(**{name: value})
    assert name in str(caught.value) and words in str(caught.value)


def test_the_table_accepts_its_own_defaults():
    for name, entry in TABLE.items():
        assert check(name, entry.default) is None
    assert Settings() == Settings(**{name: entry.default for name, entry in TABLE.items()})


def test_defaults_are_those_of_the_tracker(weights):
    tracker = Tracker.from_weights(weights, device="cpu")
    settings = Settings()
    assert settings.lost_threshold == tracker.lost_threshold
    assert settings.max_objects == tracker.max_objects


def test_a_misspelt_parameter_is_pointed_out():
    assert misspelt(["lost_treshold", "use_sim_time", *TABLE]) == [
        "There is no parameter 'lost_treshold'; did you mean 'lost_threshold'? It was ignored."
    ]

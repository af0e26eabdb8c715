"""ONNX files: the same masks as PyTorch over a clip, and what is said about files that do not fit."""

import numpy as np
import pytest
import torch
from footage import frame, labels

from fastgan_core.errors import FastganError
from fastgan_core.evaluation.metrics import region_similarity
from fastgan_core.running.export import export_onnx
from fastgan_core.running.signal_stack import kept_signal_stack
from fastgan_core.running.weights import WeightsInfo, load_weights, save_weights
from fastgan_core.tracking.network import Verdict
from fastgan_core.tracking.opening import open_network, runnable
from fastgan_core.tracking.tracker import Tracker

FRAMES = 10

pytest.importorskip("onnx", reason="fastgan export needs onnx and onnxscript")
pytest.importorskip("onnxscript", reason="fastgan export needs onnx and onnxscript")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The weights that ship, as ONNX."""
    path = tmp_path_factory.mktemp("onnx") / "shipped.onnx"
    export_onnx(path, *load_weights())
    return path


def clip_masks(scene, **options) -> list[np.ndarray]:
    """Masks of a clip with one object and, from its middle on, a second one: the number of objects is dynamic."""
    tracker = Tracker.from_weights(device="cpu", size=224, **options)
    tracker.set_reference(*scene[0])
    masks = []
    for n in range(1, FRAMES):
        if n == FRAMES // 2:
            second = np.zeros_like(scene[0][1])
            second[:60, :80] = 2
            tracker.set_reference(scene[n][0], second, mode="add")
        masks.append(tracker.step(scene[n][0]).labels)
    return masks


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_masks_are_those_of_pytorch(shipped, scene, backend):
    pytest.importorskip(backend, reason=f"{backend} is optional")
    precision = "fp32" if backend == "openvino" else "auto"
    ours = clip_masks(scene, path=shipped, backend=backend, precision=precision)
    plain = clip_masks(scene, precision="fp32")
    assert {1, 2} <= {int(i) for mask in plain for i in np.unique(mask)}
    scores = [region_similarity(a == i, b == i) for a, b in zip(ours, plain, strict=True) for i in (1, 2)]
    assert min(scores) >= 0.99


@pytest.fixture(scope="module")
def lite_file(tmp_path_factory, lite):
    path = tmp_path_factory.mktemp("onnx") / "lite.onnx"
    export_onnx(path, lite, WeightsInfo(path, "lite", 64, {"lr": 1}, "test"))
    return path


@pytest.mark.parametrize(("backend", "is_file"), [("onnxruntime", True), ("openvino", True), ("openvino", False)])
def test_the_default_network_is_the_same_everywhere(lite, lite_file, backend, is_file):
    pytest.importorskip(backend, reason=f"{backend} is optional")
    plain = runnable(lite, "lite", "torch", "cpu", "fp32")
    other = runnable(lite_file if is_file else lite, "lite", backend, "cpu", "fp32")
    torch.manual_seed(0)
    for count, size in ((1, (64, 96)), (3, (96, 32))):
        masks = torch.rand(count, 1, *size) / count
        images = torch.rand(3, 1, 3, *size)
        states = [network.start(images[0], masks)[0] for network in (plain, other)]
        for image in images[1:]:
            lost = torch.arange(count) == 1
            verdict = Verdict(lost, torch.zeros_like(lost), ~lost)
            for a, b in zip(*states, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
            steps = [network.step(image, state, lost) for network, state in zip((plain, other), states, strict=True)]
            for a, b in zip(*([logits, *seen] for logits, seen in steps), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
            states = [
                network.keep(state, seen, steps[0][0].sigmoid(), verdict)
                for network, state, (_, seen) in zip((plain, other), states, steps, strict=True)
            ]


@pytest.mark.parametrize("variant", ["resnet18", "lite"])
def test_openvino_runs_a_checkpoint(model, lite, tmp_path, variant):
    pytest.importorskip("openvino", reason="openvino is optional")
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"resnet18": model, "lite": lite}[variant], input_size=64)
    masks = []
    for backend in ("openvino", "torch"):
        tracker = Tracker.from_weights(path, "cpu", "fp32", backend=backend)
        assert tracker.backend == backend
        tracker.lost_threshold = 0.0
        tracker.set_reference(frame(), labels(1, 2))
        masks.append([tracker.step(frame(seed=seed)).labels for seed in range(3)])
    assert all((a == b).mean() > 0.99 for a, b in zip(*masks, strict=True))


def test_openvino_says_what_it_computes(shipped):
    openvino = pytest.importorskip("openvino", reason="openvino is optional")
    with kept_signal_stack():
        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" in capabilities:
        assert open_network(shipped, "openvino", "cpu", "bf16")[0].precision == "bf16"
    else:
        with pytest.raises(FastganError, match="does not compute bf16 on this CPU"):
            open_network(shipped, "openvino", "cpu", "bf16")
        assert open_network(shipped, "openvino", "cpu", "auto")[0].precision == "fp32"


def test_the_file_says_what_it_is(shipped, lite_file):
    pytest.importorskip("onnxruntime", reason="onnxruntime is optional")
    network, info = open_network(shipped)
    plain = load_weights()[1]
    assert network.name == "onnxruntime"
    assert (info.variant, info.input_size, info.licence) == (plain.variant, plain.input_size, plain.licence)
    assert info.recipe == plain.recipe
    network, info = open_network(lite_file)
    assert (network.variant, info.variant, info.input_size, info.recipe) == ("lite", "lite", 64, {"lr": 1})


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("", {"backend": "onnxruntime"}, "run 'fastgan export --onnx model.onnx'"),
        ("", {"backend": "tensorflow"}, "use auto, torch, onnxruntime, openvino"),
        ("there is none.onnx", {}, "there is no file"),
        ("shipped", {"backend": "torch"}, "torch cannot run"),
        ("shipped", {"precision": "fp16"}, "is fp32, not fp16"),
        ("shipped", {"backend": "openvino", "device": "cuda"}, "runs on the CPU"),
        ("damaged", {}, "export it again"),
        ("foreign", {}, "was not made by 'fastgan export'"),
    ],
)
def test_what_does_not_fit_is_said_in_words(shipped, tmp_path, path, options, words):
    pytest.importorskip("onnxruntime", reason="onnxruntime is optional")
    if options.get("backend") == "openvino":
        pytest.importorskip("openvino", reason="openvino is optional")
    import onnx

    if path == "damaged":
        shipped = tmp_path / "damaged.onnx"
        shipped.write_bytes(b"\x08\x0a" + bytes(range(200)))
    if path == "foreign":
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
        graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [result])
        proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
        shipped = tmp_path / "foreign.onnx"
        onnx.save(proto, shipped)
    with pytest.raises(FastganError, match=words):
        open_network(shipped if path in ("shipped", "damaged", "foreign") else path, **options)


def test_export_refuses_names_and_precisions_that_do_not_work(model, tmp_path):
    info = load_weights()[1]
    with pytest.raises(FastganError, match=r"ends in \.onnx"):
        export_onnx(tmp_path / "model.pt", model, info)
    with pytest.raises(FastganError, match="use fp32 or fp16"):
        export_onnx(tmp_path / "model.onnx", model, info, "bf16")

import pytest
import torch

from fastgan_core.running.device import choose_precision, choose_training_precision, computes_bf16, price

CPU = torch.device("cpu")


@pytest.fixture
def cpu(monkeypatch):
    """Set what the CPU can do: tiles (AMX), instructions (AVX512-BF16)."""
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)

    def can(tiles: bool, instructions: bool) -> None:
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions, raising=False)

    return can


@pytest.mark.parametrize(
    ("tiles", "instructions", "precision"),
    [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")],
)
def test_auto_takes_bf16_on_a_cpu_that_has_instructions_for_it(monkeypatch, cpu, tiles, instructions, precision):
    cpu(tiles, instructions)
    assert choose_precision("auto", CPU) == choose_training_precision("auto", CPU) == precision
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")  # an older torch
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert choose_precision("auto", CPU) == choose_training_precision("auto", CPU) == "fp32"


@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize(
    ("limit", "computes"),
    [("AVX2", False), ("avx2", False), ("AVX512_CORE", False), ("AVX512_CORE_BF16", True), ("DEFAULT", True)],
)
def test_a_limit_of_the_instructions_counts(monkeypatch, cpu, variable, limit, computes):
    cpu(True, True)
    monkeypatch.setenv(variable, limit)
    assert computes_bf16(CPU) == computes
    cpu(False, False)  # a limit gives a CPU nothing that it does not have
    assert not computes_bf16(CPU)


def test_a_precision_that_is_emulated_has_a_price(cpu):
    cpu(False, False)
    assert "no instructions for bf16" in price("bf16", CPU) and "'auto'" in price("bf16", CPU)
    assert "no instructions for fp16" in price("fp16", CPU) and "fp32" in price("fp16", CPU)  # of an ONNX file
    assert choose_precision("bf16", CPU) == choose_training_precision("bf16", CPU) == "bf16"  # asked for by name
    assert price("fp32", CPU) == ""
    cpu(True, False)
    assert price("bf16", CPU) == price("fp32", CPU) == ""


@pytest.mark.parametrize(("capability", "computes"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_older_gpus_emulate_bf16(monkeypatch, capability, computes):
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_training_precision("auto", gpu) == ("bf16" if computes else "fp32")
    assert choose_precision("auto", gpu) == "fp16"
    assert ("this GPU" in price("bf16", gpu)) != computes
    assert price("fp16", gpu) == ""

import pytest
import torch

from fastgan_core.device import choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("tiles", "instructions", "precision"),
    [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")],
)
def test_auto_takes_bf16_on_a_cpu_that_has_instructions_for_it(monkeypatch, tiles, instructions, precision):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions, raising=False)
    assert choose_precision("auto", CPU) == precision
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")  # an older torch
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert choose_precision("auto", CPU) == "fp32"

"""The gradients of depthwise convolutions on a CPU, against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from fastgan_core.model.depthwise import depthwise
from fastgan_core.model.lite_encoder import LiteEncoder

SHAPES = [(3, 1, 1, (9, 12)), (5, 1, 2, (9, 12)), (3, 2, 0, (13, 9)), (5, 2, 0, (15, 11)), (5, 2, 0, (14, 12))]


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), SHAPES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_gradients_are_those_of_pytorch(kernel, stride, padding, size, precision):
    torch.manual_seed(0)
    leaves = [torch.randn(shape, requires_grad=True) for shape in ((2, 6, *size), (6, 1, kernel, kernel), (6,))]
    expected = F.conv2d(*leaves, stride, padding, groups=6)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        found = depthwise(*leaves, stride, padding)
    near = {"rtol": 1e-4, "atol": 1e-4} if precision == "fp32" else {"rtol": 0.05, "atol": 0.25}
    assert found.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
    torch.testing.assert_close(found.float(), expected, **near)
    gradient = torch.randn_like(expected)
    gradients = [torch.autograd.grad(y, leaves, gradient.to(y.dtype)) for y in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, **near)


def test_an_encoder_that_is_not_trained_takes_no_part_in_it():
    encoder = LiteEncoder().requires_grad_(False)
    assert not any(feature.requires_grad for feature in encoder(torch.rand(1, 3, 64, 64)))
    encoder.requires_grad_(True)
    sum(feature.square().mean() for feature in encoder(torch.rand(1, 3, 64, 64))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())

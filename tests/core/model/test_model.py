import pytest
import torch
import torch.nn.functional as F

from fastgan_core.errors import FastganError
from fastgan_core.model import FaSTGAN
from fastgan_core.model.regressor import WIDTHS


def parameters(module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def test_resnet50_has_the_papers_size():
    assert parameters(FaSTGAN("resnet50")) == pytest.approx(51.6, abs=0.1)


@pytest.mark.parametrize("variant", WIDTHS)
def test_shapes(variant):
    model = FaSTGAN(variant).eval()
    image, mask = torch.rand(1, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        reference = model.encode_reference(image, mask)
        memory = model.initial_memory(2, (64, 96), like=reference)
        logits, memory_after = model(image, mask, reference, memory)
    assert reference.shape == (2, model.encoder.channels[-1], 2, 3)
    assert logits.shape == (2, 1, 64, 96)
    assert memory_after.shape == memory.shape == (2, WIDTHS[variant][0], 16, 24)


def test_stride_does_not_pad_the_paper_size(model):
    with torch.inference_mode():
        features = model.encoder(torch.rand(1, 3, 512, 512), torch.rand(1, 1, 512, 512))
    assert [f.shape[-1] for f in features] == [128, 64, 32, 16]


def test_mask_stem_is_a_fourth_input_channel(model):
    encoder = model.encoder
    image, mask = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    weight = torch.cat([encoder.conv1.weight, encoder.conv1_mask.weight], dim=1)
    both = torch.cat([(image - encoder.mean) / encoder.std, mask], dim=1)
    one = encoder.layer1(encoder.maxpool(encoder.relu(encoder.bn1(F.conv2d(both, weight, stride=2, padding=3)))))
    torch.testing.assert_close(encoder(image, mask)[0], one, rtol=1e-4, atol=1e-5)


def test_objects_of_a_batch_do_not_touch_each_other(model):
    image, masks = torch.rand(1, 3, 64, 64), torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        together = model.encode_reference(image, masks)
        alone = torch.cat([model.encode_reference(image, m[None]) for m in masks])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_gradient_flows_back_through_the_temporal_skip_and_the_mask(model):
    image = torch.rand(1, 3, 64, 64)
    mask = torch.rand(1, 1, 64, 64, requires_grad=True)
    reference = model.encode_reference(image, mask.detach()).detach()
    memory = model.initial_memory(1, (64, 64), like=reference).requires_grad_()
    logits, memory_after = model(image, mask, reference, memory)
    later, _ = model(image, logits.sigmoid(), reference, memory_after)
    later.sum().backward()
    assert mask.grad.abs().sum() > 0
    assert memory.grad.abs().sum() > 0


def test_frozen_batchnorm_keeps_its_statistics_in_training():
    model = FaSTGAN("resnet18")
    model.frozen_batchnorm = True
    model.train()
    before = model.encoder.bn1.running_mean.clone()
    model.encoder(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
    assert torch.equal(before, model.encoder.bn1.running_mean)
    model.frozen_batchnorm = False
    model.train()
    model.encoder(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
    assert not torch.equal(before, model.encoder.bn1.running_mean)


def test_unknown_variant_names_the_known_ones():
    with pytest.raises(FastganError, match="resnet50"):
        FaSTGAN("resnet34")

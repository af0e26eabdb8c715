"""The default network: shapes, rows that do not mix, a memory that is read by likeness."""

import pytest
import torch

from fastgan_core.errors import FastganError
from fastgan_core.model.lite import KEY, MERGED, VALUE, Lite, cells, each, merged
from fastgan_core.model.lite_encoder import CHANNELS, EPSILON, LiteEncoder

SIZE, QUARTER = (64, 96), (16, 24)
CELLS = SIZE[0] // 16 * SIZE[1] // 16


@pytest.fixture(scope="module")
def lite():
    torch.manual_seed(0)
    return Lite().eval()


def step(lite, frames, masks, absent=None):
    """A step whose memory is the frame itself."""
    frame = lite.encode(frames)
    values = cells(lite.remember(frame, masks))
    keys = cells(each(frame.key, len(masks))).expand(len(masks), -1, -1)
    absent = torch.zeros(len(masks), CELLS) if absent is None else absent
    found = lite.read(frame, keys, values, absent)
    return lite.decode(frame, found, lite.initial_memory(len(masks), SIZE, frames))


def test_shapes(lite):
    with torch.no_grad():
        logits, memory = step(lite, torch.rand(1, 3, *SIZE), torch.rand(3, 2, *QUARTER))
    assert logits.shape == (3, 1, *QUARTER)
    assert memory.shape == (3, 32, *QUARTER)


def test_features_of_the_encoder():
    features = LiteEncoder()(torch.rand(2, 3, *SIZE))
    assert [tuple(f.shape) for f in features] == [
        (2, c, SIZE[0] // s, SIZE[1] // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def test_objects_of_a_batch_of_frames_are_those_of_each_frame(lite):
    frames, masks = torch.rand(2, 3, *SIZE), torch.rand(4, 2, *QUARTER)
    with torch.no_grad():
        together = step(lite, frames, masks)
        for number in range(2):
            rows = slice(2 * number, 2 * number + 2)
            alone = step(lite, frames[number : number + 1], masks[rows])
            for a, b in zip(together, alone, strict=True):
                torch.testing.assert_close(a[rows], b, rtol=1e-3, atol=1e-4)


def test_a_value_is_read_where_its_key_is(lite):
    frame = lite.encode(torch.rand(1, 3, *SIZE))
    keys = 30 * torch.nn.functional.one_hot(torch.arange(CELLS), KEY).float()[None]
    order = torch.randperm(CELLS)
    query = keys[:, order].transpose(1, 2).unflatten(2, (SIZE[0] // 16, SIZE[1] // 16))
    values = torch.rand(1, CELLS, VALUE)
    found = lite.read(frame._replace(key=query), keys, values, torch.zeros(1, CELLS))
    torch.testing.assert_close(cells(found), values[:, order])


def test_what_is_absent_from_the_memory_is_not_read(lite):
    frame = lite.encode(torch.rand(1, 3, *SIZE))
    keys, values = torch.rand(1, 2 * CELLS, KEY), torch.rand(1, 2 * CELLS, VALUE)
    absent = torch.zeros(1, 2 * CELLS)
    absent[:, CELLS:] = float("-inf")
    alone = lite.read(frame, keys[:, :CELLS], values[:, :CELLS], absent[:, :CELLS])
    torch.testing.assert_close(lite.read(frame, keys, values, absent), alone)


def test_a_cell_that_stands_for_four_alike_is_read_as_often_as_they_are(lite):
    frame = lite.encode(torch.rand(1, 3, *SIZE))
    other_key, other_value = torch.rand(1, CELLS, KEY), torch.rand(1, CELLS, VALUE)
    key, value = torch.rand(1, KEY, 2, 3), torch.rand(1, VALUE, 2, 3)
    four = [x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) for x in (key, value)]
    none = torch.zeros(1, CELLS)

    def read(key, value, weight):
        keys, values = torch.cat([other_key, cells(key)], dim=1), torch.cat([other_value, cells(value)], dim=1)
        return lite.read(frame, keys, values, torch.cat([none, torch.full((1, len(keys[0]) - CELLS), weight)], dim=1))

    whole = read(*four, 0.0)
    torch.testing.assert_close(read(*(merged(x) for x in four), MERGED), whole, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(read(*(merged(x) for x in four), 0.0), whole, rtol=1e-2)


def test_imagenet_weights_are_folded(tmp_path):
    """The published names, with norms that are not the identity, against the same computed with norms."""
    encoder, state, want = LiteEncoder(), {}, {}
    torch.manual_seed(3)

    def part(ours, convolution, norm):
        layer = encoder.get_submodule(ours)
        weight, count = torch.randn_like(layer.weight), layer.out_channels
        gain, variance = torch.rand(2, count) + 0.5
        shift, mean = torch.randn(2, count)
        state.update({f"{convolution}.weight": weight, f"{norm}.weight": gain, f"{norm}.bias": shift})
        state.update({f"{norm}.running_mean": mean, f"{norm}.running_var": variance})
        want[ours] = weight, gain, shift, mean, variance

    part("stem", "_conv_stem", "_bn0")
    for number, block in enumerate(encoder.blocks):
        if block.expand is not None:
            part(f"blocks.{number}.expand", f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0")
        part(f"blocks.{number}.depthwise", f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1")
        part(f"blocks.{number}.project", f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2")
    torch.save(state, tmp_path / "net.pth")
    encoder.load_imagenet(tmp_path / "net.pth")
    for ours in ("stem", "blocks.3.depthwise", "blocks.5.project"):
        layer = encoder.get_submodule(ours)
        weight, gain, shift, mean, variance = want[ours]
        x = torch.randn(1, weight.shape[1] * layer.groups, 8, 8)
        plain = torch.nn.functional.conv2d(
            torch.nn.functional.pad(x, layer.border or [layer.kernel_size[0] // 2] * 4), weight,
            stride=layer.stride, groups=layer.groups,
        )  # fmt: skip
        plain = torch.nn.functional.batch_norm(plain, mean, variance, gain, shift, eps=EPSILON)
        torch.testing.assert_close(layer(x), plain, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("content", [None, b"no weights", {"a": torch.zeros(1)}])
def test_weights_that_are_not_this_network_are_refused(tmp_path, content):
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(FastganError, match="does not hold EfficientNet-Lite2"):
        LiteEncoder().load_imagenet(path)

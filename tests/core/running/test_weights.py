import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from fastgan_core.errors import FastganError
from fastgan_core.running.weights import FORMAT, load_weights, save_weights


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, model, input_size=128, recipe={"lr": 0.1}, licence="test")
    return path


def test_round_trip(any_model, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_weights(file, any_model, input_size=128, recipe={"lr": 0.1}, licence="test")
    loaded, info = load_weights(file)
    assert (info.variant, info.input_size, info.recipe, info.licence) == (any_model.variant, 128, {"lr": 0.1}, "test")
    for name, value in any_model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_a_gpu_has_time_for_the_large_one_of_the_usual_sizes(lite, model, tmp_path):
    file, cpu, gpu = tmp_path / "weights.safetensors", torch.device("cpu"), torch.device("cuda", 1)
    for network, size, sides in ((lite, None, (384, 640)), (lite, 128, (128, 128)), (model, None, (384, 384))):
        save_weights(file, network, size)
        _, info = load_weights(file)
        assert (info.size_on(cpu), info.size_on(gpu)) == sides
        assert info.large_size == sides[1]


def test_the_file_that_ships_fits_the_repository():
    _, info = load_weights()
    assert info.variant == "lite"
    runs = [info.recipe]
    while means := [run for run in runs if "average_of" in run]:
        runs = [run for run in runs if run not in means] + [run for mean in means for run in mean["average_of"]]
    assert all(run["variant"] == "lite" and run["trained_steps"] > 0 for run in runs)
    assert info.licence
    assert info.path.stat().st_size < 12e6


def refused(path, words):
    with pytest.raises(FastganError, match=words) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)


def test_missing(tmp_path):
    refused(tmp_path / "none.safetensors", "there is no file")


def test_truncated(file):
    file.write_bytes(file.read_bytes()[:-1000])
    refused(file, "damaged")


def test_garbage(file):
    file.write_bytes(b"garbage" * 100)
    refused(file, "damaged")


def test_a_pickle_is_not_even_opened_as_one(file):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code from the file ran",))

    file.write_bytes(pickle.dumps(Bomb()))
    refused(file, "damaged")


def test_foreign_safetensors(file):
    save_file({"x": torch.zeros(1)}, file)
    refused(file, "not a FaSTGAN checkpoint")


def test_another_variants_weights(file):
    tensors = load_file(file)
    facts = {"format": FORMAT, "variant": "resnet50", "input_size": "128", "recipe": "{}"}
    save_file(tensors, file, facts)
    refused(file, "does not fit the variant resnet50")


def test_lite_weights_that_are_no_numbers_or_of_another_shape(lite, tmp_path):
    path = tmp_path / "lite.safetensors"
    save_weights(path, lite)
    facts = {"format": FORMAT, "variant": "lite", "input_size": "128", "recipe": "{}"}
    tensors = load_file(path)
    save_file({**tensors, "key16.bias": torch.full((64,), torch.nan)}, path, facts)
    refused(path, "key16.bias has values that are no finite numbers")
    save_file({**tensors, "key16.bias": torch.zeros(63)}, path, facts)
    refused(path, "key16.bias has shape")


def test_a_variant_from_the_future(file):
    save_file(load_file(file), file, {"format": FORMAT, "variant": "vit", "input_size": "128", "recipe": "{}"})
    with pytest.raises(FastganError, match="variant 'vit'"):
        load_weights(file)

"""Fixtures for the tests of the real node over real rclpy."""

import gc

import pytest

from fastgan_ros.programs.domain import keep_to_ourselves

# Before rclpy is imported: the tests neither hear nor disturb other ROS systems, nor each other's runs.
keep_to_ourselves()


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> str:
    """A checkpoint of an untrained model: the node's own ways are tested here, not the masks."""
    import torch

    from fastgan_core.model import Lite
    from fastgan_core.running.weights import save_weights

    torch.manual_seed(0)
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, Lite(), input_size=64)
    # Every node collects garbage when it ends, and would look through all of torch for it each time.
    gc.collect()
    gc.freeze()
    return str(path)


@pytest.fixture
def rig(weights):
    """A ROS context with a node of the test's own in it, to start trackers and cameras from."""
    from harness import Rig

    with Rig(weights) as made:
        yield made

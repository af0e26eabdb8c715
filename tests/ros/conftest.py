"""Fixtures for the tests of the real node over real rclpy."""

import gc
import os

import pytest

# Before rclpy is imported: the tests neither hear nor disturb other ROS systems, nor each other's runs.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
else:
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> str:
    """A checkpoint of an untrained model: the node's own ways are tested here, not the masks."""
    import torch

    from fastgan_core.model import FaSTGAN
    from fastgan_core.running.weights import save_weights

    torch.manual_seed(0)
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, FaSTGAN("resnet18"), input_size=64)
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

"""The launch files, where ROS's launch is installed."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("launch", reason="needs ROS 2's launch, which is not on PyPI")
pytest.importorskip("launch_ros", reason="needs ROS 2's launch_ros, which is not on PyPI")

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch.utilities import perform_substitutions
from launch_ros.actions import Node

import launch
from fastgan_ros.programs.dds import VARIABLES

ROOT = Path(__file__).parents[3]


@pytest.fixture
def described(monkeypatch):
    """Run a launch file of the source tree as if it were installed."""
    import ament_index_python.packages as index

    monkeypatch.setattr(index, "get_package_share_directory", lambda _: str(ROOT))

    def load(name: str):
        module = runpy.run_path(str(ROOT / "launch" / name))
        return module, module["generate_launch_description"]()

    return load


def arguments(description) -> dict[str, DeclareLaunchArgument]:
    return {e.name: e for e in description.entities if isinstance(e, DeclareLaunchArgument)}


@pytest.mark.parametrize("name", ["track.launch.py", "demo.launch.py"])
def test_every_argument_says_what_it_is(described, name):
    _, description = described(name)
    found = arguments(description)
    assert found
    assert all(len(argument.description) > 15 for argument in found.values())


def started(described, **values):
    """What the launch file of the tracker starts with these arguments."""
    module, description = described("track.launch.py")
    context = launch.LaunchContext()
    for argument in arguments(description).values():
        argument.execute(context)
    context.launch_configurations.update(values)
    assert LaunchConfiguration("image").perform(context)
    return module["launch_nodes"](context)


def nodes(described, **values):
    return [action for action in started(described, **values) if isinstance(action, Node)]


def variables(described, **values) -> dict[str, str]:
    """The environment that it sets for what it starts."""
    context = launch.LaunchContext()
    setters = [a for a in started(described, **values) if isinstance(a, SetEnvironmentVariable)]
    return {perform_substitutions(context, a.name): perform_substitutions(context, a.value) for a in setters}


def test_the_profile_for_images_is_set_unless_the_user_has_one(described, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    found = variables(described)
    assert set(found) == set(VARIABLES) and all(Path(path).is_file() for path in found.values())
    assert variables(described, fastdds_profile="false") == {}
    monkeypatch.setenv(VARIABLES[0], "/mine.xml")
    assert variables(described) == {}


def test_rviz_comes_only_when_asked(described):
    assert [n.node_executable for n in nodes(described)] == ["tracker"]
    assert [n.node_executable for n in nodes(described, rviz="true", namespace="robot")] == ["tracker", "rviz2"]


def test_the_parameter_file_is_there(described):
    _, description = described("track.launch.py")
    default = arguments(description)["params_file"].default_value
    assert Path("".join(s.text for s in default)).is_file()


def test_threads_that_are_no_number_are_refused(described):
    assert nodes(described, threads="2")
    with pytest.raises(RuntimeError, match="threads:=many is no number"):
        nodes(described, threads="many")

"""The Fast DDS profile that ships: shared memory large enough for images."""

import os
from pathlib import Path

# Fast DDS 2 (Humble) reads the first, later ones the second.
VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def profile() -> Path:
    """The profile's file, in the source tree or where colcon installed it."""
    beside = Path(__file__).resolve().parents[2] / "config" / "fastdds.xml"
    if beside.is_file():
        return beside
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("fastgan_ros")) / "config" / "fastdds.xml"


def environment() -> dict[str, str]:
    """The variables that name the profile; none when the user has chosen one."""
    if any(os.environ.get(name) for name in VARIABLES):
        return {}
    return dict.fromkeys(VARIABLES, str(profile()))


def use_profile() -> None:
    """Have this process and its children use the profile, unless the user has chosen one. Before rclpy.init()."""
    os.environ.update(environment())

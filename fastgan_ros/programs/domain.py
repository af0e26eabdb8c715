"""Which other ROS systems a program hears. Imported before rclpy, which reads the environment."""

import os
import random


def keep_to_ourselves() -> None:
    """Stay clear of the robots in the network: this machine only, in a domain that is hardly anybody's."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 100)))
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    else:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

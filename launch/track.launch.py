"""Track marked objects in a camera's images: ``ros2 launch fastgan_ros track.launch.py --show-args``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

SHARE = Path(get_package_share_directory("fastgan_ros"))

ARGUMENTS = [
    # name, default, description, choices
    ("image", "/camera/image_raw", "Topic of the images; with transport compressed too, the raw one.", None),
    ("transport", "raw", "raw: the topic IMAGE; compressed: IMAGE/compressed.", ["raw", "compressed"]),
    ("weights", "", "Checkpoint (.safetensors); empty: the one that ships.", None),
    ("device", "", "auto, cpu, cuda or cuda:N; empty: as in the parameter file (auto).", None),
    ("precision", "", "auto, fp32, fp16 or bf16; empty: as in the parameter file (auto).", None),
    ("params_file", str(SHARE / "config" / "fastgan_tracker.yaml"), "Parameter file of the node.", None),
    ("namespace", "", "Namespace of the node and of rviz.", None),
    ("autostart", "true", "Start at once; false: wait for lifecycle transitions.", ["true", "false"]),
    ("rviz", "false", "Open rviz with the overlay and the mask.", ["true", "false"]),
]  # fmt: skip


def launch_nodes(context):
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    parameters = {"image_transport": value("transport"), "autostart": value("autostart") == "true"}
    # Empty arguments leave the parameter file's values as they are.
    parameters |= {name: value(name) for name in ("weights", "device", "precision") if value(name)}
    nodes = [
        Node(
            package="fastgan_ros",
            executable="tracker",
            name="fastgan_tracker",
            namespace=value("namespace"),
            parameters=[value("params_file"), parameters],
            remappings=[("image", value("image"))],
            output="screen",
        )
    ]
    if value("rviz") == "true":
        prefix = "/" + value("namespace").strip("/") if value("namespace") else ""
        topics = ("/fastgan_tracker/overlay", "/fastgan_tracker/mask")
        nodes.append(
            Node(
                package="rviz2",
                executable="rviz2",
                namespace=value("namespace"),
                arguments=["-d", str(SHARE / "rviz" / "fastgan.rviz")],
                remappings=[(topic, prefix + topic) for topic in topics],
            )
        )
    return nodes


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=launch_nodes)])

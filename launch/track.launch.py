"""Track marked objects in a camera's images: ``ros2 launch fastgan_ros track.launch.py --show-args``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from fastgan_ros.programs.dds import environment
from launch import LaunchDescription

SHARE = Path(get_package_share_directory("fastgan_ros"))

TRANSPORTS, SWITCH = ["", "raw", "compressed"], ["", "true", "false"]
ARGUMENTS = [
    # name, default, description, choices
    ("image", "/camera/image_raw", "Topic of the images; with transport compressed too, the raw one.", None),
    ("transport", "", "raw or compressed (IMAGE/compressed); empty: as in the parameter file (raw).", TRANSPORTS),
    ("weights", "", "Checkpoint (.safetensors) or exported network (.onnx); empty: the one that ships.", None),
    ("backend", "", "auto, torch, onnxruntime or openvino; empty: as in the parameter file (auto).", None),
    ("device", "", "auto, cpu, cuda or cuda:N; empty: as in the parameter file (auto).", None),
    ("precision", "", "auto, fp32, fp16 or bf16; empty: as in the parameter file (auto).", None),
    ("threads", "", "Threads of the model on a CPU; empty: as in the parameter file (0, one for each core).", None),
    ("params_file", str(SHARE / "config" / "fastgan_tracker.yaml"), "Parameter file of the node.", None),
    ("namespace", "", "Namespace of the node and of rviz.", None),
    ("autostart", "", "false waits for lifecycle transitions; empty: as in the parameter file (true).", SWITCH),
    ("fastdds_profile", "true", "Fast DDS with room for images, unless you have a profile.", ["true", "false"]),
    ("rviz", "false", "Open rviz with the overlay and the mask.", ["true", "false"]),
]  # fmt: skip


def launch_nodes(context):
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    # Empty arguments leave the parameter file's values as they are.
    names = ("transport", "weights", "backend", "device", "precision", "autostart")
    given = {name: value(name) for name in names if value(name)}
    parameters = {"image_transport" if name == "transport" else name: text for name, text in given.items()}
    if count := value("threads"):
        if not count.isdecimal():
            raise RuntimeError(f"threads:={count} is no number; it takes an integer from 0 (one for each core) to 256")
        parameters["threads"] = int(count)
    if "autostart" in parameters:
        parameters["autostart"] = parameters["autostart"] == "true"
    variables = environment() if value("fastdds_profile") == "true" else {}
    nodes = [
        *(SetEnvironmentVariable(name, path) for name, path in variables.items()),
        Node(
            package="fastgan_ros",
            executable="tracker",
            name="fastgan_tracker",
            namespace=value("namespace"),
            parameters=[value("params_file"), parameters],
            remappings=[("image", value("image"))],
            output="screen",
        ),
    ]
    if value("rviz") == "true":
        prefix = "/" + value("namespace").strip("/") if value("namespace") else ""
        topics = ("/fastgan_tracker/overlay", "/fastgan_tracker/mask_color")
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

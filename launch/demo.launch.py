"""Camera, reference mask and tracker on one machine: a drawn scene, or a video with its first mask."""

import tempfile
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

TRACK = Path(get_package_share_directory("fastgan_ros")) / "launch" / "track.launch.py"


def scene_reference() -> list[str]:
    """Arguments of set_reference for the drawn scene: its first frame and mask, as files."""
    import cv2

    from fastgan_core.media.masks import write_mask
    from fastgan_core.scenes.scene import Scene

    frame, labels = Scene()[0]
    folder = Path(tempfile.mkdtemp(prefix="fastgan_demo_"))
    cv2.imwrite(str(folder / "first.png"), frame[..., ::-1])
    write_mask(folder / "mask.png", labels)
    return ["--mask", str(folder / "mask.png"), "--image", str(folder / "first.png")]


def launch_camera(context):
    source, mask = (LaunchConfiguration(name).perform(context) for name in ("source", "mask"))
    if source and not mask:
        raise RuntimeError("source needs mask:=FILE, the label or binary image of its first frame")
    rate = float(LaunchConfiguration("rate").perform(context))
    camera = Node(
        package="fastgan_ros",
        executable="camera",
        name="camera",
        # The first frame is shown until its mask is set, so that the two belong together.
        parameters=[{"source": source, "rate": rate, "hold": True}],
        remappings=[("image", "/camera/image_raw")],
        output="screen",
    )
    reference = Node(
        package="fastgan_ros",
        executable="set_reference",
        arguments=[*(["--mask", mask] if source else scene_reference()), "--timeout", "120"],
        output="screen",
    )
    go = ExecuteProcess(cmd=["ros2", "param", "set", "/camera", "hold", "false"])
    release = RegisterEventHandler(
        OnProcessExit(target_action=reference, on_exit=lambda event, _: [go] if event.returncode == 0 else [])
    )
    return [camera, reference, release]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        ("source", "", "Video file, folder of frames or webcam number; empty: a drawn scene.", None),
        ("mask", "", "Label or binary PNG of the first frame of SOURCE.", None),
        ("rate", "15.0", "Frames per second of the camera.", None),
        ("device", "", "auto, cpu, cuda or cuda:N; empty: auto.", None),
        ("rviz", "false", "Open rviz with the overlay and the mask.", ["true", "false"]),
    ]
    track = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(TRACK)),
        # All of them, so that none given to this file leaks through and parts tracker and camera.
        launch_arguments={
            "image": "/camera/image_raw",
            "transport": "raw",
            "namespace": "",
            "autostart": "true",
            "fastdds_profile": "true",  # for the camera as well, which comes after
            "rviz": LaunchConfiguration("rviz"),
            "device": LaunchConfiguration("device"),
        }.items(),
    )
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in arguments
    ]
    return LaunchDescription([*declared, track, OpaqueFunction(function=launch_camera)])

"""Generates the Python messages and their C code from the .msg and .srv files, without colcon.

The rosidl generators come with the ROS wheels from PyPI. They are called one by one, as ament_cmake
would, because the `rosidl` command cannot find its own plug-ins there.
"""

import sys
from pathlib import Path

PACKAGE = "fastgan_interfaces"
INSTALL_ROS = 'pip install "ros-rclpy[fastrtps]==7.1.6" ros-sensor-msgs==5.3.6 numpy "setuptools>=70.1"'
# What Fast DDS needs: the first writes and reads the bytes, the second describes the types.
TYPESUPPORTS = ("rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c")


def generate(source: Path, prefix: Path, output: Path) -> None:
    """Writes what each generator makes into `output`/<generator>/fastgan_interfaces.

    `output`/rosidl_generator_py then holds the Python package; each `output`/<generator> is an include path.

    Args:
        source: the folder with msg/ and srv/.
        prefix: where ROS is installed; the other packages' interfaces are in its share/.
        output: a folder to write to.
    Raises:
        SystemExit: the generators, or the interfaces that ours build upon, are not installed.
    """
    try:
        import numpy  # noqa: F401  the generated code includes its headers
        from rosidl_adapter.msg import convert_msg_to_idl
        from rosidl_adapter.srv import convert_srv_to_idl
        from rosidl_cli.command.helpers import generate_visibility_control_file, generator_arguments_file
        from rosidl_generator_c import generate_c
        from rosidl_generator_py.generate_py_impl import generate_py
        from rosidl_generator_type_description import generate_type_hash
        from rosidl_typesupport_c import generate_c as generate_typesupport_c
        from rosidl_typesupport_fastrtps_c import generate_typesupport_fastrtps_c
        from rosidl_typesupport_introspection_c import generate_c as generate_introspection_c
    except ImportError as error:
        raise SystemExit(
            f"The ROS message generators cannot be imported in {sys.prefix} ({error}). Run `{INSTALL_ROS}` "
            f"first, then `pip install --no-build-isolation ./{PACKAGE}`."
        ) from None
    share = prefix / "share"
    if not (share / "sensor_msgs/msg/Image.idl").exists():
        raise SystemExit(f"sensor_msgs is not installed in {prefix}. Run `{INSTALL_ROS}` first.")

    # First .idl from .msg and .srv: that is what all the others read.
    interfaces = sorted([*source.glob("msg/*.msg"), *source.glob("srv/*.srv")])
    idl = output / "rosidl_adapter" / PACKAGE
    for path in interfaces:
        convert = convert_msg_to_idl if path.suffix == ".msg" else convert_srv_to_idl
        convert(source, PACKAGE, path.relative_to(source), idl / path.parent.name)
    types = [f"{path.parent.name}/{path.stem}" for path in interfaces]

    def call(generator, name: str, *args, **extra) -> None:
        with generator_arguments_file(
            package_name=PACKAGE,
            output_dir=str(output / name / PACKAGE),
            template_dir=str(share / name / "resource"),
            idl_tuples=[f"{idl}:{type_}.idl" for type_ in types],
            target_dependencies=[],
            **extra,
        ) as arguments:
            generator(arguments, *args)

    # The hash of a type covers the types inside it, so all interfaces of the environment are on offer.
    hashes = "rosidl_generator_type_description"
    others = sorted({f"{path.parents[1].name}:{path.parents[1]}" for path in share.glob("*/*/*.idl")})
    call(generate_type_hash, hashes, include_paths=others)
    call(
        generate_c,
        "rosidl_generator_c",
        type_description_tuples=[f"{type_}.idl:{output / hashes / PACKAGE / type_}.json" for type_ in types],
        ros_interface_files=[str(path) for path in interfaces],
    )
    call(generate_typesupport_fastrtps_c, "rosidl_typesupport_fastrtps_c")
    call(generate_introspection_c, "rosidl_typesupport_introspection_c")
    call(generate_typesupport_c, "rosidl_typesupport_c", TYPESUPPORTS)
    call(generate_py, "rosidl_generator_py", ["rosidl_typesupport_c"])
    (output / "rosidl_generator_py" / PACKAGE / "__init__.py").touch()

    for name in ("rosidl_generator_c", *TYPESUPPORTS):
        header = f"{name}__visibility_control.h"
        generate_visibility_control_file(
            package_name=PACKAGE,
            template_path=share / name / "resource" / f"{header}.in",
            output_path=output / name / PACKAGE / "msg" / header,
        )

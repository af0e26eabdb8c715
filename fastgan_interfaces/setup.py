"""Installs the messages where there is no colcon: `pip install --no-build-isolation ./fastgan_interfaces`.

Needs the ROS wheels of PyPI in the same environment (rosidl_pip.INSTALL_ROS), gcc and g++. In a ROS workspace
this file plays no part: there colcon goes by package.xml and CMakeLists.txt.
"""

import atexit
import importlib.util
import os
import runpy
import shlex
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path(__file__).resolve().parent
PREFIX = Path(sys.prefix)
SITE_PACKAGES = Path(sysconfig.get_path("platlib"))

# Nothing is written into the source folder, so that it stays fit for colcon and for the next Python:
# the build is in a temporary folder, and run_path leaves no __pycache__.
WORK = tempfile.mkdtemp(prefix="fastgan_interfaces-")
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
rosidl_pip = SimpleNamespace(**runpy.run_path(str(SOURCE / "rosidl_pip.py")))
PACKAGE, TYPESUPPORTS = rosidl_pip.PACKAGE, rosidl_pip.TYPESUPPORTS

# Library -> the generators whose C code it holds. ROS asks for the first two by these names when a publisher
# or a service is created; they are loaded by then, since the module that Python imports needs them.
FASTRTPS, INTROSPECTION = (f"lib{PACKAGE}__{name}" for name in TYPESUPPORTS)
MODULE = f"{PACKAGE}_s__rosidl_typesupport_c"
PARTS = {
    FASTRTPS: ("rosidl_generator_c", "rosidl_typesupport_fastrtps_c"),
    INTROSPECTION: ("rosidl_typesupport_introspection_c",),
    MODULE: ("rosidl_generator_py", "rosidl_typesupport_c"),
}


def check_tools() -> None:
    for variable, default in (("CC", "gcc"), ("CXX", "g++")):
        command = shlex.split(os.environ.get(variable) or sysconfig.get_config_var(variable) or default)[0]
        if not shutil.which(command):
            raise SystemExit(f"There is no compiler '{command}' here. Run `apt install gcc g++` first.")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        version = sysconfig.get_python_version()
        raise SystemExit(f"The header Python.h is missing. Run `apt install python{version}-dev` first.")


def rpath() -> str:
    """Where the ROS wheels put their libraries, seen from ours."""
    folders = [PREFIX / "lib", *sorted(SITE_PACKAGES.glob("ros_*.libs"))]
    relative = [os.path.relpath(folder, SITE_PACKAGES / PACKAGE) for folder in folders]
    return ":".join(["$ORIGIN", *(f"$ORIGIN/{path}" for path in relative)])


def library(name: str) -> Extension:
    """One shared library of fastgan_interfaces; its sources do not exist before the build."""
    libraries = ["fastcdr", "rcutils", "rosidl_runtime_c", "rosidl_typesupport_c", *TYPESUPPORTS]
    for package in ("builtin_interfaces", "sensor_msgs", "service_msgs", "std_msgs"):
        libraries += [f"{package}__rosidl_{part}" for part in ("generator_c", "generator_py")]
        libraries += [f"{package}__{part}" for part in TYPESUPPORTS]
    # RPATH rather than RUNPATH: it also serves what these libraries need in turn, without LD_LIBRARY_PATH.
    link_args = [f"-Wl,-rpath,{rpath()}", "-Wl,--disable-new-dtags"]
    if name != MODULE:
        link_args.append(f"-Wl,-soname,{name}.so")
    return Extension(
        f"{PACKAGE}.{name}",
        sources=[],
        libraries=libraries,
        library_dirs=[str(PREFIX / "lib")],
        extra_link_args=link_args,
        language="c++",
    )


class BuildInterfaces(build_ext):
    """Generates the messages, compiles their C code and puts the Python modules beside it."""

    def run(self):
        if self.inplace or getattr(self, "editable_mode", False):
            raise SystemExit(f"{PACKAGE} is generated code. Install it without -e.")
        check_tools()
        generated = Path(self.build_temp) / "rosidl"
        rosidl_pip.generate(SOURCE, PREFIX, generated)
        import numpy  # here, since generate() has made sure that it is installed

        headers = [path for path in (PREFIX / "include").iterdir() if (path / path.name).is_dir()]
        headers += generated.iterdir()
        # Each library needs those before it, though not all of them by any symbol that the linker sees.
        before = ["-Wl,--no-as-needed"]
        for extension in self.extensions:
            name = extension.name.rpartition(".")[2]
            extension.include_dirs = [*map(str, headers), numpy.get_include()]
            for part in PARTS[name]:
                extension.sources += sorted(map(str, (generated / part).rglob("*.c*")))
            extension.library_dirs.append(str(Path(self.build_lib) / PACKAGE))
            extension.extra_link_args += before
            before.append(f"-l{name.removeprefix('lib')}")
        super().run()

        python = generated / "rosidl_generator_py"
        for module in python.rglob("*.py"):
            target = Path(self.build_lib) / module.relative_to(python)
            self.mkpath(str(target.parent))
            self.copy_file(str(module), str(target))

    def get_ext_filename(self, fullname):
        filename = super().get_ext_filename(fullname)
        if fullname.endswith(MODULE):
            return filename
        return filename.replace(sysconfig.get_config_var("EXT_SUFFIX"), ".so")


if not any(importlib.util.find_spec(name) for name in ("setuptools.command.bdist_wheel", "wheel")):
    raise SystemExit(f"setuptools is too old to build a wheel. Run `{rosidl_pip.INSTALL_ROS}` first.")

package_xml = ElementTree.parse(SOURCE / "package.xml")
setup(
    name=PACKAGE,
    version=package_xml.findtext("version"),
    description=package_xml.findtext("description"),
    license=package_xml.findtext("license"),
    python_requires=">=3.10",
    # Exact versions, since our libraries are linked with those of these packages.
    install_requires=["numpy", "ros-rclpy[fastrtps]==7.1.6", "ros-sensor-msgs==5.3.6"],
    packages=[],
    ext_modules=[library(name) for name in PARTS],
    cmdclass={"build_ext": BuildInterfaces},
    options={"build": {"build_base": WORK}, "egg_info": {"egg_base": WORK}},
    zip_safe=False,
)

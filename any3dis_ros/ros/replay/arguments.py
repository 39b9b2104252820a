"""What any3dis_replay understands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from any3dis_ros.arguments import add_recording_options
from any3dis_ros.errors import InputError
from any3dis_ros.ros.replay.player import MATCH_TIMEOUT_S

_ROS_ARGS, _END = "--ros-args", "--"


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the options; those behind `--ros-args` stand in `ros_args`, without that word."""
    own, ros_args = _parted(words)
    options = _parser().parse_args(own)
    options.ros_args = ros_args
    return options


def check(options: argparse.Namespace) -> None:
    """Raise InputError where options contradict each other, a value is none, or a file is missing."""
    if not options.bag.exists():
        raise InputError(f"{options.bag} does not exist; give a rosbag2 folder, .mcap, .db3, or a ROS 1 .bag")
    if not 0 < options.rate < float("inf"):
        raise InputError(f"--rate is {options.rate:g}; expected more than 0, 1 = as recorded")
    if options.no_segment and (options.truth or options.save):
        raise InputError("--no-segment leaves nothing to score or to save; leave out --truth and --save")
    if not options.start_node and (options.set or options.params_file):
        raise InputError(
            "--set and --params-file are for a node that --start-node starts; ros2 param set changes others"
        )
    if options.params_file and not options.params_file.is_file():
        raise InputError(f"there is no parameters file {options.params_file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="any3dis_replay",
        description="Play a ROS bag to any3dis_node over DDS as a robot would, let it segment what it saw, and show "
        "the result. Remaps, namespace and the like follow --ros-args.",
    )
    parser.set_defaults(left="what was started is ended")
    parser.add_argument("bag", type=Path, help="rosbag2 folder, .mcap, .db3, ROS 1 .bag")
    parser.add_argument("--rate", type=float, default=1.0, help="times the recorded speed (default: %(default)s)")
    parser.add_argument("--no-clock", action="store_true", help="do not publish /clock")
    parser.add_argument("--no-segment", action="store_true", help="play only")
    parser.add_argument("--truth", type=Path, help="ground truth (NPZ) to score the published cloud against")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="let the node write its result there")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="print tracebacks, and all that a started node logs")
    node = parser.add_argument_group("node")
    node.add_argument("--node", default="any3dis", help="name of the node (default: %(default)s in our namespace)")
    node.add_argument(
        "--wait",
        type=float,
        default=MATCH_TIMEOUT_S,
        metavar="SECONDS",
        help="how long to wait for it (default: %(default)g)",
    )
    node.add_argument("--start-node", action="store_true", help="start it, and end it at the end")
    node.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set one parameter of the started node"
    )
    node.add_argument("--params-file", type=Path, help="parameters of the started node (see `any3dis config --ros`)")
    add_recording_options(parser)
    return parser


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part our own words from those of ROS, which stand between `--ros-args` and `--` or the end."""
    own: list[str] = []
    ros_args: list[str] = []
    of_ros = False
    for word in words:
        if word == _ROS_ARGS:
            of_ros = True
        elif of_ros and word == _END:
            of_ros = False
        else:
            (ros_args if of_ros else own).append(word)
    return own, ros_args

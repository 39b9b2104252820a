"""What the command line understands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from any3dis_ros import __version__
from any3dis_ros.config import EvaluationConfig, InputConfig

if TYPE_CHECKING:  # argparse makes this class public for type checkers only
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    from any3dis_ros.io.recording import ReadOptions


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; `command` of what it parses is a key of `cli.COMMANDS`."""
    common = argparse.ArgumentParser(add_help=False)
    common.set_defaults(left="nothing half-written is left")  # told where a signal ends the command
    common.add_argument("--debug", action="store_true", help="print tracebacks and debug messages")
    parser = argparse.ArgumentParser(
        prog="any3dis", description="Class-agnostic 3D instance segmentation of posed RGB-D"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _segment(commands, common)
    _evaluate(commands, common)
    _config(commands, common)
    _download_checkpoint(commands, common)
    return parser


def _segment(commands: Commands, common: argparse.ArgumentParser) -> None:
    segment = commands.add_parser(
        "segment",
        parents=[common],
        help="segment a scene of a data set, a ScanNet-style folder or a ROS bag",
        description="Segment a ScanNet-style folder (color, depth, pose, intrinsic), a ROS bag (rosbag2 folder, .mcap, "
        ".db3, ROS 1 .bag) or a scene of ScanNet (.sens), ScanNet++, Replica or TUM RGB-D into 3D instances.",
    )
    segment.add_argument("--quiet", action="store_true", help="print nothing but errors")
    segment.add_argument("input", type=Path, help="folder or bag")
    segment.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    segment.add_argument("--config", type=Path, help="YAML file of parameters (see `any3dis config`)")
    segment.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set one parameter, e.g. map.voxel_size_m=0.01"
    )
    segment.add_argument("--map", type=Path, help="map cloud or mesh (PLY, PCD) instead of fusing the keyframes")
    segment.add_argument(
        "--proposals",
        type=Path,
        help="masks of a supervised 3D network on the map's points (.npz, .pth, ScanNet's .txt)",
    )
    segment.add_argument("--stride", type=int, help="every n-th frame is a keyframe (default: keyframes.stride)")
    add_recording_options(segment)


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Add what a user may say about a recording; :func:`read_options` takes it."""
    recording = parser.add_argument_group("recording (what is left out is found in it)")
    recording.add_argument("--color-topic", default="", help="topic of the colour images")
    recording.add_argument("--depth-topic", default="", help="topic of the depth images")
    recording.add_argument("--camera-info-topic", default="", help="topic of the colour camera's intrinsics")
    recording.add_argument("--depth-info-topic", default="", help="topic of the depth camera's intrinsics")
    recording.add_argument("--global-frame", default="", help="frame of the map (default: map, odom or world)")
    recording.add_argument("--camera-frame", default="", help="optical frame of the colour camera")
    recording.add_argument(
        "--intrinsics",
        type=float,
        nargs=4,
        metavar=("FX", "FY", "CX", "CY"),
        help="pixels, where there is no camera_info",
    )


def read_options(options: argparse.Namespace, config: InputConfig) -> ReadOptions:
    """Return what a user said about a recording, and the intervals and gaps to accept."""
    from any3dis_ros.io.recording import ReadOptions

    return ReadOptions(
        color_topic=options.color_topic,
        depth_topic=options.depth_topic,
        camera_info_topic=options.camera_info_topic,
        depth_info_topic=options.depth_info_topic,
        global_frame=options.global_frame,
        camera_frame=options.camera_frame,
        intrinsics=tuple(options.intrinsics) if options.intrinsics else None,
        stride=getattr(options, "stride", None),
        input=config,
    )


def _evaluate(commands: Commands, common: argparse.ArgumentParser) -> None:
    evaluate = commands.add_parser(
        "evaluate", parents=[common], help="score a result against ground truth (ScanNet's AP, class-agnostic)"
    )
    evaluate.add_argument("result", type=Path, help="result folder or instances.npz")
    evaluate.add_argument("truth", type=Path, help="scene_gt.npz, a folder holding it, or ScanNet's text with --cloud")
    evaluate.add_argument("--cloud", type=Path, help="PLY or PCD of the text's points")
    evaluate.add_argument("--stuff", type=int, nargs="*", default=(), help="labels of the text that are no objects")
    defaults = EvaluationConfig()
    evaluate.add_argument(
        "--min-points",
        type=int,
        default=defaults.min_points,
        help="smaller objects do not count (default: %(default)s)",
    )
    evaluate.add_argument(
        "--max-distance",
        type=float,
        default=defaults.max_distance_m,
        help="metres; ground truth farther from the cloud is unlabelled (default: %(default)s)",
    )


def _config(commands: Commands, common: argparse.ArgumentParser) -> None:
    config = commands.add_parser("config", parents=[common], help="print every parameter with its default, as YAML")
    form = config.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as a Markdown table")
    form.add_argument("--ros", action="store_true", help="as a parameters file for the ROS 2 node, its own included")


def _download_checkpoint(commands: Commands, common: argparse.ArgumentParser) -> None:
    download = commands.add_parser(
        "download-checkpoint",
        parents=[common],
        help="fetch the weights of SAM 2.1 from Meta",
        description="Fetch the weights of SAM 2.1 from Meta and check them; what broke off is gone on from. "
        "`--set tracker.checkpoint=NAME` uses them.",
    )
    download.set_defaults(left="what has come is kept, and the same command goes on from there")
    download.add_argument("name", metavar="NAME", help="tiny (156 MB), small (184), base_plus (324) or large (898)")
    download.add_argument(
        "--folder", type=Path, help="destination (default: $ANY3DIS_CACHE/checkpoints, else in ~/.cache/any3dis)"
    )
    download.add_argument("--quiet", action="store_true", help="print nothing but the path")

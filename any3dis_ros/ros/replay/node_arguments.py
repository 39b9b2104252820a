"""Arguments of any3dis_node that make it listen to what a player sends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from any3dis_ros.cli import OF_RCLPY, settings
from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.io.rosbag.bagfile import COMPRESSED_IMAGE
from any3dis_ros.io.rosbag.playback import COLOR, DEPTH, Playback
from any3dis_ros.parameters import dotted, from_mapping, parameters

_OF_NODE = {p.name for p in parameters(NodeConfig)}


def checked_settings(given: Sequence[str]) -> tuple[dict[str, Any], Config]:
    """Return what `--set NAME=VALUE` asks for by dotted names, and the configuration of the method that it makes.

    Raises:
        InputError: an unknown name, or a value that is not allowed.
    """
    values = dict(dotted(settings(given)))
    from_mapping({name: value for name, value in values.items() if name in _OF_NODE}, NodeConfig())
    of_method = {n: v for n, v in values.items() if n not in _OF_NODE and n.partition(".")[0] not in OF_RCLPY}
    return values, from_mapping(of_method, Config())


def rectified(playback: Playback, names: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the topics and the remaps of a node under which it knows rectified images, as always, by their name.

    Args:
        playback: what is played.
        names: topics by part.
    """
    images = {COLOR: playback.cameras.color, DEPTH: playback.cameras.depth}
    remaps = {names[part]: f"{names[part]}_rect" for part, image in images.items() if image.is_rectified}
    return {part: remaps.get(name, name) for part, name in names.items()}, remaps


def for_node(
    name: str,
    remaps: Mapping[str, str],
    options: argparse.Namespace,
    playback: Playback,
    settings: Mapping[str, Any],
) -> list[str]:
    """Return the arguments; of what is given twice the later counts: the bag's frame, file, settings, transports.

    Args:
        name: fully qualified, of the node.
        remaps: of topics.
        options: of any3dis_replay.
        playback: what is played.
        settings: parameters by dotted name.
    """
    namespace, _, base = name.rpartition("/")
    chosen = {"camera_frame": options.camera_frame, "global_frame": options.global_frame}
    cameras = playback.cameras
    transports = {
        "color_transport": "compressed" if cameras.color_type == COMPRESSED_IMAGE else "raw",
        "depth_transport": "compressedDepth" if cameras.depth_type == COMPRESSED_IMAGE else "raw",
    }
    words = ["--ros-args", *_remapped({"__node": base, "__ns": namespace or "/", **remaps}), *options.ros_args]
    words += _assigned({"global_frame": playback.global_frame})
    if options.params_file:
        words += ["--params-file", str(options.params_file)]
    words += _assigned({**settings, **{name: value for name, value in chosen.items() if value}, **transports})
    return words


def _remapped(rules: Mapping[str, str]) -> list[str]:
    return [word for old, new in rules.items() for word in ("-r", f"{old}:={new}")]


def _assigned(values: Mapping[str, Any]) -> list[str]:
    """Return `-p name:=value`, the value in JSON, which keeps a text from being read as a number."""
    return [word for name, value in values.items() for word in ("-p", f"{name}:={json.dumps(value)}")]

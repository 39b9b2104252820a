"""Between a player and a node: both are there, the bag goes over, the node is asked."""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import rclpy
from rclpy.exceptions import InvalidTopicNameException
from rclpy.signals import SignalHandlerOptions
from rclpy.validate_full_topic_name import validate_full_topic_name

from any3dis_ros.errors import InputError
from any3dis_ros.interrupts import uninterrupted
from any3dis_ros.io.rosbag.playback import Playback
from any3dis_ros.ros.replay import node_arguments
from any3dis_ros.ros.replay.client import NodeClient
from any3dis_ros.ros.replay.node_process import NodeProcess, node_command
from any3dis_ros.ros.replay.output import Stages
from any3dis_ros.ros.replay.player import Player, Stopped, input_names
from any3dis_ros.terminal import Bars

log = logging.getLogger(__name__)

_TAKEN_IN_S = 10.0
_SEEN_S = 3.0  # in which a node that was there before is discovered, as a rule


class Session:
    """A node of ours, the node that is asked, and the player between them; a context, which ends what it started.

    Args:
        options: of the command line.
        playback: what is played.
        settings: parameters for a node that is started.

    Raises:
        InputError: a name that is none; a node of that name is running, and another is to be started.
    """

    def __init__(self, options: argparse.Namespace, playback: Playback, settings: Mapping[str, Any]) -> None:
        self._options, self._playback, self._settings = options, playback, settings
        self._process: NodeProcess | None = None
        self._stack = ExitStack()
        self.name = ""

    def __enter__(self) -> Session:
        try:
            self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with uninterrupted():
            self._stack.close()

    def play(self, bars: Bars) -> None:
        """Wait for the node, play to it, and wait until it has taken everything in.

        Raises:
            InputError: there is no node, it does not listen, or it ended.
        """
        options = self._options
        try:
            bars("waiting for the node", 0, 1)
            if self._process is not None:
                self._client.wait_until_ready()
            if not options.no_segment:
                self._client.wait_until_there(options.wait)
            self._player.wait_until_heard(options.wait)
            if self._client.several:
                raise InputError(self._taken())
            bars("waiting for the node", 1, 1)
            before = 0 if self._process is not None else self._client.received(self._player.color_topic)
            played = self._player.play(options.rate, bars)
        except Stopped:
            self._check_node()
            raise
        if not options.quiet:
            print(f"played {played}", flush=True)
        if options.no_segment:
            return
        if not self._client.wait_until_taken_in(played.color_stamp_ns, _TAKEN_IN_S):
            log.warning(
                "%s did not say on /diagnostics within %g s that the last image is dealt with; it segments what it has",
                self.name,
                _TAKEN_IN_S,
            )
        after = self._client.received(self._player.color_topic)
        if before is not None and after is not None and after - before < played.color_images:
            log.warning(
                "%s received %d of %d colour images: it is too busy; play slower (--rate)",
                self.name,
                after - before,
                played.color_images,
            )

    def segment(self) -> tuple[Any, Any]:
        """Let the node segment; return the result of the action and the cloud that it published.

        Raises:
            InputError: it refuses, does not succeed, or ended.
        """
        stages = Stages(self._options.quiet)
        try:
            result = self._client.segment(stages.tell)
        finally:
            stages.close()
        return result, self._client.published_cloud(result.instances.header)

    def save(self, folder: Path) -> None:
        """Let the node write its result.

        Raises:
            InputError: it could not.
        """
        log.info("%s", self._client.save(folder.resolve()))

    def _open(self) -> None:
        options, playback = self._options, self._playback
        node = self._stack.enter_context(_ros_node(options.node, options.ros_args))
        self.name = _full_name(options.node, node.get_namespace())
        self._client = NodeClient(node, self.name, self._check_node)
        self._stack.callback(self._client.close)
        namespace = self.name.rpartition("/")[0]
        names = {part: f"{namespace}/{name}" for part, name in input_names(playback).items()}
        stop = threading.Event()
        if options.start_node:
            if self._client.there(_SEEN_S):
                raise InputError(self._taken())
            names, remaps = node_arguments.rectified(playback, names)
            arguments = node_arguments.for_node(self.name, remaps, options, playback, self._settings)
            self._process = NodeProcess(node_command(arguments))
            self._stack.callback(self._process.end)
            stop = self._process.ended
        self._player = Player(node, playback, names, clock=not options.no_clock, stop=stop)

    def _taken(self) -> str:
        return (
            f"another node '{self.name}' is running; leave --start-node out to use it, or take another name (--node) "
            "or another ROS_DOMAIN_ID"
        )

    def _check_node(self) -> None:
        if self._process is not None and self._process.ended.is_set():
            raise InputError(f"the node is gone: {self._process.last_words()}")


@contextmanager
def _ros_node(asked: str, ros_args: list[str]) -> Iterator[Any]:
    """Make a node in the namespace of the one that is asked; signals stay Python's, and can cancel over ROS."""
    namespace = asked.rpartition("/")[0] if asked.startswith("/") else ""
    try:
        rclpy.init(args=["--ros-args", *ros_args], signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise InputError(f"ROS does not take {' '.join(ros_args)}: {error}") from error
    try:
        node = rclpy.create_node("any3dis_replay", namespace=namespace or "/")
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def _full_name(asked: str, namespace: str) -> str:
    name = asked if asked.startswith("/") else f"{namespace.rstrip('/')}/{asked}"
    try:
        validate_full_topic_name(name)
    except InvalidTopicNameException as error:
        raise InputError(f"'{name}' is no name of a node: {' '.join(str(error).split())}") from error
    return name

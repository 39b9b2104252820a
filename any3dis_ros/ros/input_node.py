"""A node for the inputs alone, beside the node: before each message rclpy looks at all that an executor waits for.

With images on the node itself that is its services, the action and their events as well, a hundred times a second: two
thirds of what the node cost. tf2_ros keeps its listener on a node of its own for the same reason.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

log = logging.getLogger(__name__)

_LOOK_S = 0.5  # between two looks whether to end


class InputNode:
    """`<name>_inputs`, of the same namespace and context, with a thread that serves its subscriptions in turn.

    Args:
        node: beside which it stands; its remappings hold where names are resolved by it.
        topics: names that others look for by themselves (tf2_ros: /tf), remapped as for `node`.

    Attributes:
        node: rclpy's node.
    """

    def __init__(self, node: Any, topics: Sequence[str] = ()) -> None:
        remapped = [(topic, node.resolve_topic_name(topic)) for topic in topics]
        rules = [word for topic, name in remapped if topic != name for word in ("-r", f"{topic}:={name}")]
        self.node = rclpy.create_node(
            f"{node.get_name()}_inputs",
            namespace=node.get_namespace(),
            context=node.context,
            use_global_arguments=False,  # those may rename every node of the process
            cli_args=["--ros-args", *rules] if rules else None,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(self.node)
        self._ended = False
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._spin, name="any3dis-inputs", daemon=True)
        self._thread.start()

    def in_turn(self, do: Callable[[], object]) -> None:
        """Do something in the thread that serves, between two messages, and return when it is done.

        A subscription that another thread destroys may be one that the executor is just about to wait for. Not to be
        called by that thread itself, which would wait for itself.
        """
        done = threading.Event()

        def task() -> None:
            try:
                do()
            finally:
                done.set()

        self._executor.create_task(task)
        while self._thread.is_alive() and not done.wait(_LOOK_S):
            pass
        if not done.is_set():  # the context was shut down, and with it the thread ended
            do()

    def close(self) -> None:
        """End the thread and the node."""
        self._ended = True
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not self._ended and self.node.context.ok():
                try:
                    self._executor.spin_once(timeout_sec=_LOOK_S)
                except ExternalShutdownException:
                    raise
                except Exception as error:  # one bad message must not end the mission
                    if not self.node.context.ok():
                        return
                    if str(error) not in self._told:
                        log.exception("a message could not be taken in")
                    self._told.add(str(error))

"""any3dis_node with a stopwatch on its callbacks: `python -m benchmarks.node.watch OUT --ros-args …`.

How long each callback of the executor ran, and how long after it was stamped an image reached its callback, are
written to OUT as JSON when the node ends. Runs of the action are no callbacks of the executor and not among them.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import rclpy.executors
from sensor_msgs.msg import Image

from any3dis_ros.ros import node


class Stopwatch:
    """Takes the place of rclpy's ``await_or_execute``.

    Attributes:
        callback_ms: how long the callbacks ran, by their names.
        image_ms: how old images were when their callback began.
    """

    def __init__(self, execute: Callable[..., Any]) -> None:
        self._execute = execute
        self.callback_ms: dict[str, list[float]] = defaultdict(list)
        self.image_ms: list[float] = []

    async def __call__(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Run a callback."""
        if arguments and isinstance(arguments[0], Image):
            stamp = arguments[0].header.stamp
            self.image_ms.append((time.time_ns() - stamp.sec * 10**9 - stamp.nanosec) / 1e6)
        began = time.perf_counter()
        try:
            return await self._execute(callback, *arguments)
        finally:
            self.callback_ms[name_of(callback)].append((time.perf_counter() - began) * 1e3)


def name_of(callback: Callable[..., Any]) -> str:
    """Return what a callback is called in its module."""
    while isinstance(callback, partial):
        callback = callback.func
    return str(getattr(callback, "__qualname__", callback))


def main() -> int:
    """Run the node; the first argument is the file to write."""
    stopwatch = Stopwatch(rclpy.executors.await_or_execute)
    rclpy.executors.await_or_execute = stopwatch
    try:
        return node.main([sys.argv[0], *sys.argv[2:]])
    finally:
        Path(sys.argv[1]).write_text(json.dumps({"callback_ms": stopwatch.callback_ms, "image_ms": stopwatch.image_ms}))


if __name__ == "__main__":
    sys.exit(main())

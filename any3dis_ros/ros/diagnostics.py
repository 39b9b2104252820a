"""/diagnostics: what arrives and at which rate, what is left out and why, what is held, and the last run by stage."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType

from any3dis_ros.ros.ingest import IngestStatus
from any3dis_ros.ros.inputs import Inputs
from any3dis_ros.ros.services import flat
from any3dis_ros.ros.session import Segmenter

_SECOND = 1_000_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")

Level = tuple[bytes, str]


class Diagnostics:
    """Publishes three statuses: input, map and segmentation.

    Args:
        node: whose they are; a simulated clock that stands still does not stop them.
        period_s: between two messages.
        segmenter: holds map, engine and the last run.

    Attributes:
        inputs: what comes in, None while nothing is let in.
    """

    def __init__(self, node: Any, period_s: float, segmenter: Segmenter) -> None:
        self._node, self._segmenter = node, segmenter
        self.inputs: Inputs | None = None
        self._before: tuple[float, dict[str, int]] = (time.monotonic(), {})
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(
            period_s,
            self._publish,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def _publish(self) -> None:
        if not self._node.context.ok():
            return
        inputs = self.inputs
        statuses = [
            self._status("input", *self._of_input(inputs)),
            self._status("map", *self._of_map(inputs)),
            self._status("segmentation", *self._of_segmentation()),
        ]
        message = DiagnosticArray(status=statuses)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _status(self, part: str, level: Level, values: Mapping[str, Any]) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level[0],
            name=f"{self._node.get_fully_qualified_name()}: {part}",
            message=level[1],
            hardware_id="any3dis_ros",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )

    def _of_input(self, inputs: Inputs | None) -> tuple[Level, dict[str, Any]]:
        if inputs is None:
            self._before = (time.monotonic(), {})
            return (DiagnosticStatus.OK, "the node is not active"), {}
        received, status = inputs.received, inputs.ingest.status()
        rates = self._rates({topic: count for topic, (count, _) in received.items()} | {"pairs": status.pairs})
        values: dict[str, Any] = {}
        for topic, (count, lost) in received.items():
            values[f"{topic} [Hz]"] = f"{rates[topic]:.1f}"
            values[f"{topic} received"] = count
            if lost:
                values[f"{topic} lost on the way"] = lost
        values["pairs [Hz]"] = f"{rates['pairs']:.1f}"
        values["pairs"] = status.pairs
        values["waiting"] = status.waiting
        values["keyframes"] = status.keyframes
        values["keyframes [MB]"] = f"{status.keyframe_bytes / 1e6:.1f}"
        values["newest image [s]"] = f"{inputs.newest_ns / _SECOND:.9f}"
        values |= {f"left out: {reason}": count for reason, count in status.left_out.items()}
        return _judged(received, rates, status), values

    def _rates(self, counts: dict[str, int]) -> dict[str, float]:
        """Return counts a second since the last call."""
        now, (before_s, before) = time.monotonic(), self._before
        self._before = (now, counts)
        return {k: max(n - before.get(k, 0), 0) / max(now - before_s, 1e-3) for k, n in counts.items()}

    def _of_map(self, inputs: Inputs | None) -> tuple[Level, dict[str, Any]]:
        values: dict[str, Any] = {"fused keyframes": self._segmenter.fused_keyframes}
        if inputs is not None and inputs.map_points:
            values["points of map_cloud"] = inputs.map_points
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        return (DiagnosticStatus.OK, "ok"), {**values, "resident memory [MB]": f"{resident / 1e6:.0f}"}

    def _of_segmentation(self) -> tuple[Level, dict[str, Any]]:
        segmenter = self._segmenter
        doing = "a segmentation is under way" if segmenter.busy else "idle"
        last = {f"last run: {name}": value for name, value in flat(segmenter.last_statistics)}
        level = (DiagnosticStatus.ERROR, segmenter.trouble) if segmenter.trouble else (DiagnosticStatus.OK, doing)
        return level, {"engine": segmenter.engine or "not loaded yet", **last}


def _judged(received: Mapping[str, tuple[int, int]], rates: Mapping[str, float], status: IngestStatus) -> Level:
    """Return the level and what to look at first."""
    silent = [topic for topic in received if not rates[topic]]
    if silent:
        return DiagnosticStatus.WARN, f"nothing comes on {', '.join(silent)}"
    if not rates["pairs"]:
        return (
            DiagnosticStatus.WARN,
            "images come, but none belong together: colour, depth and camera_info must be stamped within "
            "input.sync_max_interval_s",
        )
    lossy = [topic for topic, (_, lost) in received.items() if lost]
    if lossy:
        return DiagnosticStatus.WARN, f"messages are lost on the way on {', '.join(lossy)}; set the driver to reliable"
    if status.left_out and not status.keyframes:
        most = max(status.left_out, key=lambda reason: status.left_out[reason])
        return DiagnosticStatus.WARN, f"no keyframe yet; most pairs were left out: {most}"
    return DiagnosticStatus.OK, "ok"

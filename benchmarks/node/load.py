"""What the node costs, and whether it keeps up: `python -m benchmarks.node.load [--seconds 120]`.

A camera process publishes VGA RGB-D at 30 Hz (reliable) to a bare rclpy subscriber, then to the node, then to the node
while it segments over and over. CPU time is that of the whole process, from /proc. Memory is the growth of the resident
set from the tenth part of the time to its end, less the keyframes' bytes. Callbacks are timed inside the node, and a
cheap service is asked every 50 ms from outside.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np

from any3dis_ros.config import Config
from benchmarks import tables
from benchmarks.node.client import Client, Run
from benchmarks.node.process import Child, cpu_seconds, machine, own_domain, resident_mb, ros_arguments

STRIDE = Config().keyframes.stride
GOAL_CPU, GOAL_MS = 0.40, 50.0

_PING_S = 0.05
_MARGIN = 1.2  # of the keyframes' bound over what will come, so that none is thinned away


@dataclass
class Sample:
    """The process at one instant: CPU seconds, resident and keyframe megabytes."""

    at_s: float
    cpu_s: float
    resident_mb: float
    keyframes_mb: float


@dataclass
class Load:
    """What one phase measured.

    Attributes:
        name: of the phase.
        sent: frames published.
        samples: the process over time.
        pings_ms: answers of a cheap service, asked from outside.
        pairs: synchronised pairs that the node counted.
        keyframes: that it holds at the end.
        left_out: pairs by reason.
        runs: segmentations that ended.
        callback_ms: by callback.
        image_ms: from publication to callback.
    """

    name: str
    sent: int = 0
    samples: list[Sample] = field(default_factory=list)
    pings_ms: list[float] = field(default_factory=list)
    pairs: int = 0
    keyframes: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    callback_ms: dict[str, list[float]] = field(default_factory=dict)
    image_ms: list[float] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """Keyframes of what was published."""
        return -(-self.sent // STRIDE)

    @property
    def cpu_share(self) -> float:
        """Of one core."""
        first, last = self._steady[0], self._steady[-1]
        return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s)

    @property
    def growth_mb(self) -> float:
        """Of the resident set beyond the keyframes."""
        first, last = self._steady[0], self._steady[-1]
        return last.resident_mb - first.resident_mb - (last.keyframes_mb - first.keyframes_mb)

    @property
    def _steady(self) -> list[Sample]:
        return self.samples[len(self.samples) // 10 :]

    def row(self) -> dict[str, object]:
        """Return it as a row of the table."""
        callbacks = list(chain(*self.callback_ms.values()))
        return {
            "phase": self.name,
            "frames": self.sent,
            "pairs": self.pairs or "",
            "keyframes_expected": self.expected if self.pairs else "",
            "keyframes": self.keyframes if self.pairs else "",
            "cpu_share": round(self.cpu_share, 3),
            "memory_growth_mb": round(self.growth_mb, 1),
            "runs": self.runs,
            **percentiles("callback_ms", callbacks),
            **percentiles("image_ms", self.image_ms),
            **percentiles("service_ms", self.pings_ms),
        }


def percentiles(name: str, values: list[float]) -> dict[str, object]:
    """Return median, 99th percentile and worst of milliseconds, empty where there are none."""
    if not values:
        return {f"{name}_{what}": "" for what in ("median", "p99", "worst")}
    return {
        f"{name}_median": round(median(values), 1),
        f"{name}_p99": round(float(np.percentile(values, 99)), 1),
        f"{name}_worst": round(max(values), 1),
    }


def bare(seconds: float, domain: int) -> Load:
    """Measure the bare subscriber."""
    load = Load("bare subscriber")
    with Child("benchmarks.node.listener", domain=domain) as listener, camera(seconds, domain) as source:
        while source.process.poll() is None:
            time.sleep(1.0)
            load.samples.append(Sample(time.monotonic(), cpu_seconds(listener.pid), resident_mb(listener.pid), 0.0))
        load.sent = json.loads(source.output)["sent"]
        listener.stop()
    load.samples = while_busy(load.samples)
    return load


def node(name: str, seconds: float, domain: int, segmenting: bool) -> Load:
    """Measure the node, idle or segmenting over and over."""
    load = Load(name)
    bound = round(_MARGIN * seconds * 30 / STRIDE) + 10
    with tempfile.TemporaryDirectory() as folder:
        watched = Path(folder) / "watched.json"
        arguments = ros_arguments(f"keyframes.max_keyframes:={bound}")
        with Child("benchmarks.node.watch", str(watched), *arguments, domain=domain) as process, Client(domain) as asks:
            asks.trigger("trigger")  # refused; the node is there, and active
            with camera(seconds, domain) as source:
                follow(load, process, asks, lambda: source.process.poll() is None, segmenting)
                load.sent = json.loads(source.output)["sent"]
            asks.refreshed()
            load.pairs, load.keyframes = (round(asks.value("input", key)) for key in ("pairs", "keyframes"))
            values = asks.diagnostics["input"].items()
            load.left_out = {key: value for key, value in values if "left out" in key or "lost" in key}
            if process.stop() or process.crashes():
                raise RuntimeError(f"the node did not end cleanly:\n{process.output}")
        timed = json.loads(watched.read_text())
    load.callback_ms, load.image_ms = timed["callback_ms"], timed["image_ms"]
    load.samples = while_busy(load.samples)
    return load


def follow(load: Load, process: Child, asks: Client, going_on: Callable[[], bool], segmenting: bool) -> None:
    """Sample the process every second; if asked to, keep a segmentation under way, and ping it every 50 ms."""
    run: Run | None = None
    next_ping = next_sample = time.monotonic()
    while going_on():
        now = time.monotonic()
        if segmenting and now >= next_ping:
            next_ping = now + _PING_S
            asks.ping().add_done_callback(lambda _, sent=now: load.pings_ms.append((time.monotonic() - sent) * 1e3))
        if now >= next_sample:
            next_sample = now + 1.0
            keyframes_mb = asks.value("input", "keyframes [MB]")
            load.samples.append(Sample(now, cpu_seconds(process.pid), resident_mb(process.pid), keyframes_mb))
        if segmenting and (run is None or run.over) and asks.value("input", "keyframes") > 0:
            load.runs += run is not None and run.result is not None and run.result.success
            run = asks.segment()
        asks.spin(0.005)
    if run is not None and not run.over:
        asks.until(lambda: run.handle is not None, "an answer to the goal")
        run.handle.cancel_goal_async()
        asks.until(lambda: run.over, "the end of the run")


def camera(seconds: float, domain: int) -> Child:
    """Start the camera process; it begins once it is heard."""
    return Child("benchmarks.node.camera", "--seconds", str(seconds), domain=domain)


def while_busy(samples: list[Sample]) -> list[Sample]:
    """Return the samples without the beginning, while the camera loads its images, and the end, while it stops."""
    steps = np.diff([s.cpu_s for s in samples])
    busy = np.flatnonzero(steps > 0.25 * np.median(steps))
    return samples[busy[0] : busy[-1] + 2]


def report(loads: list[Load]) -> str:
    """Return the table with what it means."""
    rows = [load.row() for load in loads]
    head = ["", *(load.name for load in loads)]
    body = [[key, *(str(row[key]) for row in rows)] for key in rows[0] if key != "phase"]
    ratios = "; ".join(f"{x.name} {x.cpu_share / loads[0].cpu_share:.1f} times the bare subscriber" for x in loads[1:])
    notes = [f"CPU: {ratios}; the goal without a segmentation is {GOAL_CPU:.0%} of a core."]
    for load in loads[1:]:
        slow = {n: max(v) for n, v in load.callback_ms.items() if max(v) > GOAL_MS}
        named = ", ".join(f"{n} {ms:.0f} ms" for n, ms in slow.items()) or "none"
        notes.append(f"{load.name}: callbacks over {GOAL_MS:g} ms: {named}; {load.left_out or 'no pair left out'}.")
    return "\n\n".join([f"VGA RGB-D at 30 Hz, {machine()}.", tables.markdown(head, body), *notes])


def main() -> None:
    """Measure all phases and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--name", default="node_load", help="of the table in benchmarks/results")
    args = parser.parse_args()
    domain = own_domain()
    loads = [
        bare(max(args.seconds / 4, 10.0), domain),
        node("node", args.seconds, domain, segmenting=False),
        node("node while segmenting", args.seconds, domain, segmenting=True),
    ]
    tables.keep(args.name, report(loads), [load.row() for load in loads])


if __name__ == "__main__":
    main()

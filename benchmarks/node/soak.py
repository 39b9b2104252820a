"""Whether memory stays bounded: `python -m benchmarks.node.soak [--minutes 60] [--speed 10]`.

A camera process publishes the sample at `speed` times its rate, stamps included, while the node is triggered every so
often. The resident set is noted once a minute at least; it may rise until every buffer is full, and not after.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import numpy as np

from any3dis_ros.config import Config
from benchmarks import tables
from benchmarks.node.client import Client, Run
from benchmarks.node.process import Child, cpu_seconds, machine, node, own_domain, resident_mb

SIZE = (320, 240)

_ROWS = 60
_PAUSE_S = 10.0  # between the end of a run and the next


@dataclass
class Row:
    """The node at one instant."""

    minute: float
    resident_mb: float
    cpu_share: float
    pairs: int
    keyframes: int
    left_out: int
    runs: int
    failed: int


def follow(process: Child, source: Child, asks: Client, every_s: float) -> list[Row]:
    """Trigger and take notes until the camera ends."""
    rows: list[Row] = []
    run: Run | None = None
    runs = failed = 0
    idle_since = start = time.monotonic()
    before, next_row = (start, cpu_seconds(process.pid)), start + every_s
    while source.process.poll() is None:
        asks.spin(0.1)
        now = time.monotonic()
        if run is not None and run.over:
            runs += 1
            failed += run.result is None or not run.result.success
            run, idle_since = None, now
        if run is None and now - idle_since > _PAUSE_S:
            run = asks.segment()
        if now >= next_row:
            next_row += every_s
            cpu_s = cpu_seconds(process.pid)
            rows.append(
                Row(
                    minute=round((now - start) / 60, 2),
                    resident_mb=round(resident_mb(process.pid), 1),
                    cpu_share=round((cpu_s - before[1]) / (now - before[0]), 2),
                    pairs=round(asks.value("input", "pairs")),
                    keyframes=round(asks.value("input", "keyframes")),
                    left_out=sum(left_out(asks).values()),
                    runs=runs,
                    failed=failed,
                )
            )
            before = (now, cpu_s)
    return rows


def left_out(asks: Client) -> dict[str, int]:
    """Return how many pairs the node has left out, by reason."""
    said = asks.diagnostics.get("input", {})
    return {key.partition(": ")[2]: int(value) for key, value in said.items() if key.startswith("left out: ")}


def growth_mb(rows: list[Row]) -> float:
    """Return by how much the resident set rose in the second half, by a line fitted to it."""
    half = rows[len(rows) // 2 :]
    minutes = np.array([row.minute for row in half])
    slope = np.polyfit(minutes, [row.resident_mb for row in half], 1)[0]
    return float(slope * (minutes[-1] - minutes[0]))


def report(rows: list[Row], speed: float, camera: dict[str, float], reasons: dict[str, int]) -> str:
    """Return the table with its summary."""
    body = [[str(value) for value in asdict(row).values()] for row in rows]
    bound = Config().keyframes.max_keyframes
    summary = (
        f"{camera['sent']:.0f} pairs of {SIZE[0]}×{SIZE[1]} pixels at {speed:g} times 30 Hz ({camera['refused']:.0f} "
        f"more were refused by the middleware, its queues full), {machine()}. Keyframes are bounded at {bound}. In "
        f"the second half the resident set rose by {growth_mb(rows):.0f} MB, by a line fitted to it; its peak was "
        f"{max(row.resident_mb for row in rows):.0f} MB. Left out: {reasons or 'none'}."
    )
    return "\n\n".join([summary, tables.markdown(list(asdict(rows[0])), body)])


def main() -> None:
    """Soak and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=10.0)
    parser.add_argument("--name", default="node_soak", help="of the table in benchmarks/results")
    args = parser.parse_args()
    domain = own_domain()
    seconds = args.minutes * 60
    options = ["--seconds", str(seconds), "--speed", str(args.speed), "--size", *map(str, SIZE)]
    with node(domain=domain) as process, Client(domain) as asks:
        asks.trigger("trigger")
        with Child("benchmarks.node.camera", *options, domain=domain) as source:
            rows = follow(process, source, asks, seconds / _ROWS)
            if status := source.wait():
                raise RuntimeError(f"the camera ended with status {status}:\n{source.output[-2000:]}")
            told, reasons = json.loads(source.output), left_out(asks)
        if process.stop() or process.crashes():
            raise RuntimeError(f"the node did not end cleanly:\n{process.output[-2000:]}")
    tables.keep(args.name, report(rows, args.speed, told, reasons), [asdict(row) for row in rows])


if __name__ == "__main__":
    main()

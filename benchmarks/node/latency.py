"""How soon the node answers: `python -m benchmarks.node.latency [--times 10]`.

From sending a goal to its first feedback; from asking to cancel, in each stage of a run, to the result, after which the
node takes the next goal; and a cloud of a million points: how long it takes to make the message, and to reach a
subscriber that comes after it was published.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from benchmarks import tables
from benchmarks.node import clouds
from benchmarks.node.camera import SAMPLE, Camera, scene_frames
from benchmarks.node.client import Client
from benchmarks.node.ends import busy
from benchmarks.node.process import machine, node, own_domain

STAGES = ("engine", "map", "superpoints", "visibility", "features", "tracking", "merging")
KEYFRAMES = 30
SIZE = (640, 480)

_VOXELS = (0.01, 0.0101)  # in turns, so that every run fuses its map anew

Measured = dict[str, list[float]]


def answers(times: int, domain: int) -> Measured:
    """Return seconds to the first feedback, and from cancellation in each stage to the result."""
    found: Measured = {"goal to first feedback": []}
    camera = Camera(scene_frames(SAMPLE, *SIZE), domain)
    with node("keyframes.stride:=1", domain=domain) as process, Client(domain) as asks:
        asks.trigger("trigger")
        asks.until(camera.heard, "the node to listen")
        while asks.value("input", "keyframes") < KEYFRAMES:
            camera.send(time.time_ns(), 0.02)
            asks.spin(0.1)
        for k in range(times):
            for stage in STAGES:
                asks.set("map.voxel_size_m", _VOXELS[k % 2])
                run = busy(asks, stage)
                found["goal to first feedback"].append(min(run.stages.values()) - run.sent_s)
                began = time.monotonic()
                run.handle.cancel_goal_async()
                asks.until(lambda run=run: run.over, "the end of the run")  # type: ignore[misc]
                if run.result.success:
                    continue  # it had ended before it heard of the cancellation
                found.setdefault(f"cancel to idle, in {stage}", []).append(run.ended_s - began)
        process.stop()
    camera.close()
    return found


def report(found: Measured) -> tuple[str, list[dict[str, object]]]:
    """Return the table and its rows."""
    rows: list[dict[str, object]] = [
        {"what": what, "times": len(took), "median_s": round(median(took), 3), "worst_s": round(max(took), 3)}
        for what, took in found.items()
    ]
    table = tables.markdown(list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    head = f"{KEYFRAMES} VGA keyframes, geometric engine, {machine()}."
    return "\n\n".join([head, table]), rows


def main() -> None:
    """Measure and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--name", default="node_latency", help="of the table in benchmarks/results")
    args = parser.parse_args()
    domain = own_domain()
    tables.keep(args.name, *report(answers(args.times, domain) | clouds.measure(args.times, domain)))


if __name__ == "__main__":
    main()

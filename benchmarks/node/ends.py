"""How the node ends: `python -m benchmarks.node.ends [--times 20]`.

SIGINT and SIGTERM, idle and in the middle of a segmentation (each time in the next of its stages), and a lifecycle
manager that takes it down and up. An end is clean if the exit status is 0, no process below it is left, and its output
holds no word of a crash.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks import tables
from benchmarks.node.camera import SAMPLE, Camera, scene_frames
from benchmarks.node.client import Client, Run
from benchmarks.node.process import Child, alive, descendants, machine, node, own_domain, resident_mb

STAGES = ("superpoints", "visibility", "features", "tracking", "merging")
SIZE = (320, 240)
KEYFRAMES = 8
PARAMETERS = ("keyframes.stride:=1", "map.voxel_size_m:=0.02")

_PERIOD_S = 0.1


@dataclass
class Ends:
    """What one way to end came to.

    Attributes:
        name: of the way.
        seconds: how long each took.
        faults: what was not clean.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    tried: int = 0

    def row(self) -> dict[str, object]:
        """Return it as a row of the table."""
        took = self.seconds or [float("nan")]
        return {
            "end": self.name,
            "clean": f"{self.tried - len(self.faults)}/{self.tried}",
            "median_s": round(median(took), 2),
            "worst_s": round(max(took), 2),
        }


def drive(asks: Client, camera: Camera) -> None:
    """Show the node a few keyframes."""
    asks.until(camera.heard, "the node to listen")
    asks.refreshed()
    while asks.value("input", "keyframes") < KEYFRAMES:
        camera.send(time.time_ns(), 0.0)
        asks.spin(_PERIOD_S)


def busy(asks: Client, stage: str) -> Run:
    """Return a segmentation that has come to a stage."""
    run = asks.segment()
    asks.until(lambda: run.reached(stage) or run.over, f"stage {stage}")
    if run.over:
        raise RuntimeError(f"the run ended before stage {stage}: {run.result}")
    return run


def by_signal(ends: Ends, number: int, stage: str, domain: int, camera: Camera) -> None:
    """Start a node, send it a signal, idle where `stage` is empty, and see how it ends."""
    ends.tried += 1
    with node(*PARAMETERS, domain=domain) as process:
        with Client(domain) as asks:
            asks.trigger("trigger")  # refused for want of keyframes; the node is there, and active
            if stage:
                drive(asks, camera)
                busy(asks, stage)
            below = descendants(process.pid)
            began = time.monotonic()
            process.process.send_signal(number)
        try:
            status = process.wait()
        except subprocess.TimeoutExpired:
            ends.faults.append(f"{stage or 'idle'}: it had not ended after 60 s")
            return
        ends.seconds.append(time.monotonic() - began)
        left, words = alive(below), process.crashes()
        if status or left or words:
            said = last_lines(process) if words else ""
            ends.faults.append(f"{stage or 'idle'}: exit status {status}, {len(left)} processes left {said}")


def last_lines(process: Child) -> str:
    """Return the end of what a process said, on one line."""
    return " / ".join(line.strip() for line in process.output.splitlines()[-3:])


def by_lifecycle(ends: Ends, times: int, is_busy: bool, domain: int, camera: Camera) -> None:
    """Take one node down to unconfigured and up again."""
    with node(*PARAMETERS, domain=domain) as process, Client(domain) as asks:
        asks.trigger("trigger")
        resident: list[float] = []
        for k in range(times):
            ends.tried += 1
            run = None
            stage = STAGES[k % len(STAGES)]
            if is_busy:
                drive(asks, camera)
                run = busy(asks, stage)
            began = time.monotonic()
            failed = [name for name in ("deactivate", "cleanup", "configure", "activate") if not asks.change(name)]
            ends.seconds.append(time.monotonic() - began)
            if run is not None:
                asks.until(lambda run=run: run.over, "the run to end")  # type: ignore[misc]
            answer = asks.trigger("trigger")
            forgotten = "no keyframe yet" in answer.message
            if failed or not forgotten:
                ends.faults.append(f"{stage if is_busy else 'idle'}: refused {failed}, then: {answer.message}")
            resident.append(resident_mb(process.pid))
        print(f"{ends.name}: MB resident each time {[round(mb) for mb in resident]}")
        if process.stop() or process.crashes():
            ends.faults.append(f"at the end: {last_lines(process)}")


def report(all_ends: list[Ends]) -> str:
    """Return the table, and what was not clean."""
    rows = [ends.row() for ends in all_ends]
    body = [[str(value) for value in row.values()] for row in rows]
    faults = [f"{ends.name}: {fault}" for ends in all_ends for fault in ends.faults]
    return "\n\n".join([f"Ends of any3dis_node, {machine()}.", tables.markdown(list(rows[0]), body), *faults])


def main() -> None:
    """Try all ways and keep the table; fail where one end was not clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--name", default="node_ends", help="of the table in benchmarks/results")
    args = parser.parse_args()
    domain = own_domain()
    camera = Camera(scene_frames(SAMPLE, *SIZE), domain)
    found: list[Ends] = []

    def try_way(name: str, way: Callable[[Ends], None]) -> None:
        found.append(Ends(name))
        way(found[-1])
        print(*found[-1].row().values(), *found[-1].faults, flush=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        for kind, stages in (("idle", ("",)), ("busy", STAGES)):

            def signals(ends: Ends, number: int = number, stages: tuple[str, ...] = stages) -> None:
                for k in range(args.times):
                    by_signal(ends, number, stages[k % len(stages)], domain, camera)

            try_way(f"{signal.Signals(number).name}, {kind}", signals)
    for is_busy in (False, True):
        name = f"lifecycle down and up, {'busy' if is_busy else 'idle'}"
        try_way(name, lambda ends, is_busy=is_busy: by_lifecycle(ends, args.times, is_busy, domain, camera))  # type: ignore[misc]
    camera.close()
    tables.keep(args.name, report(found), [ends.row() for ends in found])
    if any(ends.faults for ends in found):
        parser.exit(1)


if __name__ == "__main__":
    main()

"""How each stage grows with points, keyframes and tracks: `python -m benchmarks.growth` (`make bench`).

Each run is a process of its own, warmed up on a few keyframes. Time is CPU seconds over all threads, which other
processes on the machine disturb less than the clock on the wall; memory is the peak of the resident set during a stage
above what the process held with only the keyframes loaded.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from any3dis_ros.config import Config
from any3dis_ros.pipeline import prompt_seeds, see, to_proposal
from any3dis_ros.proposals.lifting import lift
from any3dis_ros.proposals.merging import exclusive_labels, judge, overlap, rank
from any3dis_ros.scene.borders import find_borders
from any3dis_ros.scene.frames import Frame, viewing_distance
from any3dis_ros.scene.mapping import Scene, fuse
from any3dis_ros.scene.superpoints import compute_superpoints
from any3dis_ros.scene.surface import build_surface
from any3dis_ros.tracking.following import follow
from any3dis_ros.tracking.geometric import GeometricTracker
from any3dis_ros.tracking.seeding import choose_seeds
from benchmarks import scenes, tables

FACTORS = (1, 2, 4)
REPEATS = 3
SHORTEST = 0.1  # CPU seconds at ×4 under which an exponent is noise
SMALLEST = 20.0  # MB at ×4


@dataclass(frozen=True)
class Load:
    """What one run is given."""

    axis: str
    factor: int
    scene: str
    keyframes: int
    voxel_size_m: float
    tracks: int


class Meter:
    """CPU seconds and peak memory (MB above the start) of each stage, and the sizes that were met."""

    def __init__(self) -> None:
        self.base = _resident("VmRSS")
        self.seconds: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}
        self.sizes: dict[str, int] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure the block."""
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present
        start = time.process_time()
        yield
        self.seconds[stage] = time.process_time() - start
        self.megabytes[stage] = _resident("VmHWM") - self.base


def _resident(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def measure(frames: Sequence[Frame], config: Config, tracks: int) -> Meter:
    """Run one round of the pipeline's stages, following exactly `tracks` objects if the prompts give so many."""
    meter = Meter()
    with meter("map"):
        cloud = fuse(frames, config.map)
    with meter("superpoints"):
        viewpoints = np.stack([f.T_map_camera[:3, 3] for f in frames])
        surface = build_surface(cloud, config.superpoints, viewpoints)
        superpoint = compute_superpoints(surface, config.superpoints)
        borders = find_borders(surface, superpoint)
    with meter("visibility, pivots"):
        views = see(Scene(frames, cloud), superpoint, config)
    tracker = GeometricTracker(config.tracker.geometric)
    with meter("features"):
        session = tracker.open(frames)
    with meter("prompting"):
        free = np.ones(len(views.visible.size), bool)
        seeds = choose_seeds(free, views.seen, views.centroid, config.seeding)
        found = prompt_seeds(session, tracker.policy, seeds, views, set(), config)[:tracks]
    with meter("tracking"):
        followed = list(follow(session, found, views.visible, views.seen, config.seeding))
    with meter("lifting"):
        counts = [lift(track, views.visible, views.seen) for track in followed]
    with meter("refinement"):
        refined = [to_proposal(track, c, config) for track, c in zip(followed, counts, strict=True)]
    with meter("merging"):
        proposals = [p for p in refined if p is not None]
        size = views.visible.size
        shared = overlap(proposals, size)
        learnt = tracker.policy.learnt_objectness
        confidences = judge(proposals, shared, borders, viewing_distance(frames), learnt, config.merging)
        kept = rank(confidences, shared, config.merging)
        exclusive_labels([proposals[q] for q in kept], confidences[kept], size, config.merging)
    session.close()
    meter.sizes = {"points": len(cloud), "keyframes": len(frames), "tracks": len(found), "superpoints": len(free)}
    return meter


def run(load: Load) -> Meter:
    """Measure one load in this process: the median time of each stage, the memory of the first time."""
    frames = scenes.load(load.scene).frames
    config = Config()
    seeds = dataclasses.replace(config.seeding, seeds_per_round=load.tracks)
    config = dataclasses.replace(
        config, map=dataclasses.replace(config.map, voxel_size_m=load.voxel_size_m), seeding=seeds
    )
    warm = dataclasses.replace(config, map=dataclasses.replace(config.map, voxel_size_m=0.05))
    measure(frames[:3], warm, 8)
    chosen = np.linspace(0, len(frames) - 1, load.keyframes).round().astype(int)
    meters = [measure([frames[k] for k in chosen], config, load.tracks) for _ in range(REPEATS)]
    meters[0].seconds = {stage: median(m.seconds[stage] for m in meters) for stage in meters[0].seconds}
    return meters[0]


def loads(scene: str, keyframes: int) -> list[Load]:
    """Return ×1, ×2 and ×4 along each axis, the others held."""
    base = Load("", 1, scene, keyframes, 0.02, 100)
    out = []
    for f in FACTORS:
        out.append(dataclasses.replace(base, axis="points", factor=f, voxel_size_m=0.02 / np.sqrt(f)))
        out.append(dataclasses.replace(base, axis="keyframes", factor=f, keyframes=keyframes * f // FACTORS[-1]))
        out.append(dataclasses.replace(base, axis="tracks", factor=f, tracks=base.tracks * f))
    return sorted(out, key=lambda load: load.axis)


def rows_of(measured: Sequence[tuple[Load, Meter]]) -> list[dict[str, object]]:
    """Return one row for each stage of each run."""
    return [
        {"axis": load.axis, "factor": load.factor, "stage": stage, **m.sizes}
        | {"cpu_s": round(m.seconds[stage], 4), "peak_mb": round(m.megabytes[stage], 1)}
        for load, m in measured
        for stage in m.seconds
    ]


def exponent(x: Sequence[float], y: Sequence[float], least: float) -> str:
    """Return the slope of log y over log x, or a dash where the largest y is too small to tell."""
    if max(y) < least or min(y) <= 0:
        return "–"
    return f"{np.polyfit(np.log(x), np.log(y), 1)[0]:.2f}"


def report(measured: Sequence[tuple[Load, Meter]]) -> str:
    """Return one table for each axis."""
    parts = []
    for axis in dict.fromkeys(load.axis for load, _ in measured):
        own = [m for load, m in measured if load.axis == axis]
        x = [float(m.sizes[axis]) for m in own]
        head = ["stage", *(f"CPU s, {v:.0f}" for v in x), "exponent", *(f"MB, {v:.0f}" for v in x), "exponent"]
        body = []
        for stage in own[0].seconds:
            seconds, memory = [m.seconds[stage] for m in own], [m.megabytes[stage] for m in own]
            cells = [f"{s:.2f}" for s in seconds], [f"{b:.0f}" for b in memory]
            body.append([stage, *cells[0], exponent(x, seconds, SHORTEST), *cells[1], exponent(x, memory, SMALLEST)])
        total = [sum(m.seconds.values()) for m in own]
        peak = [max(m.megabytes.values()) for m in own]
        body.append(["all", *(f"{s:.2f}" for s in total), exponent(x, total, 0), *(f"{b:.0f}" for b in peak)])
        body[-1].append(exponent(x, peak, 0))
        held = ", ".join(f"{own[0].sizes[k]}-{own[-1].sizes[k]} {k}" for k in own[0].sizes if k != axis)
        parts.append(f"### Growing {axis} ({held})\n\n{tables.markdown(head, body)}")
    return "\n\n".join(parts)


def main() -> None:
    """Measure and keep the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", nargs="?", default="room32", help="name or folder")
    parser.add_argument("--keyframes", type=int, default=40, help="of the largest run")
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    measured = []
    for load in loads(args.scene, args.keyframes):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured.append((load, pool.apply(run, (load,))))
    title = f"## Growth of each stage\n\n{args.scene}, geometric engine. An exponent of 1 is linear growth."
    tables.keep("growth", f"{title}\n\n{report(measured)}", rows_of(measured), args.output)


if __name__ == "__main__":
    main()

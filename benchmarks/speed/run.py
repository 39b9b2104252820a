"""Every stage against its published formulation, and its growth: `python -m benchmarks.speed.run` (`make bench`).

Three loads up to a million points, 300 keyframes and 500 tracks are measured with the references, so is the largest at
100 keyframes, and further ones along each axis for the growth of each stage. Each load is a process of its own, its
kernels compiled before. Those of the axes are measured in five rounds, one load after another, and medians are told:
what slows the machine for a minute would otherwise look like growth. Ratios are given of seconds on the wall, what a
user waits (the references run on one core, the product on all), and of CPU seconds over all threads, which other
processes on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks import tables
from benchmarks.speed import report
from benchmarks.speed.large_room import SEED, LargeRoom

ROUNDS = 5  # of the loads of an axis


@dataclass(frozen=True)
class Load:
    """What one run is given; `axes` along which its growth counts, and whether references run as well."""

    points: int
    keyframes: int
    tracks: int
    axes: tuple[str, ...] = ()
    with_reference: bool = False

    @property
    def rounds(self) -> int:
        """How often it is measured: what tells of growth several times."""
        return ROUNDS if self.axes else 1


LOADS = (
    Load(250_000, 75, 125, (), True),
    Load(500_000, 150, 250, (), True),
    Load(1_000_000, 300, 500, ("keyframes",), True),
    Load(1_000_000, 100, 500, ("points", "keyframes", "tracks"), True),
    Load(250_000, 100, 500, ("points",)),
    Load(500_000, 100, 500, ("points",)),
    Load(1_000_000, 50, 500, ("keyframes",)),
    Load(1_000_000, 100, 125, ("tracks",)),
    Load(1_000_000, 100, 250, ("tracks",)),
)
SMALLEST = 250_000


def run(load: Load, folder: Path) -> report.Result:
    """Measure one load in this process."""
    from benchmarks.speed.stages import measure

    room = LargeRoom(folder)
    warm = room.cloud(SMALLEST)
    measure(room.frames(3), type(warm)(warm.points[::20].copy(), warm.colors[::20].copy()), 8, False)
    m = measure(room.frames(load.keyframes), room.cloud(load.points), load.tracks, load.with_reference)

    def costs(meter: dict) -> dict[str, list[float]]:
        return {
            stage: [median(c.wall_s for c in own), median(c.cpu_s for c in own), own[0].peak_mb]
            for stage, own in meter.items()
        }

    return report.Result(
        sizes=m.sizes,
        axes=list(load.axes),
        product=costs(m.product.costs),
        reference=costs(m.reference.costs),
        share=m.share,
        subset=m.subset,
    )


def main() -> None:
    """Measure the loads, those of an interrupted run left out, and keep the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="folder that keeps the room and the loads measured so far")
    parser.add_argument("--loads", default="0-8", help=f"some of the {len(LOADS)} loads alone, like 0-2")
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    first, _, last = args.loads.partition("-")
    chosen = LOADS[int(first) : int(last or first) + 1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work or Path(temporary)
        keyframes = max(load.keyframes for load in LOADS)
        LargeRoom.render(folder, keyframes, sorted({load.points for load in LOADS}))
        found: dict[Load, list[report.Result]] = {load: [] for load in chosen}
        for round_ in range(1, ROUNDS + 1):
            for load in (one for one in chosen if round_ <= one.rounds):
                done = folder / f"{'_'.join(map(str, astuple(load)[:3]))}_{round_}.json"
                if not done.is_file():
                    alone = replace(load, with_reference=load.with_reference and round_ == 1)
                    with multiprocessing.get_context("spawn").Pool(1) as pool:
                        done.write_text(json.dumps(asdict(pool.apply(run, (alone, folder)))))
                found[load].append(report.Result(**json.loads(done.read_text())))
                sizes = f"{load.points} points, {load.keyframes} keyframes, {load.tracks} tracks"
                print(f"{sizes}: {round_} of {load.rounds}", flush=True)
    results = [report.median_of(several) for several in found.values()]
    tables.keep("speed", report.text(results), report.rows(results), args.output, {"scenes": f"room of seed {SEED}"})


if __name__ == "__main__":
    main()

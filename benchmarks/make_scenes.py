"""Furnished rooms and tabletops with exact ground truth: `python -m benchmarks.make_scenes [OUT] --seeds 1-5`."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from any3dis_ros.terminal import Bars
from benchmarks.rooms.noise import LEVELS
from benchmarks.rooms.room import CATALOGUE, KINDS, PROCEDURAL
from benchmarks.rooms.tags import TAGS
from benchmarks.synthetic import BENCHMARK_VOXEL_M, SceneSpec, cached, make_scene

DESCRIPTION = """Furnished rooms and tabletops with exact ground truth, as ScanNet-style folders.

Without OUT they are kept in the cache, where other benchmarks find them by name (room7-middle) and make them when they
are absent. With OUT they are written there; with neither --furniture nor --noise these are the procedural rooms
with a Kinect's noise, exact poses and ground truth at 2 cm."""


def seeds(text: str) -> list[int]:
    """Return the seeds of a list like `1-5,9`."""
    out: list[int] = []
    for item in text.split(","):
        first, _, last = item.partition("-")
        try:
            out += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{item}' is no seed; expected numbers and ranges like 1-5,9") from None
    return out


def positive(text: str) -> int:
    """Return a count of at least 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no count of scenes; expected 1 or more")
    return int(text)


def write(spec: SceneSpec, out: Path | None, plain: bool, progress: Progress = silent) -> Path:
    """Write one scene into a folder of its own, under `out` or in the cache, and return that."""
    if out is None:
        return cached(spec, progress)
    if plain:
        folder = out / (f"seed{spec.seed}" if spec.kind == "room" else f"{spec.kind}{spec.seed}")
        make_scene(folder, spec.seed, spec.width, spec.height, spec.keyframes, spec.kind, progress=progress)
        return folder
    folder = out / spec.name
    make_scene(
        folder, spec.seed, spec.width, spec.height, spec.keyframes, spec.kind, spec.furniture, LEVELS[spec.noise],
        BENCHMARK_VOXEL_M, progress,
    )  # fmt: skip
    return folder


def written(specs: Sequence[SceneSpec], out: Path | None, plain: bool, jobs: int, bars: Bars) -> Iterator[Path]:
    """Write scenes, several at once in processes of their own, and yield their folders in order.

    Rendering uses every core, but more than half of a scene's time is drawing and writing, which use one.
    """
    if jobs == 1:
        for spec in specs:
            yield write(spec, out, plain, bars)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"))
    try:
        bars("scenes", 0, len(specs))
        futures = [pool.submit(write, spec, out, plain) for spec in specs]
        for done, future in enumerate(futures, 1):
            folder = future.result()
            bars("scenes", done, len(specs))
            yield folder
    except BrokenProcessPool as error:
        raise InputError(
            f"a process was killed while {jobs} scenes were made at once, as happens where memory runs out; "
            "try fewer --jobs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def described(folder: Path) -> str:
    """Return a line that says what a scene holds: things of at least 100 points, and how many have each tag."""
    things = [i for i in json.loads((folder / "scene.json").read_text())["instances"] if "tags" in i]
    counted = [i for i in things if i["points"] >= 100]
    tags = Counter(tag for i in counted for tag in i["tags"])
    return f"{folder}: {len(counted)} of {len(things)} things count; " + ", ".join(f"{t} {tags[t]}" for t in TAGS)


def main() -> None:
    """Parse the command line and make the scenes."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "out", type=Path, nargs="?", help="folder that receives one folder a scene (default: the cache)"
    )
    parser.add_argument("--seeds", type=seeds, default=[1, 2, 3, 4, 5], help="like 1-5,9 (default 1-5)")
    parser.add_argument("--kind", default="room", choices=(*KINDS, "both"), help="a room, or a table of small things")
    parser.add_argument("--noise", choices=tuple(LEVELS), help="of sensor and poses (default middle)")
    parser.add_argument(
        "--furniture", choices=(CATALOGUE, PROCEDURAL), help=f"where the models come from (default {CATALOGUE})"
    )
    parser.add_argument("--width", type=int, default=SceneSpec.width)
    parser.add_argument("--height", type=int, default=SceneSpec.height)
    parser.add_argument("--keyframes", type=int, default=SceneSpec.keyframes, help="every 10th frame of a 30 Hz path")
    parser.add_argument(
        "--jobs", type=positive, default=len(os.sched_getaffinity(0)), help="scenes made at once (default: the cores)"
    )
    args = parser.parse_args()
    plain = args.out is not None and args.furniture is None and args.noise is None
    start = time.perf_counter()
    choices = {"noise": args.noise, "furniture": args.furniture}
    given = {name: choice for name, choice in choices.items() if choice}
    size = {"width": args.width, "height": args.height, "keyframes": args.keyframes}
    kinds = KINDS if args.kind == "both" else (args.kind,)
    specs = [SceneSpec(kind, seed, **given, **size) for kind in kinds for seed in args.seeds]
    for folder in written(specs, args.out, plain, min(args.jobs, len(specs)), Bars(quiet=False)):
        print(described(folder), flush=True)
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()

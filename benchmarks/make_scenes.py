"""Write fresh furnished rooms as ScanNet-style folders: `python -m benchmarks.make_scenes OUT --seeds 1-5`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.rooms import GENERATOR_VERSION
from benchmarks.rooms.capture import pinhole, prepare, shoot
from benchmarks.rooms.folder_writer import write_scene
from benchmarks.rooms.room import KINDS

STRIDE = 10  # only keyframes of the 30 Hz path are rendered


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


def make_scene(
    folder: Path, seed: int, width: int, height: int, keyframes: int, kind: str = "room"
) -> dict[str, object]:
    """Write the scene of `seed` and return its summary (also written as scene.json)."""
    run = prepare(seed, keyframes * STRIDE, kind)
    camera = pinhole(width, height)
    truth = write_scene(folder, camera, shoot(run, camera, keyframes * STRIDE, STRIDE))
    ids, counts = np.unique(truth.instance, return_counts=True)
    points = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    instances = [{"id": i, "name": name, "points": points.get(i, 0)} for i, name in run.room.names.items()]
    summary: dict[str, object] = {
        "kind": kind,
        "seed": seed,
        "generator_version": GENERATOR_VERSION,
        "instances": instances,
    }
    (folder / "scene.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def main() -> None:
    """Parse the command line and write the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder that receives one folder a seed")
    parser.add_argument("--seeds", type=seeds, default=[1, 2, 3, 4, 5], help="like 1-5,9 (default 1-5)")
    parser.add_argument("--kind", default="room", choices=tuple(KINDS), help="a room, or a table full of small things")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--keyframes", type=int, default=40, help="every 10th frame of a 30 Hz path")
    args = parser.parse_args()
    for seed in args.seeds:
        start = time.perf_counter()
        folder = args.out / (f"seed{seed}" if args.kind == "room" else f"{args.kind}{seed}")
        make_scene(folder, seed, args.width, args.height, args.keyframes, args.kind)
        truth = np.load(folder / "scene_gt.npz")
        things = len(np.unique(truth["instance"][truth["thing"]]))
        print(f"{folder}: {things} things, {len(truth['xyz'])} points, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""What the superpoints allow, and what the pipeline reaches with a perfect tracker: `python -m benchmarks.oracle`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from any3dis_ros.config import Config
from any3dis_ros.objects.evaluation import evaluate_instances, evaluate_scenes
from any3dis_ros.objects.overlap import overlap, superpoint_bound
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.mapping import Scene
from benchmarks import scenes, tables
from benchmarks.groups import LEAST
from benchmarks.prepared import CLOUDS, prepare
from benchmarks.scenes import BenchmarkScene
from benchmarks.simulated_tracks import SimulatedTracker


def measure(scene: BenchmarkScene, cloud: str, config: Config) -> dict[str, object]:
    """Return AP50 and AP of the superpoint bound and of perfect tracks, and how many proposals merging leaves.

    Proposals and things of every size are counted for `proposals_per_thing`, those that the evaluation counts for
    `counted_per_thing`; floor and walls give proposals too.
    """
    prepared, truth = prepare(scene, cloud, config), scene.truth
    mapped = Scene(scene.frames, prepared.cloud, prepared.superpoint)
    instances = segment(mapped, SimulatedTracker(scene, "perfect"), config)
    best = superpoint_bound(prepared.truth_superpoint, truth.instance, truth.valid_ids)
    bound = evaluate_scenes([overlap(best, np.ones(len(best)), truth.instance, truth.valid_ids)])
    reached = evaluate_instances(instances, truth)["own"]
    return {
        "scene": scene.name,
        "cloud": cloud,
        "superpoints": len(prepared.size),
        "things": len(bound.objects),
        "bound_ap50": bound.ap50,
        "bound_ap": bound.ap,
        "perfect_ap50": reached.ap50,
        "perfect_ap": reached.ap,
        "of_bound": reached.ap50 / bound.ap50,
        "proposals_per_thing": len(instances.scores) / len(truth.valid_ids),
        "counted_per_thing": reached.count / len(bound.objects),
    }


def with_means(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Append, for each cloud, the mean over the scenes."""
    out = list(rows)
    for cloud in dict.fromkeys(r["cloud"] for r in rows):
        own = [r for r in rows if r["cloud"] == cloud]
        mean: dict[str, object] = {"scene": "mean", "cloud": cloud}
        for name in list(own[0])[2:]:
            mean[name] = float(np.mean([float(str(r[name])) for r in own]))
        mean["of_bound"] = float(str(mean["perfect_ap50"])) / float(str(mean["bound_ap50"]))
        out.append(mean)
    return out


def main() -> None:
    """Measure and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", default=list(scenes.STANDARD), help="names or folders")
    parser.add_argument("--clouds", nargs="+", default=list(CLOUDS), choices=CLOUDS)
    parser.add_argument("--name", default="oracle", help="of the files that keep the table")
    parser.add_argument("--output", type=Path, default=tables.RESULTS, help="folder that keeps them")
    args = parser.parse_args()
    loaded = [scenes.load(name) for name in args.scenes]
    rows = with_means([measure(scene, cloud, Config()) for cloud in args.clouds for scene in loaded])
    body = [[tables.cell(name, v) for name, v in r.items()] for r in rows]
    facts = {
        "scenes": ", ".join(scenes.describe(name).origin for name in args.scenes),
        "evaluation": f"ScanNet's AP, class-agnostic, IoU 0.50:0.05:0.95; things of at least {LEAST} points",
    }
    text = f"## Superpoint bound and perfect tracks\n\n{tables.markdown(list(rows[0]), body)}"
    tables.keep(args.name, text, rows, args.output, facts)


if __name__ == "__main__":
    main()

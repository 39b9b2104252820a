"""The geometric engine with defaults against ground truth: `python -m benchmarks.accuracy [SCENE ...]`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.objects.evaluation import evaluate_instances
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.mapping import Scene
from any3dis_ros.tracking.geometric import GeometricTracker
from benchmarks import scenes, tables
from benchmarks.prepared import CLOUDS, make_cloud
from benchmarks.scenes import BenchmarkScene

METRICS = ("ap50", "ap25", "ap", "rc50", "rc25", "rc")


def measure(scene: BenchmarkScene, cloud: str, config: Config) -> dict[str, object]:
    """Return AP and recall of one scene with own and with constant confidence, and the seconds that it took."""
    start = time.perf_counter()
    mapped = Scene(scene.frames, make_cloud(scene, cloud, config))
    fused = time.perf_counter()
    instances = segment(mapped, GeometricTracker(config.tracker.geometric), config)
    end = time.perf_counter()
    by_confidence = evaluate_instances(instances, scene.truth)
    own = by_confidence["own"]
    return {
        "scene": scene.name,
        "cloud": cloud,
        **{name: getattr(own, name) for name in METRICS},
        "ap50_constant": by_confidence["constant"].ap50,
        "precision50": own.precision50,
        "things": len(own.objects),
        "proposals": own.count,
        "fusion_s": fused - start,
        "segment_s": end - fused,
    }


def with_mean(rows: Sequence[dict[str, object]], cloud: str) -> list[dict[str, object]]:
    """Append the mean over the scenes that have ground truth for all their objects."""
    mean = {name: float(np.mean([float(str(r[name])) for r in rows])) for name in list(rows[0])[2:]}
    return [*rows, {"scene": "mean", "cloud": cloud, **mean}]


def main() -> None:
    """Measure and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", default=list(scenes.RENDERED), help="names or folders")
    parser.add_argument("--clouds", nargs="+", default=["fused"], choices=CLOUDS)
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    config = Config()
    rows: list[dict[str, object]] = []
    loaded = [scenes.load(name) for name in args.scenes]
    for cloud in args.clouds:
        found = [measure(scene, cloud, config) for scene in loaded]
        rows += with_mean(found, cloud) if len(found) > 1 else found
    body = [[tables.cell(name, v) for name, v in r.items()] for r in rows]
    title = (
        f"## Geometric engine, defaults\n\nPercent; things of at least {EvaluationConfig().min_points} points; "
        "scored on the points of the ground truth; AP and RC over IoU 0.50:0.05:0.95."
    )
    tables.keep("accuracy", f"{title}\n\n{tables.markdown(list(rows[0]), body)}", rows, args.output)


if __name__ == "__main__":
    main()

"""Every refinement strategy with every merging, on the same simulated tracks: `python -m benchmarks.ablation`.

Tracks are simulated, lifted and counted once per scene, cloud, level and replicate; each strategy refines the same
counts. A replicate's AP is pooled over the scenes; tables give the mean over replicates.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from any3dis_ros.config import Config, EvaluationConfig, MergingConfig
from any3dis_ros.objects.evaluation import evaluate_scenes
from any3dis_ros.objects.overlap import SceneOverlap
from any3dis_ros.pipeline import propose, to_proposal
from any3dis_ros.progress import Clock, silent
from any3dis_ros.proposals.lifting import Counts
from any3dis_ros.proposals.merging import Proposal, judge, membership, overlap, rank
from any3dis_ros.proposals.refinement import STRATEGIES
from any3dis_ros.scene.frames import viewing_distance
from any3dis_ros.tracking.base import MaskTracker
from any3dis_ros.tracking.following import MaskTrack
from benchmarks import scenes, tables
from benchmarks.prepared import CLOUDS, Prepared, prepare
from benchmarks.simulated_tracks import SimulatedTracker

LEVELS = ("mild", "harsh")


def mergings(default: MergingConfig) -> dict[str, MergingConfig]:
    """Return the variants of merging by name, each with one thing more than the one before."""
    off = dataclasses.replace(default, duplicate_iou=1.0, containment=1.0)
    return {
        "none": off,
        "duplicates": dataclasses.replace(off, duplicate_iou=default.duplicate_iou),
        "duplicates and parts": default,
    }


@dataclass(frozen=True)
class Case:
    """One cell of the study, in one replicate."""

    cloud: str
    level: str
    strategy: str
    merging: str
    replicate: int


def track_counts(prepared: Prepared, tracker: MaskTracker, config: Config) -> list[tuple[MaskTrack, Counts]]:
    """Return every track of the pipeline's rounds, lifted; the configured strategy decides what stays free for them."""
    session = tracker.open(prepared.scene.frames)
    found = propose(session, tracker.policy, prepared.views, config, silent, Clock())
    pool = [(track, counts) for track, counts, _ in found]
    session.close()
    return pool


def merged(proposals: Sequence[Proposal], prepared: Prepared, learnt: bool, config: MergingConfig) -> SceneOverlap:
    """Return how the proposals that merging keeps overlap the things."""
    shared = overlap(proposals, prepared.size)
    distance = viewing_distance(prepared.scene.frames)
    confidences = judge(proposals, shared, prepared.borders, distance, learnt, config)
    kept = rank(confidences, shared, config)
    masks = membership([proposals[q] for q in kept], len(prepared.size)).toarray().astype(bool)
    return prepared.overlap(masks, confidences[kept])


def study(prepared: Prepared, level: str, replicate: int, config: Config) -> Iterator[tuple[str, str, SceneOverlap]]:
    """Yield (strategy, merging, overlap) for the tracks of one scene."""
    tracker = SimulatedTracker(prepared.scene, level, replicate)
    pool = track_counts(prepared, tracker, config)
    for strategy in STRATEGIES:
        chosen = dataclasses.replace(config, refinement=dataclasses.replace(config.refinement, strategy=strategy))
        proposals = [p for track, counts in pool if (p := to_proposal(track, counts, chosen)) is not None]
        for name, merging in mergings(config.merging).items():
            yield strategy, name, merged(proposals, prepared, tracker.policy.learnt_objectness, merging)


def run(
    names: Sequence[str], replicates: int, clouds: Sequence[str], levels: Sequence[str], config: Config
) -> dict[Case, list[SceneOverlap]]:
    """Return the overlaps of all scenes for every case."""
    found: dict[Case, list[SceneOverlap]] = defaultdict(list)
    for scene in map(scenes.load, names):
        for cloud in clouds:
            prepared = prepare(scene, cloud, config)
            for level in levels:
                for replicate in range(replicates):
                    for strategy, merging, reached in study(prepared, level, replicate, config):
                        found[Case(cloud, level, strategy, merging, replicate)].append(reached)
    return found


def scored(found: dict[Case, list[SceneOverlap]]) -> list[dict[str, object]]:
    """Return one row of metrics for each case and confidence."""
    rows: list[dict[str, object]] = []
    for case, overlaps in found.items():
        for confidence in ("own", "constant"):
            e = evaluate_scenes(overlaps, EvaluationConfig(confidence=confidence))
            metrics = {"ap": e.ap, "ap50": e.ap50, "ap25": e.ap25, "rc50": e.rc50, "precision50": e.precision50}
            rounded = {k: round(v, 4) for k, v in metrics.items()}
            rows.append({**dataclasses.asdict(case), "confidence": confidence, **rounded, "proposals": e.count})
    return rows


def report(rows: Sequence[dict[str, object]], config: Config) -> str:
    """Return one table for each cloud and level, and the ranking over all of them."""
    cells: dict[tuple[object, ...], list[tuple[float, float]]] = defaultdict(list)
    for r in rows:
        key = (r["cloud"], r["level"], r["strategy"], r["merging"], r["confidence"])
        cells[key].append((float(str(r["ap50"])), float(str(r["ap"]))))
    mean = {key: 100 * np.mean(values, axis=0) for key, values in cells.items()}
    settings = list(dict.fromkeys((key[0], key[1]) for key in cells))
    columns = list(dict.fromkeys(key[3:] for key in cells))
    head = ["strategy", *(f"{merging}, {confidence}" for merging, confidence in columns)]
    parts = []
    for setting in settings:
        body = []
        for strategy in STRATEGIES:
            values = [mean[(*setting, strategy, *column)] for column in columns]
            body.append([strategy, *(f"{v[0]:.1f} / {v[1]:.1f}" for v in values)])
        parts.append(f"### {setting[1]} tracks, {setting[0]} cloud\n\n{tables.markdown(head, body)}")
    variants = list(dict.fromkeys(key[2:] for key in cells))
    overall = {v: np.array([mean[(*setting, *v)] for setting in settings]) for v in variants}
    order = sorted(variants, key=lambda v: -float(overall[v].mean()))
    own = (config.refinement.strategy, "duplicates and parts", config.merging.confidence)
    body = [
        [str(i + 1), ", ".join(map(str, v)) + (" (default)" if v == own else ""), f"{m[0]:.1f}", f"{m[1]:.1f}"]
        for i, v in enumerate(order)
        for m in [overall[v].mean(0)]
        if i < 10 or v == own
    ]
    ranking = tables.markdown(["rank", "strategy, merging, confidence", "AP50", "AP"], body)
    return "\n\n".join([*parts, f"### Mean over these tables, best of AP50 + AP first\n\n{ranking}"])


def main() -> None:
    """Run the study and keep its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=list(scenes.RENDERED), help="names or folders")
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--clouds", nargs="+", default=list(CLOUDS), choices=CLOUDS)
    parser.add_argument("--levels", nargs="+", default=list(LEVELS), choices=LEVELS)
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    config = Config()
    rows = scored(run(args.scenes, args.replicates, args.clouds, args.levels, config))
    title = (
        f"## Refinement × merging on simulated tracks, AP50 / AP in percent\n\n{', '.join(args.scenes)}; "
        f"{args.replicates} replicates; things of at least {EvaluationConfig().min_points} points; "
        "AP over IoU 0.50:0.05:0.95."
    )
    tables.keep("ablation", f"{title}\n\n{report(rows, config)}", rows, args.output)


if __name__ == "__main__":
    main()

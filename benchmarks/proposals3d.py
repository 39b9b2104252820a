"""A supervised network's 3D proposals beside the tracked ones, each alone and both: `python -m benchmarks.proposals3d`.

The network is simulated (`simulated_network.py`); tracks are simulated, or the geometric engine's, and superpoints stay
whole. A replicate's AP is pooled over the scenes; tables give the mean over replicates.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.objects.evaluation import evaluate_scenes
from any3dis_ros.objects.overlap import SceneOverlap
from any3dis_ros.objects.overlap import overlap as overlap_points
from any3dis_ros.pipeline import propose
from any3dis_ros.progress import Clock, silent
from any3dis_ros.proposals.consensus import weigh
from any3dis_ros.proposals.merging import Proposal, Region, overlap, rank
from any3dis_ros.proposals.network import covered, snap, trust
from any3dis_ros.scene.network_masks import NetworkMasks
from any3dis_ros.tracking.base import MaskTracker
from benchmarks import scenes, study, tables
from benchmarks.engines import make_engine
from benchmarks.prepared import CLOUDS, Prepared, prepare
from benchmarks.simulated_network import LEVELS, simulate

TRACKERS = ("mild", "harsh", "geometric")
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
METRICS = ("ap50", "ap25", "ap", "rc50", "precision50")


@dataclass(frozen=True)
class Case:
    """One row of a table, in one replicate."""

    network: str
    tracker: str
    proposals: str
    replicate: int


Found = dict[Case, list[tuple[SceneOverlap, int]]]


def tracked(
    prepared: Prepared, tracker: MaskTracker, config: Config, free: NDArray[np.bool_] | None = None
) -> tuple[list[Proposal], NDArray[np.float64], int]:
    """Return the proposals tracked from free superpoints (L bool, None = all), their confidence, number of tracks."""
    session = tracker.open(prepared.scene.frames)
    all_tracks = [p for _, _, p in propose(session, tracker.policy, prepared.views, config, silent, Clock(), free)]
    session.close()
    found = [p for p in all_tracks if p is not None]
    weighed = weigh(found, prepared.size, prepared.shapes, tracker.policy.learnt_objectness, config.merging)
    return *weighed, len(all_tracks)


def ranked(
    prepared: Prepared, regions: Sequence[Region], confidences: NDArray[np.float64], config: Config
) -> SceneOverlap:
    """Return how what merging keeps overlaps the things."""
    return study.ranked(prepared, regions, confidences, overlap(regions, prepared.size), config.merging)


def on_points(prepared: Prepared, masks: NetworkMasks, config: Config) -> SceneOverlap:
    """Return the same for the masks as they are, without superpoints; the map is the ground truth's own cloud."""
    member = masks.member.astype(np.int64)
    kept = rank(masks.scores, sparse.csr_matrix(member @ member.T), config.merging)
    truth = prepared.scene.truth
    return overlap_points(member[kept].toarray().astype(bool), masks.scores[kept], truth.instance, truth.valid_ids)


def together(
    prepared: Prepared, kind: str, config: Config, replicates: int
) -> Iterator[tuple[Case, SceneOverlap, int]]:
    """Yield each kind of proposals alone, and both: ranked alike, one kind first, seeds only where no network's is."""
    tracker = make_engine(kind if kind == "geometric" else f"simulated-{kind}", prepared.scene, config)
    own, evidence, tracks = tracked(prepared, tracker, config)
    for level in LEVELS:
        for replicate in range(replicates):
            masks = simulate(prepared.scene.name, prepared.cloud.points, prepared.scene.truth, level, replicate)
            seen = prepared.views.seen
            given = snap(masks, prepared.cloud.points, prepared.superpoint, seen, config.network)
            scores = trust(given, config.merging)

            def case(name: str, level: str = level, replicate: int = replicate) -> Case:
                return Case(level, kind, name, replicate)

            yield case("tracked"), ranked(prepared, own, evidence, config), tracks
            yield case("network"), ranked(prepared, given, scores, config), 0
            for name, first in (("both", 0), ("both, the network's first", 1), ("both, the tracked first", -1)):
                confidences = np.concatenate([evidence - min(first, 0), scores + max(first, 0)])
                yield case(name), ranked(prepared, [*own, *given], confidences, config), tracks
            free = ~covered(given, len(prepared.size))
            rest, confidence, fewer = tracked(prepared, tracker, config, free)
            confidences = np.concatenate([confidence, scores])
            yield case("both, covered not seeded"), ranked(prepared, [*rest, *given], confidences, config), fewer


def snapped(prepared: Prepared, kind: str, config: Config, replicates: int) -> Iterator[tuple[Case, SceneOverlap, int]]:
    """Yield the network's proposals for each coverage from which a superpoint is taken, and as they are."""
    for level in LEVELS:
        for replicate in range(replicates):
            masks = simulate(prepared.scene.name, prepared.cloud.points, prepared.scene.truth, level, replicate)
            if kind == "exact":
                yield Case(level, kind, "as they are", replicate), on_points(prepared, masks, config), 0
            for coverage in COVERAGES:
                chosen = dataclasses.replace(config.network, coverage=coverage)
                given = snap(masks, prepared.cloud.points, prepared.superpoint, prepared.views.seen, chosen)
                reached = ranked(prepared, given, trust(given, config.merging), config)
                yield Case(level, kind, f"coverage {coverage}", replicate), reached, 0


def rows(found: Found) -> list[dict[str, object]]:
    """Return the mean over replicates of each case's metrics, and its number of tracks."""
    measured: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for case, reached in found.items():
        e = evaluate_scenes([scene for scene, _ in reached], EvaluationConfig())
        values = [*(float(getattr(e, m)) for m in METRICS), float(sum(tracks for _, tracks in reached))]
        measured[case.network, case.tracker, case.proposals].append(values)
    out: list[dict[str, object]] = []
    for (network, tracker, proposals), of_replicates in measured.items():
        mean = np.mean(of_replicates, axis=0)
        metrics = {m: float(v) for m, v in zip(METRICS, mean, strict=False)}
        out.append({"network": network, "tracker": tracker, "proposals": proposals, **metrics, "tracks": int(mean[-1])})
    return out


def main() -> None:
    """Measure and keep the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", default=list(scenes.STANDARD), help="names or folders")
    parser.add_argument("--tracker", default="mild", choices=TRACKERS, help="simulated tracks, or the geometric engine")
    parser.add_argument("--cloud", default="fused", choices=CLOUDS)
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--snapping", action="store_true", help="measure how masks come onto superpoints instead")
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    config = Config()
    found: Found = defaultdict(list)
    measured, kind = (snapped, args.cloud) if args.snapping else (together, args.tracker)
    for scene in map(scenes.load, args.scenes):
        prepared = prepare(scene, args.cloud, config)
        for case, reached, tracks in measured(prepared, kind, config, args.replicates):
            found[case].append((reached, tracks))
    table = rows(found)
    body = [[tables.cell(name, v) for name, v in r.items()] for r in table]
    what = "A network's masks on superpoints" if args.snapping else f"A network's 3D proposals and tracked ones, {kind}"
    title = (
        f"## {what}\n\n{', '.join(dict.fromkeys(Path(s).name for s in args.scenes))}; {args.cloud} cloud; "
        f"{args.replicates} replicates; percent; things of at least {EvaluationConfig().min_points} points."
    )
    name = f"proposals3d_{'snapping_' if args.snapping else ''}{kind}"
    stated = {"scenes": ", ".join(scenes.describe(s).origin for s in args.scenes)}
    tables.keep(name, f"{title}\n\n{tables.markdown(list(table[0]), body)}", table, args.output, stated)


if __name__ == "__main__":
    main()

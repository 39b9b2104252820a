"""Fit the learnt objectness to generated rooms and tables.

    python -m benchmarks.fit_objectness {room,tabletop}{101..124}-middle --check room32 tabletop31

Runs the geometric engine over the scenes, measures every raw proposal as `proposals/objectness.py` does, and fits
gradient-boosted trees to "overlaps one instance of the ground truth by more than half". Findings weigh the same,
however many proposals repeat them: small things have few seeds. Prints the AP of scenes that were held out, by kind,
and writes `any3dis_ros/proposals/objectness.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import GradientBoostingClassifier
from tqdm import tqdm

from any3dis_ros.config import Config
from any3dis_ros.objects.evaluation import evaluate_scenes
from any3dis_ros.objects.overlap import SceneOverlap, overlap_superpoints
from any3dis_ros.pipeline import propose
from any3dis_ros.progress import Clock, silent
from any3dis_ros.proposals.evidence import confidence, corroboration
from any3dis_ros.proposals.merging import membership, overlap, rank
from any3dis_ros.proposals.objectness import FEATURES, Trees, blended, measure
from any3dis_ros.tracking.engines import make_tracker
from benchmarks import scenes
from benchmarks.prepared import prepare

OUT = Path(__file__).parents[1] / "any3dis_ros" / "proposals" / "objectness.json"
TREES, LEAVES, RATE = 150, 64, 0.07
FOLDS = 4


@dataclass(frozen=True)
class Room:
    """What one scene teaches: its proposals' features, evidence and overlap with each other and the ground truth."""

    name: str
    shared: sparse.csr_matrix
    features: NDArray[np.float32]
    by_evidence: NDArray[np.float64]
    things: SceneOverlap
    whole: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def overlap_of(self, kept: list[int], scores: NDArray[np.float64]) -> SceneOverlap:
        """Return the overlap of chosen proposals with the ground truth."""
        t = self.things
        return dataclasses.replace(
            t, scores=scores, intersection=t.intersection[kept], predicted=t.predicted[kept], void=t.void[kept]
        )


def learn_from(folder: str | Path) -> Room:
    """Run the pipeline up to the raw proposals and compare them with the ground truth."""
    config = Config()
    scene = prepare(scenes.load(folder), "fused", config)
    frames, truth = scene.scene.frames, scene.scene.truth
    tracker = make_tracker(config.tracker)
    session = tracker.open(frames)
    tracked = propose(session, tracker.policy, scene.views, config, silent, Clock())
    proposals = [p for _, _, p in tracked if p is not None]
    session.close()
    size = scene.size
    shared, member = overlap(proposals, size), membership(proposals, len(size))
    points = np.array([size[p.superpoints].sum() for p in proposals])
    evidence = [p.evidence for p in proposals]
    features = measure(evidence, member, shared, points, scene.shapes)
    by_evidence = confidence(evidence, corroboration(evidence, shared, points), [e.agreement for e in evidence])
    masks = member.toarray().astype(bool)
    things = scene.overlap(masks, by_evidence.astype(np.float32))
    every_id = np.unique(truth.instance[truth.instance > 0])
    everything = overlap_superpoints(masks, by_evidence, scene.truth_superpoint, truth.instance, every_id)
    pairs = shared.tocoo()
    repeats = pairs.data >= 0.5 * (points[pairs.row] + points[pairs.col] - pairs.data)
    weight = 1 / np.bincount(pairs.row[repeats], minlength=len(points))
    return Room(scene.scene.name, shared, features, by_evidence, things, everything.iou.max(1) > 0.5, weight)


def fit(rooms: list[Room]) -> Trees:
    """Fit the ensemble to rooms."""
    x = np.concatenate([r.features for r in rooms])
    y = np.concatenate([r.whole for r in rooms])
    weight = np.concatenate([r.weight for r in rooms])
    weight /= weight.mean()
    model = GradientBoostingClassifier(
        n_estimators=TREES, learning_rate=RATE, max_depth=None, max_leaf_nodes=LEAVES, min_samples_leaf=200,
        subsample=0.5, max_features=0.2, random_state=0,
    ).fit(x, y, weight)  # fmt: skip
    share = np.average(y, weights=weight)
    trees = [t.tree_ for t in model.estimators_[:, 0]]
    size = max(t.node_count for t in trees)

    def table(name: str, scale: float = 1.0, fill: float = 0.0) -> NDArray[np.float64]:
        out = np.full((len(trees), size), fill)
        for row, tree in zip(out, trees, strict=True):
            row[: tree.node_count] = np.ravel(getattr(tree, name)) * scale
        return out

    feature = np.where(table("children_left") < 0, -1, table("feature", fill=-1)).astype(np.int64)
    feature[np.arange(size) >= np.array([t.node_count for t in trees])[:, None]] = -1
    return Trees(
        feature=feature,
        threshold=table("threshold").round(5),
        left=np.maximum(table("children_left"), 0).astype(np.int64),
        right=np.maximum(table("children_right"), 0).astype(np.int64),
        value=table("value", RATE).round(5),
        prior=round(float(np.log(share / (1 - share))), 5),
    )


def scores(room: Room, trees: Trees) -> list[float]:
    """Return AP50 and AP25, percent, by evidence alone, by the trees alone, and by both, under the default merging."""
    learnt = trees.probability(room.features)
    out = []
    for confidences in (room.by_evidence, learnt, blended(room.by_evidence, learnt)):
        kept = rank(confidences, room.shared, Config().merging)
        e = evaluate_scenes([room.overlap_of(kept, confidences[kept])])
        out += [100 * e.ap50, 100 * e.ap25]
    return out


def table(name: str, row: list[float]) -> str:
    """Return one line of AP50/AP25 by evidence, trees and both."""
    a, b, c = (f"{row[i]:.1f}/{row[i + 1]:.1f}" for i in (0, 2, 4))
    return f"{name:<24} evidence {a}   trees {b}   both {c}"


def main() -> None:
    """Fit, report and write."""
    parser = argparse.ArgumentParser(description="Fit the learnt objectness to generated rooms and tables.")
    parser.add_argument("rooms", nargs="+", help="generated scenes, names or folders")
    parser.add_argument("--check", nargs="*", default=[], help="other scenes: scored with the trees, not fitted on")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        rooms = list(tqdm(pool.map(learn_from, options.rooms), total=len(options.rooms), desc="rooms"))
        checks = list(pool.map(learn_from, options.check))
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for fold in range(FOLDS):
        trees = fit([r for i, r in enumerate(rooms) if i % FOLDS != fold])
        for room in rooms[fold::FOLDS]:
            rows[re.sub(r"\d+", "", room.name)].append(scores(room, trees))
    for kind, own in rows.items():
        print(table(f"{len(own)} held out: {kind}", np.mean(own, axis=0).tolist()))
    trees = fit(rooms)
    for room in checks:
        print(table(room.name, scores(room, trees)))
    told = {"features": FEATURES, "rooms": [r.name for r in rooms], "prior": trees.prior}
    arrays = {name: getattr(trees, name).tolist() for name in ("feature", "threshold", "left", "right", "value")}
    options.out.write_text(json.dumps({**told, **arrays}) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()

"""Fit the learnt objectness to generated rooms and tables.

    python -m benchmarks.fit_objectness {room,tabletop}{101..124}-middle --check room32 tabletop31

Runs the geometric engine over the scenes, measures every raw proposal as `proposals/objectness.py` does, and fits
gradient-boosted trees to "overlaps one instance of the ground truth by more than half". What these say of scenes that
they were not fitted on tells how each proposal stands among its rivals (`proposals/standing.py`), and a second ensemble
is fitted to "is about the best that overlaps an instance so". Findings weigh the same, however many proposals repeat
them: small things have few seeds. Prints the AP of scenes that were held out, by kind, and writes `objectness.json` and
`standing.json` in `any3dis_ros/proposals`.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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
from any3dis_ros.proposals.merging import membership, overlap, rank
from any3dis_ros.proposals.objectness import AMONG, FEATURES, among, blended, measure
from any3dis_ros.proposals.trees import Trees
from any3dis_ros.tracking.engines import make_tracker
from benchmarks import scenes
from benchmarks.prepared import prepare

OUT = Path(__file__).parents[1] / "any3dis_ros" / "proposals"
TREES, LEAVES, LEAST, RATE = 150, 64, 200, 0.07
FOLDS = 4
NEARLY = 0.8  # of the best IoU with an instance: which of those equally good is on top does not matter
T = TypeVar("T")


@dataclass(frozen=True)
class Room:
    """What one scene teaches: its proposals' features, evidence and overlap with each other and the ground truth.

    Attributes:
        whole: which overlap an instance by more than half.
        best: which of these do by nearly as much as any.
        weight: one over the number of those alike.
    """

    name: str
    shared: sparse.csr_matrix
    features: NDArray[np.float32]
    by_evidence: NDArray[np.float64]
    things: SceneOverlap
    whole: NDArray[np.bool_]
    best: NDArray[np.bool_]
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
    features, by_evidence = measure(evidence, member, shared, points, scene.shapes)
    masks = member.toarray().astype(bool)
    things = scene.overlap(masks, by_evidence.astype(np.float32))
    every_id = np.unique(truth.instance[truth.instance > 0])
    iou = overlap_superpoints(masks, by_evidence, scene.truth_superpoint, truth.instance, every_id).iou
    pairs = shared.tocoo()
    repeats = pairs.data >= 0.5 * (points[pairs.row] + points[pairs.col] - pairs.data)
    weight = 1 / np.bincount(pairs.row[repeats], minlength=len(points))
    whole, best = iou.max(1) > 0.5, ((iou > 0.5) & (iou >= NEARLY * iou.max(0))).max(1)
    return Room(scene.scene.name, shared, features, by_evidence, things, whole, best, weight)


def fit_alone(rooms: list[Room]) -> Trees:
    """Fit the first ensemble to rooms."""
    return fit([r.features for r in rooms], [r.whole for r in rooms], [r.weight for r in rooms])


def fit_among(rooms: list[Room], alone: list[NDArray[np.float64]]) -> Trees:
    """Fit the second to rooms and what the first says of each, which was not fitted on it."""
    x = [among(room.features, room.shared, p) for room, p in zip(rooms, alone, strict=True)]
    return fit(x, [r.best for r in rooms], [r.weight for r in rooms])


def fit(x_of: list[NDArray[np.float32]], y_of: list[NDArray[np.bool_]], weights: list[NDArray[np.float64]]) -> Trees:
    """Fit an ensemble to the proposals of several rooms."""
    x, y, weight = np.concatenate(x_of), np.concatenate(y_of), np.concatenate(weights)
    weight /= weight.mean()
    model = GradientBoostingClassifier(
        n_estimators=TREES, learning_rate=RATE, max_depth=None, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST,
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


def scores(room: Room, alone: NDArray[np.float64], second: Trees) -> list[float]:
    """Return AP50 and AP25, percent, by evidence, by each ensemble, and by evidence and the second together."""
    learnt = second.probability(among(room.features, room.shared, alone))
    out = []
    for confidences in (room.by_evidence, alone, learnt, blended(room.by_evidence, learnt)):
        kept = rank(confidences, room.shared, Config().merging)
        e = evaluate_scenes([room.overlap_of(kept, confidences[kept])])
        out += [100 * e.ap50, 100 * e.ap25]
    return out


def table(name: str, row: list[float]) -> str:
    """Return one line of AP50/AP25 by each."""
    cells = zip(("evidence", "alone", "among others", "with evidence"), row[::2], row[1::2], strict=True)
    return f"{name:<24} " + "   ".join(f"{how} {ap50:.1f}/{ap25:.1f}" for how, ap50, ap25 in cells)


def kind(name: str) -> str:
    """Return a scene's name without its seed."""
    return re.sub(r"\d+", "", name)


def all_but(fold: int, rows: Sequence[T]) -> list[T]:
    """Return the rows of all folds but one; fold -1 = of all."""
    return [row for i, row in enumerate(rows) if i % FOLDS != fold]


def main() -> None:
    """Fit, report and write."""
    parser = argparse.ArgumentParser(description="Fit the learnt objectness to generated rooms and tables.")
    parser.add_argument("rooms", nargs="+", help="generated scenes, names or folders")
    parser.add_argument("--check", nargs="*", default=[], help="other scenes: scored with the trees, not fitted on")
    parser.add_argument("--out", type=Path, default=OUT, help="folder")
    options = parser.parse_args()
    folds = range(-1, FOLDS)
    with ProcessPoolExecutor(2) as pool:
        ordered = sorted(options.rooms, key=kind)  # so that each fold has as many of a kind
        rooms = list(tqdm(pool.map(learn_from, ordered), total=len(ordered), desc="rooms"))
        checks = list(pool.map(learn_from, options.check))
        fits = pool.map(fit_alone, [all_but(fold, rooms) for fold in folds])
        first = list(tqdm(fits, total=len(folds), desc="alone"))
        alone = [first[1 + i % FOLDS].probability(room.features) for i, room in enumerate(rooms)]
        fits = pool.map(fit_among, [all_but(f, rooms) for f in folds], [all_but(f, alone) for f in folds])
        second = list(tqdm(fits, total=len(folds), desc="among others"))
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for i, room in enumerate(rooms):
        rows[kind(room.name)].append(scores(room, alone[i], second[1 + i % FOLDS]))
    for name, own in rows.items():
        print(table(f"{len(own)} held out: {name}", np.mean(own, axis=0).tolist()))
    for room in checks:
        print(table(room.name, scores(room, first[0].probability(room.features), second[0])))
    names = [room.name for room in rooms]
    (options.out / "objectness.json").write_text(first[0].to_json(FEATURES, names))
    (options.out / "standing.json").write_text(second[0].to_json(AMONG, names))
    print(f"wrote objectness.json and standing.json in {options.out}")


if __name__ == "__main__":
    main()

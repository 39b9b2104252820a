"""ScanNet's instance segmentation metrics, class-agnostic: average precision and recall of ranked proposals.

The protocol is that of ScanNet's benchmark (Dai et al. 2017, `evaluate_semantic_instance.py`) with one class:

- a prediction matches an object where IoU > threshold; of several that match, the best-ranked one is the true
  positive and the others are false positives;
- predictions and objects smaller than `min_points` are left out;
- a prediction that matches nothing is a false positive, unless more than the threshold's share of it lies on points
  without an object, or on objects that are left out;
- the precision-recall curve has one point for each distinct confidence and an artificial last one (recall 0,
  precision 1), and is integrated by trapezoids. With one confidence for all, AP = r (1 + p) / 2.

Where a matching depends on the order (IoU 0.25 allows one prediction to match two objects), predictions go by falling
confidence, objects by rising id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import EvaluationConfig
from any3dis_ros.objects.instances import Instances
from any3dis_ros.objects.overlap import (
    Floats,
    GroundTruth,
    Ids,
    Masks,
    SceneOverlap,
    overlap,
    overlap_instances,
    superpoint_bound,
    transfer,
)

__all__ = [
    "THRESHOLDS",
    "Evaluation",
    "GroundTruth",
    "SceneOverlap",
    "evaluate",
    "evaluate_both",
    "evaluate_instances",
    "evaluate_scenes",
    "format_table",
    "overlap",
    "overlap_instances",
    "superpoint_bound",
    "transfer",
]

THRESHOLDS: NDArray[np.float64] = np.array([25, *range(50, 100, 5)]) / 100
"""IoU thresholds: 0.25 alone, then 0.50:0.05:0.95. ScanNet's script and the paper's peers stop at 0.90."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one scene, or of several pooled; fractions 0-1, AP and recall are NaN where there is no object.

    Attributes:
        confidence: "own" or "constant", the ranking that was scored.
        ap_at: T float64, average precision at each of `THRESHOLDS`.
        recall_at: T float64, recall of all proposals.
        precision_at: T float64, precision of all proposals, 0 where none counts.
        objects: G×2 int64, scene index and id of each object that counts.
        best_iou: G float64, IoU of the best proposal for each of those.
        count: proposals that are large enough to count.
    """

    confidence: str
    ap_at: NDArray[np.float64]
    recall_at: NDArray[np.float64]
    precision_at: NDArray[np.float64]
    objects: NDArray[np.int64]
    best_iou: NDArray[np.float64]
    count: int

    @property
    def ap(self) -> float:
        """AP over 0.50:0.05:0.95, ten thresholds."""
        return float(self.ap_at[1:].mean())

    @property
    def ap_to_90(self) -> float:
        """AP over 0.50:0.05:0.90, the peers' nine thresholds."""
        return float(self.ap_at[1:-1].mean())

    @property
    def ap50(self) -> float:
        """AP at IoU 0.50."""
        return float(self.ap_at[1])

    @property
    def ap25(self) -> float:
        """AP at IoU 0.25."""
        return float(self.ap_at[0])

    @property
    def rc(self) -> float:
        """Recall over 0.50:0.05:0.95, ten thresholds."""
        return float(self.recall_at[1:].mean())

    @property
    def rc_to_90(self) -> float:
        """Recall over 0.50:0.05:0.90, the peers' nine thresholds."""
        return float(self.recall_at[1:-1].mean())

    @property
    def rc50(self) -> float:
        """Recall at IoU 0.50."""
        return float(self.recall_at[1])

    @property
    def rc25(self) -> float:
        """Recall at IoU 0.25."""
        return float(self.recall_at[0])

    @property
    def precision50(self) -> float:
        """Precision of all proposals at IoU 0.50."""
        return float(self.precision_at[1])


def evaluate(
    masks: Masks,
    scores: Floats,
    gt: NDArray[np.integer],
    valid_ids: Ids = None,
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Score the proposals of one scene; the first four arguments as for :func:`overlap`."""
    return evaluate_scenes([overlap(masks, scores, gt, valid_ids)], config)


def evaluate_scenes(scenes: Sequence[SceneOverlap], config: EvaluationConfig | None = None) -> Evaluation:
    """Score the proposals of several scenes, pooled into one precision-recall curve as ScanNet does."""
    config = config or EvaluationConfig()
    kept = [_Kept.of(scene, config) for scene in scenes]
    total = sum(int(k.counts.sum()) for k in kept)
    ap, recall, precision = np.zeros((3, len(THRESHOLDS)))
    for i, threshold in enumerate(THRESHOLDS.tolist()):
        detections = [k.detections(threshold) for k in kept]
        true = np.concatenate([np.zeros(0, bool), *(t for t, _ in detections)])
        score = np.concatenate([np.zeros(0), *(s for _, s in detections)])
        ap[i] = _average_precision(true, score, total)
        recall[i] = true.sum() / total if total else np.nan
        precision[i] = true.mean() if len(true) else 0.0
    return Evaluation(
        confidence=config.confidence,
        ap_at=ap,
        recall_at=recall,
        precision_at=precision,
        objects=np.array([(s, g) for s, k in enumerate(kept) for g in k.ids[k.counts]], np.int64).reshape(-1, 2),
        best_iou=np.concatenate([np.zeros(0), *(k.iou[:, k.counts].max(0, initial=0.0) for k in kept)]),
        count=sum(len(k.scores) for k in kept),
    )


def evaluate_instances(
    instances: Instances, truth: GroundTruth, config: EvaluationConfig | None = None
) -> dict[str, Evaluation]:
    """Score the proposals of a segmentation on the points of the ground truth, by own and by constant confidence."""
    config = config or EvaluationConfig()
    return evaluate_both([overlap_instances(instances, truth, config.max_distance_m)], config)


def evaluate_both(scenes: Sequence[SceneOverlap], config: EvaluationConfig | None = None) -> dict[str, Evaluation]:
    """Score scenes pooled as :func:`evaluate_scenes` does, by own and by constant confidence."""
    config = config or EvaluationConfig()
    return {c: evaluate_scenes(scenes, dataclasses.replace(config, confidence=c)) for c in ("own", "constant")}


def format_table(rows: Mapping[str, Evaluation]) -> str:
    """Return a table of percentages, one line a named evaluation, with both threshold ranges."""
    head = (
        "AP50:95",
        "AP50:90",
        "AP50",
        "AP25",
        "RC50:95",
        "RC50:90",
        "RC50",
        "RC25",
        "prec50",
        "proposals",
        "objects",
    )
    width = max([len("confidence"), *map(len, rows)])
    lines = ["  ".join(["confidence".ljust(width), *head])]
    for name, e in rows.items():
        values = (e.ap, e.ap_to_90, e.ap50, e.ap25, e.rc, e.rc_to_90, e.rc50, e.rc25, e.precision50)
        cells = [f"{100 * v:.1f}" for v in values] + [str(e.count), str(len(e.objects))]
        lines.append("  ".join([name.ljust(width), *(c.rjust(len(h)) for c, h in zip(cells, head, strict=True))]))
    lines.append(
        "percent; 50:95 = IoU 0.50:0.05:0.95 (ten thresholds), 50:90 = 0.50:0.05:0.90 (nine, the peers' range)"
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class _Kept:
    """The proposals of a scene that are large enough, best first, and which of its objects count."""

    scores: NDArray[np.float64]
    iou: NDArray[np.float64]
    ignored: NDArray[np.float64]
    ids: NDArray[np.int64]
    counts: NDArray[np.bool_]

    @classmethod
    def of(cls, scene: SceneOverlap, config: EvaluationConfig) -> _Kept:
        scores = scene.scores if config.confidence == "own" else np.ones(len(scene.scores))
        order = np.argsort(-scores, kind="stable")
        order = order[scene.predicted[order] >= config.min_points]
        counts = scene.truth >= config.min_points
        ignored = scene.void[order] + scene.intersection[order][:, ~counts].sum(1)
        return cls(scores[order], scene.iou[order], ignored / scene.predicted[order], scene.ids, counts)

    def detections(self, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return for each detection that counts whether it is true, and its confidence."""
        hit = self.iou > threshold
        free = np.ones(len(self.scores), bool)
        true: list[bool] = []
        proposal: list[int] = []
        for g in np.flatnonzero(self.counts):
            found = np.flatnonzero(hit[:, g] & free)
            if len(found):
                free[found[0]] = False  # the duplicates stay free: they may be the best match of another object
                true += [True] + [False] * (len(found) - 1)
                proposal += found.tolist()
        false = np.flatnonzero(~hit.any(1) & (self.ignored <= threshold))
        index = np.array(proposal + false.tolist(), np.int64)
        return np.array(true + [False] * len(false), bool), self.scores[index]


def _average_precision(true: NDArray[np.bool_], score: NDArray[np.float64], objects: int) -> float:
    """Integrate the precision-recall curve by trapezoids, from its artificial point (recall 0, precision 1)."""
    if not objects:
        return float("nan")
    if not len(true):
        return 0.0
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(order) - 1]  # the last of each distinct confidence
    hits = np.cumsum(true[order])[last]
    precision = np.r_[1.0, hits / (last + 1)]
    recall = np.r_[0.0, hits / objects]
    return float((np.diff(recall) * (precision[1:] + precision[:-1]) / 2).sum())

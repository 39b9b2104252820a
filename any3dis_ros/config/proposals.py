"""From tracks to ranked proposals, round by round."""

from __future__ import annotations

from dataclasses import dataclass

from any3dis_ros.parameters import Section, param


@dataclass(frozen=True)
class RefinementConfig(Section):
    """Lifting (Eq. 3) and mask optimisation (Eq. 4)."""

    strategy: str = param(
        "robust_exact",
        "how a track's superpoints are chosen (Tab. 8 and beyond)",
        choices=("all_lifted", "top_1_views", "top_5_views", "top_10_views", "view_dp", "exact", "iou", "robust_exact"),
    )
    coverage: float = param(0.5, "τ of Eq. 3: share of a superpoint's seen points inside the mask", low=0.0, high=1.0)
    min_seen_points: int = param(3, "points of a superpoint that a view must see to count in Eq. 3", low=1)
    piece_m: float = param(
        0.02,
        "metres; superpoints that badly fitting masks cut through are lifted in pieces of this size, where no learnt "
        "objectness judges; 0 = whole",
        low=0.0,
        high=1.0,
    )
    piece_iou: float = param(
        0.5, "IoU of masks and whole superpoints in the median view, from which these are not cut", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class MergingConfig(Section):
    """From redundant proposals to ranked ones, and to one label a point."""

    consensus_iou: float = param(
        0.4,
        "IoU; where no learnt objectness judges, proposals that overlap by as much vote on their superpoints, 1 = each "
        "keeps its own",
        low=0.0,
        high=1.0,
    )
    duplicate_iou: float = param(
        0.3, "IoU; a proposal overlapping a better one by more is its duplicate", low=0.0, high=1.0
    )
    containment: float = param(
        0.8, "a proposal inside a better one by more is its part, 1 = keep parts", low=0.0, high=1.0
    )
    part_ratio: float = param(
        5.0, "times its part's points; a larger whole leaves it alone (simulated SAM 2, harsh: 4 -7 precision)", low=1.0
    )
    scrap_share: float = param(
        0.1, "of the whole's confidence; a part that reaches less goes, however large the whole", low=0.0, high=1.0
    )
    confidence: str = param(
        "own",
        "own = evidence, with learnt objectness where fitted on the engine; evidence alone; constant = 1 for all",
        choices=("own", "evidence", "constant"),
    )
    min_points: int = param(30, "points; smaller proposals are dropped", low=1)
    min_share: float = param(
        0.08, "of the scene's best confidence; proposals that reach less are dropped, 0 = keep all", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class NetworkConfig(Section):
    """3D proposals of a supervised network, where a file gives them (paper, "3D + SAM2-L" of Tab. 2)."""

    coverage: float = param(
        0.3, "share of a superpoint's points inside a network's mask that takes it", low=0.0, high=1.0
    )
    seed_covered: bool = param(True, "superpoints in a network's proposal are seeds too")
    max_distance_m: float = param(
        0.05, "metres; masks with points of their own reach map points this near to them", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class IterationConfig(Section):
    """Iterative sampling (paper, Sec. 3.2, end), bounded for a robot."""

    max_rounds: int = param(10, "sampling rounds at most", low=1)
    max_seconds: float = param(600.0, "seconds; no new round starts after this", low=1.0)

"""What becomes of the objects: how they keep their ids, are written and are measured."""

from __future__ import annotations

from dataclasses import dataclass

from any3dis_ros.parameters import Section, param


@dataclass(frozen=True)
class AssociationConfig(Section):
    """How an object keeps its id from one run to the next."""

    min_iou: float = param(
        0.25, "overlap in space; an object is an earlier one from here on (ScanNet's weakest match)", low=0.0, high=1.0
    )
    max_objects: int = param(2000, "objects remembered; beyond it, longest not found are forgotten", low=1, high=10000)


@dataclass(frozen=True)
class OutputConfig(Section):
    """Bounds of what is written."""

    scannet_max_mb: float = param(500.0, "megabytes; ScanNet's text masks are left out above it, 0 = never", low=0.0)
    report_points: int = param(200_000, "points drawn in the report; a larger cloud is thinned evenly", low=1000)
    report_keyframes: int = param(24, "keyframes shown in the report, chosen evenly", low=0, high=100)
    report_max_mb: float = param(15.0, "megabytes of report.html; keyframes are coarsened, then left out", low=8.0)


@dataclass(frozen=True)
class EvaluationConfig(Section):
    """ScanNet's protocol, class-agnostic; no part of a segmentation, hence not in Config."""

    min_points: int = param(100, "points; smaller predictions and ground truth are ignored (ScanNet: 100)", low=1)
    confidence: str = param("own", "own = the proposals'; constant = 1 for all (peers)", choices=("own", "constant"))
    max_distance_m: float = param(0.05, "metres; ground truth farther from the predicted cloud is unlabelled", low=0.0)

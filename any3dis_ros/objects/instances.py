"""The result of a segmentation: what every consumer (writer, report, evaluation, node) takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.tracking.masks import PackedMask


@dataclass(frozen=True)
class Box:
    """A box in the map frame, upright: rotated about the map's z axis only (z up, REP-103).

    Attributes:
        center: 3 float64, metres.
        size: 3 float64, metres, full extent along the box's own axes.
        yaw: radians about map z, in (-π/4, π/4].
    """

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    yaw: float

    @property
    def rotation(self) -> NDArray[np.float64]:
        """3×3 float64, box axes in the map frame as columns."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])

    @property
    def corners(self) -> NDArray[np.float64]:
        """8×3 float64, metres, map frame; bit k of the row number picks the sign along axis k."""
        signs = np.array([[(i >> k & 1) * 2 - 1 for k in range(3)] for i in range(8)])
        return np.asarray(self.center + (signs * self.size / 2) @ self.rotation.T)


@dataclass(frozen=True)
class Instance:
    """One object, after every point was given to one instance.

    Attributes:
        id: positive; the value of its points in `Instances.point_ids`.
        score: confidence 0-1.
        points: P int64, indices into `Instances.points`.
        centroid: 3 float64, metres, map frame.
        box: upright oriented box.
        aabb: 2×3 float64, lower and upper corner, metres, map frame.
        best_views: keyframe indices, the clearest view first.
        masks: 2D masks by keyframe index, of those views.
        source: "tracked", or "network" where it is a proposal of a supervised 3D network.
    """

    id: int
    score: float
    points: NDArray[np.int64]
    centroid: NDArray[np.float64]
    box: Box
    aabb: NDArray[np.float64]
    best_views: tuple[int, ...]
    masks: Mapping[int, PackedMask]
    source: str = "tracked"


@dataclass(frozen=True)
class Instances:
    """Ranked proposals over a map cloud, and the labels that follow from them.

    Attributes:
        points: N×3 float32, metres, map frame.
        colors: N×3 uint8, RGB.
        superpoint: N int32, 0..L-1.
        proposals: Q×L bool, superpoints of each proposal, best first; proposals may overlap (for evaluation).
        scores: Q float32, confidence 0-1, not increasing.
        labels: N int32, q + 1 of the instance a point belongs to, 0 = none; one label a point (for the cloud).
        ids: Q int32, positive and distinct: what every output calls each of them. Where not given, rank + 1; of more
            than Q the first are taken, so that the last proposals can be left out.
        best_views: for each proposal, keyframe indices, the clearest view first.
        masks: for each proposal, its 2D masks in those views.
        from_network: Q bool, which proposals are of a supervised 3D network; empty = none.
        statistics: seconds by stage, counts and versions; plain numbers, strings and nested dictionaries of them.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    superpoint: NDArray[np.int32]
    proposals: NDArray[np.bool_]
    scores: NDArray[np.float32]
    labels: NDArray[np.int32]
    ids: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    best_views: tuple[tuple[int, ...], ...] = ()
    masks: tuple[Mapping[int, PackedMask], ...] = ()
    from_network: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    statistics: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.scores)
        ids = self.ids[:count] if len(self.ids) else np.arange(1, count + 1, dtype=np.int32)
        object.__setattr__(self, "ids", ids)

    @classmethod
    def empty(cls) -> Instances:
        """Return no proposals over no points."""
        return cls(
            points=np.zeros((0, 3), np.float32),
            colors=np.zeros((0, 3), np.uint8),
            superpoint=np.zeros(0, np.int32),
            proposals=np.zeros((0, 0), bool),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int32),
        )

    def proposal_points(self, q: int) -> NDArray[np.bool_]:
        """Return the points of proposal `q`, N bool."""
        return np.asarray(self.proposals[q][self.superpoint])

    @property
    def point_ids(self) -> NDArray[np.int32]:
        """N int32, id of the object that each point belongs to, 0 = none."""
        return np.concatenate([[0], self.ids]).astype(np.int32)[self.labels]

    @cached_property
    def instances(self) -> list[Instance]:
        """The objects that own points, best first; their ids have gaps where a proposal owns none."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.searchsorted(self.labels[order], np.arange(len(self.scores) + 2))
        out = []
        for q in range(len(self.scores)):
            index = order[ends[q + 1] : ends[q + 2]]
            if not len(index):
                continue
            xyz = self.points[index].astype(np.float64)
            out.append(
                Instance(
                    id=int(self.ids[q]),
                    score=float(self.scores[q]),
                    points=index,
                    centroid=xyz.mean(0),
                    box=upright_box(xyz),
                    aabb=np.stack([xyz.min(0), xyz.max(0)]),
                    best_views=self.best_views[q] if self.best_views else (),
                    masks=self.masks[q] if self.masks else {},
                    source="network" if len(self.from_network) and self.from_network[q] else "tracked",
                )
            )
        return out


def upright_box(xyz: NDArray[np.float64]) -> Box:
    """Return the smallest box about points (P×3 metres, map frame) that is rotated about z only."""
    low, high = xyz[:, 2].min(), xyz[:, 2].max()
    origin = xyz[:, :2].mean(0)  # float32 inside OpenCV: keep coordinates small
    (x, y), (a, b), degrees = cv2.minAreaRect((xyz[:, :2] - origin).astype(np.float32))
    quarter_turns = int(np.ceil((degrees - 45) / 90))
    if quarter_turns % 2:
        a, b = b, a
    yaw = np.deg2rad(degrees - 90 * quarter_turns)
    center = np.array([x + origin[0], y + origin[1], (low + high) / 2])
    return Box(center, np.array([a, b, high - low]), float(yaw))


def colors_of(ids: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the RGB colours (K×3 uint8) of ids: neighbouring numbers differ, an id has one always, 0 ('none') is grey.

    Args:
        ids: K integers, at least 0.
    """
    number = np.asarray(ids, np.int64)[:, None] - 1
    hue = number * 0.61803398875 % 1.0  # golden ratio: each next hue falls into the widest gap
    saturation, value = (200 - number % 3 * 45) / 255, 240 - number % 2 * 50
    k = (np.array([5, 3, 1]) + 6 * hue) % 6  # HSV to RGB
    rgb = value * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1))
    return np.where(number < 0, 110, rgb.round()).astype(np.uint8)

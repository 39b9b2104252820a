"""A scene carried through the stages before tracking, once, so that many trackers and settings share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import SceneOverlap, overlap_superpoints, superpoint_bound, transfer
from any3dis_ros.scene.mapping import MapCloud, fuse
from any3dis_ros.scene.superpoints import centroids, compute_superpoints
from any3dis_ros.scene.visibility import Visibility, compute_visibility
from benchmarks.scenes import BenchmarkScene

CLOUDS = ("exact", "fused")


@dataclass(frozen=True)
class Prepared:
    """What the pipeline knows of a scene when it opens its tracker, with the way back to the ground truth.

    Attributes:
        scene: keyframes and ground truth.
        cloud: the map.
        superpoint: N int32, superpoint of each map point.
        centroid: L×3 float64, metres, map frame.
        visible: visible map points by keyframe.
        seen: T×L int32, visible points of each superpoint.
        truth_superpoint: M int64, superpoint of the map point nearest to each true point, -1 = none near.
    """

    scene: BenchmarkScene
    cloud: MapCloud
    superpoint: NDArray[np.int32]
    centroid: NDArray[np.float64]
    visible: Visibility
    seen: NDArray[np.int32]
    truth_superpoint: NDArray[np.int64]

    @property
    def size(self) -> NDArray[np.int64]:
        """L int64, points of each superpoint."""
        return self.visible.size

    def overlap(self, proposals: NDArray[np.bool_], scores: NDArray[np.float32]) -> SceneOverlap:
        """Return how proposals (Q×L bool) overlap the things of the ground truth."""
        truth = self.scene.truth
        return overlap_superpoints(proposals, scores, self.truth_superpoint, truth.instance, truth.things)

    def bound(self) -> SceneOverlap:
        """Return the overlap of the best proposals that these superpoints allow."""
        truth = self.scene.truth
        masks = superpoint_bound(self.truth_superpoint, truth.instance, truth.things)
        owned = [np.bincount(self.truth_superpoint[m], minlength=len(self.size)) > 0 for m in masks]
        return self.overlap(np.array(owned, bool).reshape(-1, len(self.size)), np.ones(len(owned), np.float32))


def make_cloud(scene: BenchmarkScene, kind: str, config: Config) -> MapCloud:
    """Return the ground truth's own points ("exact"), or the keyframes' depth fused with all its noise ("fused")."""
    if kind not in CLOUDS:
        raise InputError(f"cloud '{kind}' is unknown; expected one of {', '.join(CLOUDS)}")
    return scene.truth.cloud if kind == "exact" else fuse(scene.frames, config.map)


def truth_index(cloud: MapCloud, kind: str, scene: BenchmarkScene) -> NDArray[np.int64]:
    """Return the map point that stands for each point of the ground truth, -1 = none near; M int64."""
    if kind == "exact":
        return np.arange(len(cloud))
    return transfer(cloud.points, scene.truth.points, EvaluationConfig().max_distance_m)


def prepare(scene: BenchmarkScene, kind: str, config: Config) -> Prepared:
    """Run the stages before tracking on the exact or on the fused cloud."""
    cloud = make_cloud(scene, kind, config)
    viewpoints = np.stack([f.T_map_camera[:3, 3] for f in scene.frames])
    superpoint = compute_superpoints(cloud, config.superpoints, viewpoints)
    visible = compute_visibility(cloud.points, superpoint, scene.frames, config.visibility)
    nearest = truth_index(cloud, kind, scene)
    truth_superpoint = np.where(nearest >= 0, superpoint[nearest], -1).astype(np.int64)
    centroid, _ = centroids(cloud.points, superpoint)
    return Prepared(scene, cloud, superpoint, centroid, visible, visible.seen(), truth_superpoint)

"""A scene carried through the stages before tracking, once, so that many trackers and settings share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import SceneOverlap, overlap_superpoints, transfer
from any3dis_ros.pipeline import Views, see
from any3dis_ros.scene.mapping import MapCloud, Scene, fuse
from any3dis_ros.scene.shape import SuperpointShapes, describe
from any3dis_ros.scene.superpoints import compute_superpoints
from any3dis_ros.scene.surface import build_surface
from benchmarks.scenes import BenchmarkScene

CLOUDS = ("exact", "fused")


@dataclass(frozen=True)
class Prepared:
    """What the pipeline knows of a scene when it opens its tracker, with the way back to the ground truth.

    Attributes:
        scene: keyframes and ground truth.
        cloud: the map.
        superpoint: N int32, superpoint of each of its points.
        views: which keyframe sees which superpoint.
        shapes: of the superpoints.
        nearest: M int64, map point nearest to each point of the ground truth, -1 = none near.
    """

    scene: BenchmarkScene
    cloud: MapCloud
    superpoint: NDArray[np.int32]
    views: Views
    shapes: SuperpointShapes
    nearest: NDArray[np.int64]

    @property
    def size(self) -> NDArray[np.int64]:
        """L int64, points of each superpoint."""
        return np.bincount(self.superpoint)

    @property
    def truth_superpoint(self) -> NDArray[np.int64]:
        """M int64, superpoint at each point of the ground truth, -1 = none near."""
        return np.where(self.nearest >= 0, self.superpoint[self.nearest], -1).astype(np.int64)

    def overlap(self, proposals: NDArray[np.bool_], scores: NDArray[np.float64]) -> SceneOverlap:
        """Return how proposals (Q×L bool) overlap the things of the ground truth."""
        truth = self.scene.truth
        return overlap_superpoints(proposals, scores, self.truth_superpoint, truth.instance, truth.valid_ids)


def prepare(scene: BenchmarkScene, kind: str, config: Config) -> Prepared:
    """Run the stages before tracking on the exact or on the fused cloud."""
    cloud = make_cloud(scene, kind, config)
    viewpoints = np.stack([f.T_map_camera[:3, 3] for f in scene.frames])
    surface = build_surface(cloud, config.superpoints, viewpoints)
    superpoint = compute_superpoints(surface, config.superpoints)
    views = see(Scene(scene.frames, cloud), superpoint, config)
    nearest = transfer(cloud.points, scene.truth.points, EvaluationConfig().max_distance_m)
    return Prepared(scene, cloud, superpoint, views, describe(surface, superpoint, scene.frames), nearest)


def make_cloud(scene: BenchmarkScene, kind: str, config: Config) -> MapCloud:
    """Return the ground truth's own points ("exact"), or the keyframes' depth fused with all its noise ("fused")."""
    if kind not in CLOUDS:
        raise InputError(f"cloud '{kind}' is unknown; expected one of {', '.join(CLOUDS)}")
    return scene.exact if kind == "exact" else fuse(scene.frames, config.map)

"""One segmentation at a time: from a snapshot of the keyframes to instances that keep their ids from run to run."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.objects.association import Known, carry_ids
from any3dis_ros.objects.instances import Instances
from any3dis_ros.pipeline import segment
from any3dis_ros.progress import Progress, silent
from any3dis_ros.rehearsal import rehearse
from any3dis_ros.ros.memory import give_back
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.mapping import LiveMap, MapCloud, Scene
from any3dis_ros.tracking.base import MaskTracker
from any3dis_ros.tracking.engines import make_tracker


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        region: 2×3 float64, lower and upper corner in metres, map frame; None = the whole map.
        min_score: instances below it are left out of the result.
        engine: instead of the configured one, empty = that.
    """

    region: NDArray[np.float64] | None = None
    min_score: float = 0.0
    engine: str = ""


UNDER_WAY = "a segmentation is under way; wait for its result or cancel it"


class Busy(InputError):  # noqa: N818 - a refusal with its reason
    """A segmentation is under way already."""


class Segmenter:
    """Runs segmentations, one at a time, and keeps what the next one can use: engines, the fused map, known objects.

    Args:
        config: all parameters; may be replaced between runs.

    Attributes:
        engine: name of the one that was loaded last, empty = none.
        trouble: why the engine could not be made ready, empty = it could, or was not asked to.
        last_statistics: of the last run that came to its end.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._running = threading.Lock()
        self._trackers: dict[object, MaskTracker] = {}
        self._fusing = threading.Lock()
        self._map = LiveMap()
        self._known = Known()
        self.engine = self.trouble = ""
        self.last_statistics: Mapping[str, object] = {}

    @property
    def fused_keyframes(self) -> int:
        """Keyframes in the fused map."""
        return self._map.keyframes

    @property
    def busy(self) -> bool:
        """Whether a segmentation is under way."""
        return self._running.locked()

    def run(self, frames: Sequence[Frame], given: MapCloud | None, request: Request, progress: Progress) -> Instances:
        """Segment; blocks until the end.

        Args:
            frames: a snapshot of the keyframes.
            given: the map where it comes from outside, None = fused from the keyframes.
            request: region, least score, engine.
            progress: told between steps; may raise Cancelled.

        Raises:
            Busy: another run is under way.
            InputError: nothing to segment, or what the pipeline refuses.
            Cancelled: by `progress`.
        """
        if not self._running.acquire(blocking=False):
            raise Busy(UNDER_WAY)
        try:
            return self._run(frames, given, request, progress)
        finally:
            give_back()
            self._running.release()

    def prepare(self, progress: Progress = silent) -> None:
        """Load the configured engine and rehearse a run, so that the first one is as fast as the others.

        Raises:
            InputError: the engine cannot run here.
            Cancelled: by `progress`.
        """
        try:
            with self._running:
                rehearse(self._tracker(self.config.tracker.engine, self.config), self.config, progress)
        except InputError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""

    def extend_map(self, frames: Sequence[Frame]) -> None:
        """Fuse what is new of the keyframes so far, unless a run is about it, so that less is left to the next run."""
        if self.busy or not frames:
            return
        with self._fusing:
            self._map.extend(frames, self.config.map)

    def forget(self) -> None:
        """Drop the fused map and known objects, as after a reset: ids begin at 1 again."""
        with self._fusing:
            self._map.clear()
        self._known = Known()

    def remember(self, instances: Instances) -> None:
        """Take a segmentation that came from elsewhere for what was found last."""
        _, self._known = carry_ids(instances, Known(), self.config.association)

    def _run(self, frames: Sequence[Frame], given: MapCloud | None, request: Request, progress: Progress) -> Instances:
        if not frames:
            raise InputError("there is no keyframe yet; see /diagnostics for what arrives and what is left out")
        config = self.config
        progress("engine", 0, 1)
        tracker = self._tracker(request.engine or config.tracker.engine, config)
        progress("engine", 1, 1)
        if given is None:
            with self._fusing:
                given = self._map.update(frames, config.map, progress)
        cloud = given if request.region is None else cropped(given, request.region)
        found = segment(Scene(frames, cloud), tracker, config, progress)
        found, self._known = carry_ids(found, self._known, config.association)
        self.last_statistics = found.statistics
        return at_least(found, request.min_score)

    def _tracker(self, engine: str, config: Config) -> MaskTracker:
        """Return the engine, loaded once for each of its configurations; of two, the older one is let go."""
        wanted = replace(config.tracker, engine=engine)
        if wanted not in self._trackers:
            while len(self._trackers) > 1:
                del self._trackers[next(iter(self._trackers))]
            self._trackers[wanted] = make_tracker(wanted)
        self.engine = self._trackers[wanted].name
        return self._trackers[wanted]


def cropped(cloud: MapCloud, region: NDArray[np.float64]) -> MapCloud:
    """Return the part of a map inside an axis-aligned region (2×3, metres, map frame).

    Raises:
        InputError: corners that are no region, or one without a map point.
    """
    low, high = np.asarray(region, np.float64)
    if not (np.isfinite(region).all() and (low < high).all()):
        raise InputError(
            f"region {low.tolist()} to {high.tolist()} is none; expected a lower corner below an upper one"
        )
    inside = ((cloud.points >= low) & (cloud.points <= high)).all(1)
    if not inside.any():
        extent = f"{np.round(cloud.points.min(0), 2).tolist()} to {np.round(cloud.points.max(0), 2).tolist()}"
        raise InputError(f"no map point lies in the region {low.tolist()} to {high.tolist()}; the map spans {extent} m")
    edges = None
    if cloud.edges is not None:
        number = np.cumsum(inside) - 1
        kept = inside[cloud.edges].all(1)
        edges = number[cloud.edges[kept]].astype(np.int32)
    normals = None if cloud.normals is None else cloud.normals[inside]
    return MapCloud(cloud.points[inside], cloud.colors[inside], normals, edges)


def at_least(instances: Instances, min_score: float) -> Instances:
    """Return the instances of at least this score; points of the others get label 0, ids stay as they are."""
    count = int((instances.scores >= min_score).sum())
    return replace(
        instances,
        proposals=instances.proposals[:count],
        scores=instances.scores[:count],
        labels=np.where(instances.labels <= count, instances.labels, 0).astype(np.int32),
        best_views=instances.best_views[:count],
        masks=instances.masks[:count],
    )

"""A mask tracker that reads its masks from instance images, and errs as SAM 2 errs.

A track's errors are a pure function of (scene, level, replicate, pivot keyframe, object): every refinement and merging
sees the same tracks. The errors of one keyframe do not depend on which other keyframes were requested.

How much SAM 2's errors grow where the pivot view shows the object badly is not known to us. By default they do not grow
(the pivot still decides what the prompt hits and which keyframes are run); `view_sensitivity` is an assumption, to be
varied: chances of parts, unions and drift are multiplied by 1 + sensitivity · (1 - v), where v is the share of the
pixels of the object's largest view that the pivot view has.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Sam2Config
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.tracking.base import PointPrompt, PromptedObject, Track, TrackRequest
from any3dis_ros.tracking.masks import Mask, PackedMask
from any3dis_ros.tracking.sam2.policy import prompt_policy
from benchmarks.instance_images import HalfSpace, InstanceImages, back_project
from benchmarks.scenes import BenchmarkScene

MEMORY_FRAMES = 7


@dataclass(frozen=True)
class ErrorModel:
    """How a simulated tracker errs.

    Attributes:
        edge_px: the boundary is off by N(0, edge) pixels a track plus N(0, edge / 2) a frame, at most 3 edge.
        miss: chance a frame that the mask is empty although the object is seen.
        abstain: share of the missed frames in which the tracker says so (object score ≤ 0); a tracker that can say so
            (abstain > 0) also says it wherever the object is out of sight.
        drift: chance a frame that the mask moves to a touching neighbour, and stays there.
        part: chance a track that it covers one side of the object only (a half space in the map frame).
        union: chance a track that a neighbour is carried along wherever it touches the object.
        flicker: chance a frame that for this frame alone a neighbour is added, or that only a part is kept.
        wrong_return: chance, after more than 7 frames of absence, that the track comes back on a neighbour.
        lost: chance, after as long an absence, that it does not come back until it is corrected.
        min_visible_px: with fewer pixels in sight the object is absent: the mask is empty.
    """

    edge_px: float = 0.0
    miss: float = 0.0
    abstain: float = 0.0
    drift: float = 0.0
    part: float = 0.0
    union: float = 0.0
    flicker: float = 0.0
    wrong_return: float = 0.0
    lost: float = 0.0
    min_visible_px: int = 25


LEVELS: Mapping[str, ErrorModel] = {
    "perfect": ErrorModel(min_visible_px=1),
    "mild": ErrorModel(1.2, 0.05, 0.7, 0.004, 0.08, 0.06, 0.03, 0.1, 0.2),
    "harsh": ErrorModel(3.0, 0.15, 0.5, 0.015, 0.22, 0.18, 0.10, 0.3, 0.4),
}


@dataclass(frozen=True)
class _Object:
    """A tracked object with the errors that stay with it.

    `part` is the side that a partial track covers, `carried` the neighbour of a union (0 = none), `flicker_part` the
    side that a flickering frame keeps, `bias_px` the boundary offset of the whole track, `growth` what its pivot view
    multiplies the chances of parts, unions and drift by.
    """

    instance: int
    frame: int
    part: HalfSpace | None
    carried: int
    flicker_part: HalfSpace
    bias_px: float
    growth: float


class SimulatedTracker:
    """An engine whose masks come from a scene's instance images; it is prompted as SAM 2 is."""

    def __init__(
        self,
        scene: BenchmarkScene,
        level: str = "perfect",
        replicate: int = 0,
        view_sensitivity: float = 0.0,
        config: Sam2Config | None = None,
    ) -> None:
        if level not in LEVELS:
            raise InputError(f"error level '{level}' is unknown; expected one of {', '.join(LEVELS)}")
        self.name = f"simulated-{level}"
        self.policy = prompt_policy(config or Sam2Config())
        self._scene = scene
        self._model = LEVELS[level]
        self._sensitivity = view_sensitivity
        self._seed = (zlib.crc32(scene.name.encode()), zlib.crc32(level.encode()), replicate)

    def warm_up(self) -> None:
        """Do nothing: there is nothing to load."""

    def open(self, frames: Sequence[Frame], progress: Progress = silent) -> SimulatedSession:
        """Look up the instance images of the keyframes by name."""
        images = [self._scene.instance_images[f.name] for f in frames]
        progress("features", len(frames), len(frames))
        known = InstanceImages(frames, images, self._scene.truth.valid_ids)
        return SimulatedSession(known, self._model, self._seed, self._sensitivity)


class SimulatedSession:
    """Simulated objects followed through the keyframes of one scene."""

    def __init__(self, images: InstanceImages, model: ErrorModel, seed: tuple[int, ...], sensitivity: float) -> None:
        self._images = images
        self._model = model
        self._seed = seed
        self._sensitivity = sensitivity
        self._objects: dict[int, _Object] = {}
        self._ids: dict[tuple[int, int, bool], int] = {}

    def prompt(self, prompts: Sequence[PointPrompt], masks_per_prompt: int) -> list[list[PromptedObject]]:
        """Give the object under most of the positive points; none where that is the background."""
        return [self._prompted(p) if masks_per_prompt > 0 else [] for p in prompts]

    def track(self, requests: Iterable[TrackRequest]) -> Iterator[Track]:
        """Follow the objects through the requested keyframes, in visiting order."""
        for request in requests:
            yield self._follow(self._objects[request.object_id], request)

    def drop(self, object_ids: Iterable[int]) -> None:
        """Forget objects."""
        gone = set(object_ids)
        self._objects = {k: o for k, o in self._objects.items() if k not in gone}

    def close(self) -> None:
        """Forget all objects."""
        self._objects = {}

    def statistics(self) -> dict[str, object]:
        """Return nothing."""
        return {}

    def _prompted(self, prompt: PointPrompt) -> list[PromptedObject]:
        instance = self._under(prompt)
        if instance == 0:
            return []
        t = prompt.frame
        rng = self._rng(t, instance)
        area = self._images.area[:, instance]
        growth = 1 + self._sensitivity * (1 - area[t] / area.max())
        carried = self._images.neighbour(t, instance, rng) if rng.random() < self._model.union * growth else 0
        partial = rng.random() < self._model.part * growth and carried == 0
        plane = self._plane(t, instance, rng)
        positive = not partial or self._height(prompt, instance, plane.normal) >= plane.offset
        part = (plane if positive else plane.opposite) if partial else None
        bias = self._model.edge_px * rng.normal()
        noise = 0.07 * abs(rng.normal()) if self._model.edge_px else 0.0

        handle = self._ids.setdefault((t, instance, positive), len(self._ids))
        obj = _Object(instance, t, part, carried, plane, bias, growth)
        self._objects[handle] = obj
        mask = self._render(t, obj, [instance, carried], part, rng)
        # SAM's predicted IoU as the model has it: best for wholes, least for unions, lower under 200 pixels
        score = (0.80 if carried else 0.85 if partial else 0.92) - noise - 0.15 * max(0.0, 1 - mask.area / 200)
        return [PromptedObject(handle, t, max(score, 0.0), mask)]

    def _follow(self, obj: _Object, request: TrackRequest) -> Track:
        model, images = self._model, self._images
        now, part, carried = obj.instance, obj.part, obj.carried
        absent, lost = 0, False
        masks: dict[int, Mask] = {}
        abstained: set[int] = set()
        for t in request.frames:
            rng = self._rng(obj.frame, obj.instance, t)
            returns_wrong, gets_lost, drifts, misses, says_so, flickers, flicker_adds = rng.random(7)
            target = self._under(request.corrections[t]) if t in request.corrections else 0
            if target:
                if target != now:
                    part, carried = None, 0
                now, absent, lost = target, 0, False
            elif images.area[t, now] < model.min_visible_px:
                absent += 1
                if model.abstain:
                    abstained.add(t)
                continue
            else:
                moved = drifts < model.drift * obj.growth
                if absent > MEMORY_FRAMES:
                    moved |= returns_wrong < model.wrong_return
                    lost = gets_lost < model.lost
                absent = 0
                if lost:
                    abstained.add(t)
                    continue
                other = images.neighbour(t, now, rng) if moved else 0
                if other:
                    now, part, carried = other, None, 0
                if misses < model.miss:
                    if says_so < model.abstain:
                        abstained.add(t)
                    continue
            instances, frame_part = [now, carried], part
            if flickers < model.flicker:
                if flicker_adds < 0.5:
                    instances.append(images.neighbour(t, now, rng))
                elif now == obj.instance:
                    frame_part = obj.flicker_part
            mask = self._render(t, obj, instances, frame_part, rng)
            if not mask.empty:
                masks[t] = mask
        return Track(request.object_id, masks, frozenset(abstained))

    def _render(
        self, t: int, obj: _Object, instances: Sequence[int], part: HalfSpace | None, rng: np.random.Generator
    ) -> PackedMask:
        """Draw the first instance, and of the others (0 = none) those that touch it."""
        first, *others = instances
        shown = [first, *(k for k in others if k and self._images.touches(t, first, k))]
        limit = round(3 * self._model.edge_px)
        offset = round(obj.bias_px + self._model.edge_px / 2 * rng.normal())
        return PackedMask.pack(self._images.mask(t, shown, part, int(np.clip(offset, -limit, limit))))

    def _under(self, prompt: PointPrompt) -> int:
        ids = self._images.at(prompt.frame, prompt.points[prompt.labels > 0])
        return int(np.bincount(ids).argmax()) if len(ids) else 0

    def _plane(self, t: int, instance: int, rng: np.random.Generator) -> HalfSpace:
        """Draw a plane, roughly along the map's axes, through the middle of what keyframe `t` sees of an instance."""
        normal = np.eye(3)[rng.integers(3)] * rng.choice([-1, 1]) + 0.3 * rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        quantile = rng.uniform(0.3, 0.7)
        surface = self._images.surface(t, instance) @ normal
        return HalfSpace(normal, float(np.quantile(surface, quantile)) if len(surface) else -np.inf)

    def _height(self, prompt: PointPrompt, instance: int, normal: NDArray[np.float64]) -> float:
        """Return ``normal · p`` (metres) of the first prompt point that has depth on the object, or infinity."""
        frame = self._images.frames[prompt.frame]
        for (u, v), on in zip(
            np.round(prompt.points).astype(int), self._images.at(prompt.frame, prompt.points), strict=True
        ):
            z = frame.depth[v, u] * 1e-3
            if on == instance and z > 0:
                return float(back_project(frame, np.array(u), np.array(v), np.array(z)) @ normal)
        return np.inf

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([*self._seed, *key])

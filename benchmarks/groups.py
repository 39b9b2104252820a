"""Which things a row of a table counts: all of ScanNet's size, the smaller ones, and those with a difficulty tag.

Things outside a group are void for it: a proposal on one of them is neither right nor wrong. So the figures of a group
are those of ScanNet's protocol with the group as the only ground truth, and false positives are those on its things.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import EvaluationConfig
from any3dis_ros.objects.evaluation import Evaluation, evaluate_scenes
from any3dis_ros.objects.overlap import SceneOverlap

LEAST = EvaluationConfig().min_points
SMALLEST = 30

Tags = Mapping[int, frozenset[str]]


@dataclass(frozen=True)
class Group:
    """Some of the things.

    Attributes:
        name: as a table shows it.
        least: points; smaller things and proposals do not count.
        below: points; things of so many do not count either.
        tag: only things that carry it count; empty = any.
    """

    name: str
    least: int
    below: float = math.inf
    tag: str = ""

    def holds(self, scene: SceneOverlap, tags: Tags) -> NDArray[np.bool_]:
        """Return which of the scene's G objects are not too large and carry the tag."""
        tagged = [not self.tag or self.tag in tags.get(int(i), ()) for i in scene.ids]
        return np.array(tagged, bool) & (scene.truth < self.below)


MAIN = Group(f"{LEAST} points and more", LEAST)
SMALL = Group(f"{SMALLEST} to {LEAST - 1} points", SMALLEST, LEAST)


def groups(tags: Sequence[Tags]) -> list[Group]:
    """Return the groups of scenes with these tags: ScanNet's own first, small things, then each tag at any size."""
    names = sorted({name for scene in tags for carried in scene.values() for name in carried})
    return [MAIN, SMALL, *(Group(f"{name}, {SMALLEST} points and more", SMALLEST, tag=name) for name in names)]


def score(scenes: Sequence[SceneOverlap], tags: Sequence[Tags], group: Group, confidence: str = "own") -> Evaluation:
    """Score the proposals of scenes (pooled) against the things of a group.

    Args:
        scenes: overlaps with all things.
        tags: of each scene.
        group: which things count.
        confidence: "own" or "constant".
    """
    config = EvaluationConfig(min_points=group.least, confidence=confidence)
    kept = [restricted(scene, group.holds(scene, own)) for scene, own in zip(scenes, tags, strict=True)]
    return evaluate_scenes(kept, config)


def restricted(scene: SceneOverlap, kept: NDArray[np.bool_]) -> SceneOverlap:
    """Return the overlap with some of the objects only (G bool); points of the others are void."""
    return dataclasses.replace(
        scene,
        intersection=scene.intersection[:, kept],
        void=scene.void + scene.intersection[:, ~kept].sum(1),
        truth=scene.truth[kept],
        ids=scene.ids[kept],
    )

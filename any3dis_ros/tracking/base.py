"""What every mask tracker offers.

A tracker opens a *session* over the keyframes of one scene. Within it, objects are born of point prompts in their pivot
view, and followed from there through chosen frames, one direction at a time. All calls take many objects at once, so
that an engine with a network can batch them; tracks come back one by one, so that masks need not exist all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.tracking.masks import Mask


@dataclass(frozen=True)
class PointPrompt:
    """Clicks on one keyframe.

    Attributes:
        frame: index of the keyframe in the session.
        points: M×2 float32, (u, v) pixels of the full keyframe.
        labels: M int8, 1 on the object, 0 off it.
    """

    frame: int
    points: NDArray[np.float32]
    labels: NDArray[np.int8]

    @classmethod
    def on(cls, frame: int, points: NDArray[np.float32]) -> PointPrompt:
        """Make a prompt whose points (M×2, pixels of the full keyframe) all lie on the object."""
        return cls(frame, np.asarray(points, np.float32).reshape(-1, 2), np.ones(len(points), np.int8))


@dataclass(frozen=True)
class PromptedObject:
    """An object that a prompt brought to life.

    Attributes:
        object_id: the session's handle. Two prompts that give the same mask of the same frame may share one.
        frame: the pivot keyframe.
        score: o_l of the paper, 0-1: how much the engine trusts the mask.
        mask: the mask in the pivot keyframe.
    """

    object_id: int
    frame: int
    score: float
    mask: Mask


@dataclass(frozen=True)
class TrackRequest:
    """Follow one object in one direction.

    Attributes:
        object_id: handle from :class:`PromptedObject`.
        frames: keyframes in visiting order, from the pivot (left out) outward. Frames where geometry says that the
            object cannot be seen are left out as well: the engine's memory passes over them.
        corrections: added point prompts by frame, for an object that reappears. Tracking starts from the pivot again
            and takes them into account when it meets their frames.
    """

    object_id: int
    frames: Sequence[int]
    corrections: Mapping[int, PointPrompt] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """What following one request found.

    Attributes:
        object_id: as requested.
        masks: non-empty masks by keyframe index; the pivot's is not among them.
        abstained: frames where the engine says nothing either way (SAM 2: object score ≤ 0), as opposed to frames that
            were run and found the object absent.
    """

    object_id: int
    masks: dict[int, Mask]
    abstained: frozenset[int] = frozenset()


@dataclass(frozen=True)
class PromptPolicy:
    """How an engine wants to be prompted.

    Attributes:
        pivot_views: best views in which each seed is prompted (paper: 1).
        masks_per_prompt: candidate masks kept of each prompt, best first (paper: 1).
        min_score: candidates under this score are dropped (authors' code with SAM 2: 0.6).
        seeds_per_round: farthest-point seeds a round (authors' code: 512 on ScanNet200).
        learnt_objectness: whether the learnt objectness was fitted on this engine's proposals and may rank them.
    """

    pivot_views: int
    masks_per_prompt: int
    min_score: float
    seeds_per_round: int
    learnt_objectness: bool = False


class TrackingSession(Protocol):
    """Objects being followed through the keyframes of one scene; not thread-safe."""

    def prompt(self, prompts: Sequence[PointPrompt], masks_per_prompt: int) -> list[list[PromptedObject]]:
        """Segment each prompt in its own frame: up to `masks_per_prompt` objects each, best first, in prompt order."""

    def track(self, requests: Iterable[TrackRequest]) -> Iterator[Track]:
        """Follow the objects; one Track a request, in the order of the requests.

        Raises:
            InputError: a handle that `prompt` did not return, or that was dropped.
        """

    def drop(self, object_ids: Iterable[int]) -> None:
        """Forget objects and free what is kept for them; unknown handles are ignored."""

    def close(self) -> None:
        """Free everything; the session is of no further use."""

    def statistics(self) -> dict[str, object]:
        """Return what the engine counts and times of its own work, ready for JSON; empty if it does neither."""


class MaskTracker(Protocol):
    """An engine: opens sessions over keyframes."""

    name: str
    policy: PromptPolicy

    def warm_up(self) -> None:
        """Do now what would make the first session slow and needs no keyframe; may be called at any time, or never."""

    def open(self, frames: Sequence[Frame], progress: Progress = silent) -> TrackingSession:
        """Prepare the keyframes (features, superpixels) and return a session over them.

        Args:
            frames: the keyframes.
            progress: told here, and between the batches of a long `prompt` or `track`.

        Raises:
            Cancelled: raised by `progress`.
        """

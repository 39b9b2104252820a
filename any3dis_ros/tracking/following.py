"""Follow objects from their pivot view through both directions of the sequence (paper, Sec. 3.1, last part).

Backward and forward start from the pivot alone, so what one direction remembers cannot leak into the other. Keyframes
in which geometry says that the object cannot be seen are not run. An object that the engine lost while it was out of
sight is given a point prompt where its seed is seen again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import SeedingConfig
from any3dis_ros.scene.visible_points import Visibility
from any3dis_ros.tracking.base import PointPrompt, PromptedObject, Track, TrackingSession, TrackRequest
from any3dis_ros.tracking.masks import Mask
from any3dis_ros.tracking.seeding import seed_prompt

_CHUNK = 64  # objects in flight: bounds the masks held and fills an engine's batch


@dataclass(frozen=True)
class Candidate:
    """An object worth following: the seed superpoint that it came from, and the prompt's answer."""

    seed: int
    prompted: PromptedObject


@dataclass(frozen=True)
class MaskTrack:
    """One object's masks over all keyframes, m_q of the paper.

    Attributes:
        seed: superpoint that was prompted.
        pivot: keyframe of the prompt.
        score: o_q, the pivot mask's score, 0-1.
        masks: non-empty masks by keyframe, the pivot's included.
        run: T bool, keyframes in which the engine looked for the object and gave an answer.
    """

    seed: int
    pivot: int
    score: float
    masks: dict[int, Mask]
    run: NDArray[np.bool_]


def follow(
    session: TrackingSession,
    candidates: Iterable[Candidate],
    visible: Visibility,
    seen: NDArray[np.int32],
    config: SeedingConfig,
) -> Iterator[MaskTrack]:
    """Yield the track of each candidate, in order; a bounded number of objects is in flight.

    Args:
        session: the engine's session over the keyframes.
        candidates: what to follow.
        visible: visible map points of the keyframes.
        seen: T×L int32, visible points of each superpoint.
        config: thresholds of "seen" and the number of prompt points.
    """
    stream = iter(candidates)
    while chunk := list(islice(stream, _CHUNK)):
        requests = [
            TrackRequest(c.prompted.object_id, frames)
            for c in chunk
            for frames in _directions(c.prompted.frame, _frames_in_sight(c.prompted, visible, seen, config))
        ]
        tracks = list(session.track(requests))
        again = {}
        for i, (request, track) in enumerate(zip(requests, tracks, strict=True)):
            corrections = _reappearances(request, track, chunk[i // 2].seed, visible, seen, config)
            if corrections:
                again[i] = TrackRequest(request.object_id, request.frames, corrections)
        for i, track in zip(again, session.track(again.values()), strict=True):
            tracks[i] = track
        for i, candidate in enumerate(chunk):
            yield _joined(candidate, requests[2 * i : 2 * i + 2], tracks[2 * i : 2 * i + 2], len(seen))


def _frames_in_sight(
    prompted: PromptedObject, visible: Visibility, seen: NDArray[np.int32], config: SeedingConfig
) -> NDArray[np.bool_]:
    """Return the keyframes (T bool) that see any superpoint which the pivot mask covers by half."""
    tally = prompted.mask.tally(visible.keyframes[prompted.frame], seen.shape[1])
    covered = tally.superpoints[2 * tally.points >= seen[prompted.frame, tally.superpoints]]
    in_sight: NDArray[np.bool_] = seen[:, covered].sum(1) >= config.min_seen_points
    return in_sight


def _directions(pivot: int, in_sight: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Return the frames to visit backward and forward from the pivot, nearest first."""
    frames = np.flatnonzero(in_sight)
    return frames[frames < pivot][::-1].tolist(), frames[frames > pivot].tolist()


def _reappearances(
    request: TrackRequest,
    track: Track,
    seed: int,
    visible: Visibility,
    seen: NDArray[np.int32],
    config: SeedingConfig,
) -> dict[int, PointPrompt]:
    """Return a one-point prompt for each frame where the seed comes back into sight and the mask does not."""
    corrections = {}
    absent = False
    for t in request.frames:
        in_view = seen[t, seed] >= max(config.min_seen_points, visible.size[seed] // 4)
        if in_view and absent and t not in track.masks:
            prompt = seed_prompt(visible, seed, t, config)
            corrections[t] = PointPrompt.on(t, prompt.points[:1])
        absent = not in_view
    return corrections


def _joined(candidate: Candidate, requests: Sequence[TrackRequest], tracks: Sequence[Track], T: int) -> MaskTrack:
    pivot = candidate.prompted.frame
    masks: dict[int, Mask] = {pivot: candidate.prompted.mask}
    run = np.zeros(T, bool)
    run[pivot] = True
    for request, track in zip(requests, tracks, strict=True):
        masks.update(track.masks)
        run[list(request.frames)] = True
        run[list(track.abstained)] = False
    return MaskTrack(candidate.seed, pivot, candidate.prompted.score, masks, run)

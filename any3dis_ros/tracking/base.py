"""What every mask tracker offers, and the masks that it returns.

A tracker opens a *session* over the keyframes of one scene. Within it, objects are born of point prompts in their pivot
view, and followed from there through chosen frames, one direction at a time. All calls take many objects at once, so
that an engine with a network can batch them; tracks come back one by one, so that masks need not exist all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame


class Mask(Protocol):
    """A 2D mask of a keyframe, in whatever form and on whatever device its engine keeps it."""

    @property
    def rows(self) -> tuple[int, int]:
        """First and one past the last pixel row of the full keyframe that the mask can reach."""

    def sample(self, pixels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for each flat pixel index (``v * W + u`` of the full keyframe) whether it lies inside; M bool."""

    def tally(self, pixels: NDArray[np.int32], groups: NDArray[np.int32], count: int) -> NDArray[np.int64]:
        """Return how many of the pixels (M flat indices, rising) of each group (M int32, 0..count-1) lie inside."""

    def packed(self) -> PackedMask:
        """Return the mask as bits on the CPU."""


@dataclass(frozen=True)
class PackedMask:
    """A mask as bits inside its bounding box, possibly on a coarser grid than the keyframe.

    Attributes:
        frame_shape: (H, W) of the keyframe, pixels.
        shape: (h, w) of the mask's own grid.
        corner: (row, column) of the box in that grid.
        box_shape: (rows, columns) of the box; (0, 0) for an empty mask.
        bits: packed rows of the box, uint8, ``ceil(rows * columns / 8)`` bytes.
    """

    frame_shape: tuple[int, int]
    shape: tuple[int, int]
    corner: tuple[int, int]
    box_shape: tuple[int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def pack(cls, mask: NDArray[np.bool_], frame_shape: tuple[int, int] | None = None) -> PackedMask:
        """Pack a dense mask, h×w bool, of a keyframe of `frame_shape` (its own shape if left out)."""
        h, w = mask.shape
        rows = np.flatnonzero(mask.any(1))
        if not len(rows):
            return cls(frame_shape or (h, w), (h, w), (0, 0), (0, 0), np.zeros(0, np.uint8))
        columns = np.flatnonzero(mask.any(0))
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(
            frame_shape or (h, w),
            (h, w),
            (int(rows[0]), int(columns[0])),
            (box.shape[0], box.shape[1]),
            np.packbits(box),
        )

    @property
    def empty(self) -> bool:
        """Whether no pixel is inside."""
        return self.box_shape == (0, 0)

    @property
    def area(self) -> int:
        """Pixels inside, counted on the mask's own grid."""
        return int(np.unpackbits(self.bits).sum())

    @property
    def rows(self) -> tuple[int, int]:
        """First and one past the last row of the full keyframe that the box can reach."""
        scale = self.frame_shape[0] / self.shape[0]
        first = int(np.floor(self.corner[0] * scale))
        return first, min(int(np.ceil((self.corner[0] + self.box_shape[0]) * scale)), self.frame_shape[0])

    def dense(self) -> NDArray[np.bool_]:
        """Return the mask on its own grid, h×w bool."""
        out = np.zeros(self.shape, bool)
        (r, c), (rows, columns) = self.corner, self.box_shape
        if rows:
            box = np.unpackbits(self.bits, count=rows * columns).reshape(rows, columns)
            out[r : r + rows, c : c + columns] = box
        return out

    def sample(self, pixels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for each flat pixel index of the full keyframe whether it lies inside; M bool."""
        return np.asarray(_sample(pixels, self.frame_shape, self.shape, self.corner, self.box_shape, self.bits))

    def tally(self, pixels: NDArray[np.int32], groups: NDArray[np.int32], count: int) -> NDArray[np.int64]:
        """Return how many of the pixels (M flat indices, rising) of each group (M int32, 0..count-1) lie inside."""
        total = np.zeros(count, np.int64)
        _tally(pixels, groups, self.frame_shape, self.shape, self.corner, self.box_shape, self.bits, total)
        return total

    def packed(self) -> PackedMask:
        """Return itself."""
        return self


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


@numba.njit(cache=True, nogil=True)
def _sample(pixels, frame_shape, shape, corner, box_shape, bits):  # type: ignore[no-untyped-def]
    row_of = np.empty(frame_shape[0], np.int32)  # look-up tables: divisions dominate otherwise
    column_of = np.empty(frame_shape[1], np.int32)
    for v in range(frame_shape[0]):
        row_of[v] = v * shape[0] // frame_shape[0] - corner[0]
    for u in range(frame_shape[1]):
        column_of[u] = u * shape[1] // frame_shape[1] - corner[1]
    width = np.uint32(frame_shape[1])
    inside = np.zeros(len(pixels), np.bool_)
    for i in range(len(pixels)):
        v = np.uint32(pixels[i]) // width
        row, column = row_of[v], column_of[np.uint32(pixels[i]) - v * width]
        if 0 <= row < box_shape[0] and 0 <= column < box_shape[1]:
            bit = row * box_shape[1] + column
            inside[i] = bits[bit >> 3] >> (7 - (bit & 7)) & 1
    return inside


@numba.njit(cache=True, nogil=True)
def _tally(pixels, groups, frame_shape, shape, corner, box_shape, bits, total):  # type: ignore[no-untyped-def]
    """Count without looking at what lies beside the mask's box: within a row, sorted pixels allow to jump."""
    H, W = frame_shape
    column_of = np.empty(W, np.int32)
    left, right = W, 0
    for u in range(W):
        column_of[u] = u * shape[1] // W - corner[1]
        if 0 <= column_of[u] < box_shape[1]:
            left, right = min(left, u), u + 1
    i = 0
    for v in range(H):
        row = v * shape[0] // H - corner[0]
        if row < 0 or row >= box_shape[0]:
            continue
        i += np.searchsorted(pixels[i:], v * W + left)
        while i < len(pixels) and pixels[i] < v * W + right:
            bit = row * box_shape[1] + column_of[pixels[i] - v * W]
            total[groups[i]] += bits[bit >> 3] >> (7 - (bit & 7)) & 1
            i += 1

"""What an object remembers while it is followed, and which of it SAM 2 looks at in the next keyframe.

SAM 2 (Ravi et al. 2024, Sec. 4) attends to the frames that were prompted, to its last six predictions, and to the
object pointers of the last fifteen. The official predictor counts frames of a video; here positions count the keyframes
that the object *visits*, the pivot being 0. A keyframe in which geometry says that the object cannot be seen is thus no
gap in its memory: keyframes stand far apart, so the network's clock is no video's in any case, and after an occlusion
of seven keyframes the last six views of the object are still there, where they would otherwise have been forgotten.
Nothing older is ever read, so nothing older is kept: memory is bounded whatever the number of keyframes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sam2.modeling.sam2_utils import select_closest_cond_frames
from torch import Tensor


class Limits(NamedTuple):
    """How far SAM 2 looks back.

    Attributes:
        memories: spatial memories, the prompted one among them (SAM 2.1: 7).
        pointers: object pointers, likewise (SAM 2.1: 16, or the number of keyframes where that is less).
        prompted: prompted frames attended to; older ones count as ordinary predictions.
    """

    memories: int
    pointers: int
    prompted: int


class Impression(NamedTuple):
    """What one visited keyframe leaves: `memory` 64×h×w bfloat16 or None once out of reach, and `pointer`, 256."""

    memory: Tensor | None
    pointer: Tensor


@dataclass(frozen=True)
class Recall:
    """What an object remembers at one position, in the order in which SAM 2 reads it.

    Attributes:
        memories: (slot, memory); slot 0 = prompted, 6 = the keyframe just before.
        pointers: (distance in visited keyframes, pointer).
    """

    memories: list[tuple[int, Tensor]]
    pointers: list[tuple[int, Tensor]]

    @property
    def length(self) -> tuple[int, int]:
        """Numbers of memories and pointers; objects of equal length can share a batch."""
        return len(self.memories), len(self.pointers)


@dataclass
class ObjectMemory:
    """One object along one direction.

    Attributes:
        limits: how far to look back.
        prompted: impressions of prompted keyframes by position; the pivot's is at 0.
        tracked: impressions of the others by position.
        position: the keyframe to be visited next.
    """

    limits: Limits
    prompted: dict[int, Impression]
    tracked: dict[int, Impression] = field(default_factory=dict)
    position: int = 1

    @classmethod
    def of_pivot(cls, pivot: Impression, limits: Limits) -> ObjectMemory:
        """Start from the pivot view."""
        return cls(limits, {0: pivot})

    def recall(self) -> Recall:
        """Return what SAM 2 reads at the present position."""
        selected, passed_over = select_closest_cond_frames(self.position, self.prompted, self.limits.prompted)
        memories = [(0, impression.memory) for impression in selected.values()]
        for slot in range(1, self.limits.memories):
            position = self.position - (self.limits.memories - slot)
            impression = self.tracked.get(position) or passed_over.get(position)
            if impression is not None:
                memories.append((slot, impression.memory))
        pointers = [(self.position - position, impression.pointer) for position, impression in selected.items()]
        for distance in range(1, self.limits.pointers):
            position = self.position - distance
            impression = self.tracked.get(position) or passed_over.get(position)
            if impression is not None:
                pointers.append((distance, impression.pointer))
        return Recall(memories, pointers)

    def keep(self, impression: Impression, prompted: bool) -> None:
        """Remember the present position, go to the next, and forget what is out of reach from there."""
        (self.prompted if prompted else self.tracked)[self.position] = impression
        self.position += 1
        oldest_memory = self.position - (self.limits.memories - 1)
        oldest_pointer = self.position - max(self.limits.memories, self.limits.pointers) + 1
        for position in [p for p in self.tracked if p < oldest_memory]:
            if position < oldest_pointer:
                del self.tracked[position]
            else:
                self.tracked[position] = Impression(None, self.tracked[position].pointer)
        newest = sorted(self.prompted)[-self.limits.prompted :]
        for position in [p for p in self.prompted if p < oldest_pointer and p not in newest]:
            del self.prompted[position]

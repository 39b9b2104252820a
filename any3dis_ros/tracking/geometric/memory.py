"""What is known of an object in 3D: voxels that frames have seen on it or beside it, with votes.

A hash table of bounded size; when it fills up, its voxels double in size. One table a worker thread, reused from object
to object.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLOT_BITS = 15
SLOTS = 1 << SLOT_BITS
MAX_VOXELS = SLOTS // 2
FREE = np.int64(-1)
OFFSET = 1 << 20  # voxel indices -2^20 .. 2^20-1 on each axis fit a key of 63 bits


class VoxelMemory(NamedTuple):
    """Open-addressing hash table of S slots over a dense list of V voxels, in order of insertion.

    Attributes:
        key: S int64, packed voxel index, -1 = free.
        place: S int32, where in the list the voxel of a slot stands.
        point: 3×V float32, metres, map frame: the first point seen in the voxel.
        vote: V float32, votes for the object minus votes against it.
        slot: V int32, slot of each voxel.
        stored: 1 int64, voxels in the list.
        side: 1 float64, metres, side of a voxel.
    """

    key: NDArray[np.int64]
    place: NDArray[np.int32]
    point: NDArray[np.float32]
    vote: NDArray[np.float32]
    slot: NDArray[np.int32]
    stored: NDArray[np.int64]
    side: NDArray[np.float64]


def new_memory() -> VoxelMemory:
    """Return an empty memory."""
    return VoxelMemory(
        np.full(SLOTS, FREE, np.int64),
        np.zeros(SLOTS, np.int32),
        np.zeros((3, MAX_VOXELS), np.float32),
        np.zeros(MAX_VOXELS, np.float32),
        np.zeros(MAX_VOXELS, np.int32),
        np.zeros(1, np.int64),
        np.ones(1, np.float64),
    )


@njit(cache=True, nogil=True)
def forget(memory: VoxelMemory, side: float) -> None:
    """Empty the memory and set the size of its voxels, metres."""
    for i in range(memory.stored[0]):
        memory.key[memory.slot[i]] = FREE
    memory.stored[0] = 0
    memory.side[0] = side


@njit(cache=True, nogil=True)
def remember(memory: VoxelMemory, points: np.ndarray, votes: np.ndarray) -> None:
    """Add votes for (> 0) or against (< 0) the voxels at points, 3×n float64; a full memory is coarsened first."""
    done = _insert(memory, points, votes, 0)
    while done < len(votes):
        _coarsen(memory)
        done = _insert(memory, points, votes, done)


@njit(cache=True, nogil=True)
def _insert(memory: VoxelMemory, points: np.ndarray, votes: np.ndarray, done: int) -> int:
    """Add votes, but for the first `done`, until the memory is full; return how many are added, those included."""
    key, place, point, vote, slot_of = memory.key, memory.place, memory.point, memory.vote, memory.slot
    stored, per_metre, limit = memory.stored[0], 1.0 / memory.side[0], 2 * OFFSET
    while done < len(votes) and stored < MAX_VOXELS:
        x, y, z, own = points[0, done], points[1, done], points[2, done], votes[done]
        done += 1
        a = np.int64(np.floor(x * per_metre)) + OFFSET
        b = np.int64(np.floor(y * per_metre)) + OFFSET
        c = np.int64(np.floor(z * per_metre)) + OFFSET
        if a < 0 or a >= limit or b < 0 or b >= limit or c < 0 or c >= limit:
            continue
        voxel = (a << 42) | (b << 21) | c
        mixed = np.uint64(voxel) * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64(mixed >> np.uint64(64 - SLOT_BITS))
        while key[slot] != FREE and key[slot] != voxel:
            slot = (slot + 1) & (SLOTS - 1)
        if key[slot] == FREE:
            key[slot], place[slot], slot_of[stored] = voxel, stored, slot
            point[0, stored], point[1, stored], point[2, stored] = x, y, z
            vote[stored] = own
            stored += 1
        else:
            vote[place[slot]] += own
    memory.stored[0] = stored
    return done


@njit(cache=True, nogil=True)
def _coarsen(memory: VoxelMemory) -> None:
    """Double the voxels until the memory is at most half full; votes of joined voxels add up."""
    while memory.stored[0] > MAX_VOXELS // 2:
        n = memory.stored[0]
        points, votes = memory.point[:, :n].astype(np.float64), memory.vote[:n].astype(np.float64)
        forget(memory, 2.0 * memory.side[0])
        _insert(memory, points, votes, 0)

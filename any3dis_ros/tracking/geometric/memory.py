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
        point: V×3 float32, metres, map frame: the first point seen in the voxel.
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
        np.zeros((MAX_VOXELS, 3), np.float32),
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
def remember(memory: VoxelMemory, x: float, y: float, z: float, vote: float) -> None:
    """Add a vote for (> 0) or against (< 0) the voxel at a point; a full memory is coarsened first."""
    if memory.stored[0] >= MAX_VOXELS:
        _coarsen(memory)
    _add(memory, x, y, z, vote)


@njit(cache=True, nogil=True)
def _add(memory: VoxelMemory, x: float, y: float, z: float, vote: float) -> None:
    per_metre = 1.0 / memory.side[0]
    a = np.int64(np.floor(x * per_metre)) + OFFSET
    b = np.int64(np.floor(y * per_metre)) + OFFSET
    c = np.int64(np.floor(z * per_metre)) + OFFSET
    limit = 2 * OFFSET
    if a < 0 or a >= limit or b < 0 or b >= limit or c < 0 or c >= limit:
        return
    key = (a << 42) | (b << 21) | c
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64(mixed >> np.uint64(64 - SLOT_BITS))
    while memory.key[slot] != FREE and memory.key[slot] != key:
        slot = (slot + 1) & (SLOTS - 1)
    if memory.key[slot] == FREE:
        i = memory.stored[0]
        memory.key[slot] = key
        memory.place[slot] = i
        memory.slot[i] = slot
        memory.point[i, 0], memory.point[i, 1], memory.point[i, 2] = x, y, z
        memory.vote[i] = vote
        memory.stored[0] = i + 1
    else:
        memory.vote[memory.place[slot]] += vote


@njit(cache=True, nogil=True)
def _coarsen(memory: VoxelMemory) -> None:
    """Double the voxels until the memory is at most half full; votes of joined voxels add up."""
    while memory.stored[0] > MAX_VOXELS // 2:
        n = memory.stored[0]
        points, votes = memory.point[:n].copy(), memory.vote[:n].copy()
        forget(memory, 2.0 * memory.side[0])
        for i in range(n):
            _add(memory, points[i, 0], points[i, 1], points[i, 2], votes[i])

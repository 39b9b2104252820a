from __future__ import annotations

import pytest

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.tracking.sam2.memory import Impression, Limits, ObjectMemory

LIMITS = Limits(memories=7, pointers=16, prompted=4)


def impression(position: int) -> Impression:
    """One that can be told from the others."""
    return Impression(torch.tensor([position]), torch.tensor([float(position)]))


def expected(position: int, prompted: set[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What SAM 2 reads with a memory that forgets nothing, from its paper and its predictor's defaults.

    The four newest prompted frames count as prompted (slot 0); of the six frames before this one every other counts by
    its distance (slot 6 = just before); pointers of those four by distance, then of the fifteen frames before this one.
    """
    newest = sorted(prompted)[-4:]
    rest = [p for p in range(position) if p not in newest]
    memories = [(0, p) for p in newest] + [(7 - (position - p), p) for p in rest if position - p <= 6]
    pointers = [(position - p, p) for p in newest] + [(position - p, p) for p in rest if position - p <= 15]
    return memories, pointers


@given(corrected=st.sets(st.integers(1, 40), max_size=12), steps=st.integers(0, 45))
def test_what_is_read_is_what_a_memory_that_forgets_nothing_would_give(corrected, steps):
    memory = ObjectMemory.of_pivot(impression(0), LIMITS)
    for position in range(1, steps + 1):
        memory.keep(impression(position), position in corrected)
    recall = memory.recall()
    memories, pointers = expected(memory.position, {0} | {p for p in corrected if p <= steps})
    assert sorted((slot, int(m)) for slot, m in recall.memories) == sorted(memories)
    assert sorted((distance, int(p)) for distance, p in recall.pointers) == sorted(pointers)
    assert recall.length == (len(memories), len(pointers))


@given(corrected=st.sets(st.integers(1, 200), max_size=80), steps=st.integers(20, 200))
def test_memory_is_bounded(corrected, steps):
    memory = ObjectMemory.of_pivot(impression(0), LIMITS)
    for position in range(1, steps + 1):
        memory.keep(impression(position), position in corrected)
    kept = [*memory.prompted.values(), *memory.tracked.values()]
    assert sum(i.memory is not None for i in memory.tracked.values()) <= 6
    assert len(memory.prompted) <= 4 + 15
    assert len(kept) <= 4 + 15


def test_the_slots_of_a_young_memory():
    memory = ObjectMemory.of_pivot(impression(0), LIMITS)
    assert memory.recall().length == (1, 1)
    memory.keep(impression(1), prompted=False)
    assert [slot for slot, _ in memory.recall().memories] == [0, 6]
    assert [distance for distance, _ in memory.recall().pointers] == [2, 1]

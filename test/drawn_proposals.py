"""Small proposals over eight superpoints, by hand and by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.evidence import Evidence
from any3dis_ros.proposals.merging import Proposal

L = 8
SIZE = np.array([50, 60, 70, 80, 90, 100, 110, 120])
ANY_SIZE = MergingConfig(min_points=1)


def proposal(members: list[int], pivot: int = 0, agreement: float = 0.8, coverage: float = 1.0) -> Proposal:
    index = np.array(sorted(members), np.int64)
    evidence = Evidence(members[0], pivot, 0.81, agreement, 1.0, 1.0, 10)
    return Proposal(index, np.full(len(index), coverage, np.float32), evidence)


@st.composite
def ranked(draw) -> tuple[list[Proposal], np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, 12))
    members = [np.flatnonzero(rng.random(L) < 0.4).tolist() or [int(rng.integers(L))] for _ in range(count)]
    return [proposal(m, int(rng.integers(3))) for m in members], rng.random(count)


def points(p: Proposal) -> set[tuple[int, int]]:
    return {(int(m), i) for m in p.superpoints for i in range(SIZE[m])}

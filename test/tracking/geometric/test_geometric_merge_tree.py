from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.tracking.geometric.merge_tree import NO_BORDER, border_cost, build_merge_tree
from any3dis_ros.tracking.geometric.superpixels import Adjacency


def random_graph(n: int, seed: int) -> tuple[Adjacency, np.ndarray]:
    """A connected random graph: a chain with extra borders, continuous weights (no ties)."""
    rng = np.random.default_rng(seed)
    pairs = {(i, i + 1) for i in range(n - 1)}
    for _ in range(n):
        a, b = sorted(rng.choice(n, 2, replace=False).tolist())
        pairs.add((a, b))
    p = np.array(sorted(pairs), np.int32)
    length = rng.integers(1, 12, len(p)).astype(np.float32)
    return Adjacency(p, length, (length * rng.random(len(p))).astype(np.float32)), rng.integers(5, 300, n)


def naive(adjacency: Adjacency, area: np.ndarray, cheap: float) -> list[tuple[frozenset[int], float]]:
    """Every union with its height, by looking at all pairs of regions at every step."""
    regions = [frozenset([i]) for i in range(len(area))]
    unions, level = [], 0.0
    while len(regions) > 1:
        best = None
        for i, a in enumerate(regions):
            for b in regions[i + 1 :]:
                length = strength = 0.0
                for (p, q), n, s in zip(adjacency.pairs, adjacency.length, adjacency.strength, strict=True):
                    if (p in a and q in b) or (p in b and q in a):
                        length, strength = length + float(n), strength + float(s)
                if length:
                    smaller = min(area[list(a)].sum(), area[list(b)].sum())
                    cost = strength / length * min(1.0, smaller / cheap) ** 0.3
                    if best is None or cost < best[0]:
                        best = (cost, a, b)
        assert best is not None
        level = max(level, best[0])
        regions = [r for r in regions if r not in best[1:]] + [best[1] | best[2]]
        unions.append((best[1] | best[2], level))
    return unions


@given(n=st.integers(2, 12), seed=st.integers(0, 10**6), cheap=st.floats(1, 500))
@settings(max_examples=40, deadline=None)
def test_unions_and_heights_equal_the_naive_agglomeration(n, seed, cheap):
    graph, area = random_graph(n, seed)
    tree, new_label = build_merge_tree(graph, area, cheap)
    old = np.argsort(new_label)
    found = [(frozenset(old[tree.first[k] : tree.end[k]].tolist()), float(tree.height[k])) for k in range(n, 2 * n - 1)]
    expected = naive(graph, area, cheap)
    assert [s for s, _ in found] == [s for s, _ in expected]
    np.testing.assert_allclose([h for _, h in found], [h for _, h in expected], rtol=1e-5)


@given(n=st.integers(1, 40), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_nodes_are_runs_of_labels_that_nest(n, seed):
    graph, area = (
        random_graph(n, seed) if n > 1 else (Adjacency(np.zeros((0, 2), np.int32), *np.zeros((2, 0))), area_of_one())
    )
    tree, new_label = build_merge_tree(graph, area, 50.0)
    assert sorted(new_label.tolist()) == list(range(n))
    assert (tree.first[:n] == np.arange(n)).all()
    assert (tree.end[:n] == np.arange(n) + 1).all()
    assert tree.parent[-1] == -1
    assert (tree.parent[:-1] > np.arange(2 * n - 2)).all()
    by_label = np.zeros(n, np.int64)
    by_label[new_label] = area
    for k, p in enumerate(tree.parent):
        assert tree.area[k] == by_label[tree.first[k] : tree.end[k]].sum()
        if p >= 0:
            assert tree.first[p] <= tree.first[k] < tree.end[k] <= tree.end[p]
            assert tree.height[p] >= tree.height[k]


def area_of_one() -> np.ndarray:
    return np.array([7])


def test_islands_are_joined_last_and_high():
    graph = Adjacency(
        np.array([[0, 1], [2, 3]], np.int32), np.array([2, 2], np.float32), np.array([0.2, 0.4], np.float32)
    )
    tree, new_label = build_merge_tree(graph, np.array([9, 9, 9, 9]), 1.0)
    np.testing.assert_allclose(tree.height[4:], [0.1, 0.2, NO_BORDER], rtol=1e-6)
    assert abs(int(new_label[0]) - int(new_label[1])) == 1
    assert tree.end[-1] - tree.first[-1] == 4


@pytest.mark.parametrize(("smaller", "cost"), [(150.0, 0.5), (300.0, 0.5), (150.0 / 2**10, 0.5 / 8)])
def test_small_pieces_are_cheap_to_absorb(smaller, cost):
    assert border_cost(4.0, 2.0, smaller, 150.0) == pytest.approx(cost)

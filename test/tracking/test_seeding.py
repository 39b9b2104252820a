from __future__ import annotations

import numpy as np
import pytest
from boxes import CAMERA
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import SeedingConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.visible_points import Visibility, VisiblePoints
from any3dis_ros.tracking.seeding import choose_seeds, farthest_points, pivot_views, seed_prompt, view_scores


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_farthest_points_against_the_definition(n, count, seed):
    x = np.random.default_rng(seed).random((n, 3))
    picked = farthest_points(x, count, n // 2)
    assert len(picked) == min(n, count) == len(set(picked.tolist()))
    assert picked[0] == n // 2
    for i in range(1, len(picked)):
        distance = np.linalg.norm(x[:, None] - x[picked[:i]][None], axis=2).min(1)
        assert distance[picked[i]] == distance.max()


def test_farthest_points_of_nothing():
    assert farthest_points(np.zeros((0, 3)), 5).tolist() == []


def test_seeds_are_free_and_seen_and_spread():
    rng = np.random.default_rng(0)
    centroid = rng.random((50, 3))
    seen = rng.integers(3, 20, (4, 50)).astype(np.int32)
    seen[:, 10:15] = 2  # never seen by three points
    free = np.ones(50, bool)
    free[:5] = False
    seeds = choose_seeds(free, seen, centroid, 8, SeedingConfig())
    assert len(set(seeds.tolist())) == 8
    assert not np.isin(seeds, [*range(5), *range(10, 15)]).any()
    spread = np.linalg.norm(centroid[seeds][:, None] - centroid[seeds][None], axis=2)[~np.eye(8, dtype=bool)].min()
    chosen = rng.choice(np.setdiff1d(np.arange(50), [*range(5), *range(10, 15)]), 8, replace=False)
    random = np.linalg.norm(centroid[chosen][:, None] - centroid[chosen][None], axis=2)[~np.eye(8, dtype=bool)].min()
    assert spread > random


def test_fewer_candidates_than_seeds_are_all_taken_and_none_ends_it():
    seen = np.full((2, 6), 5, np.int32)
    free = np.array([True, False, True, True, False, False])
    config = SeedingConfig()
    assert choose_seeds(free, seen, np.zeros((6, 3)), 512, config).tolist() == [0, 2, 3]
    assert len(choose_seeds(np.zeros(6, bool), seen, np.zeros((6, 3)), 512, config)) == 0
    assert len(choose_seeds(free, np.zeros((0, 6), np.int32), np.zeros((6, 3)), 512, config)) == 0


@settings(max_examples=50)
@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_view_scores_against_equation_2(T, L, kappa, seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 50, L)
    seen = (rng.random((T, L)) * (size + 1)).astype(np.int32)
    centroid = rng.random((L, 3))
    psi = view_scores(seen, size, centroid, SeedingConfig(scale_neighbours=kappa))
    for l in range(L):  # noqa: E741 - the paper's symbol
        nearest = np.argsort(np.linalg.norm(centroid - centroid[l], axis=1))[: min(kappa, L)]
        for t in range(T):
            expected = seen[t, l] * np.mean([seen[t, k] / size[k] for k in nearest])
            np.testing.assert_allclose(psi[t, l], expected, rtol=1e-5)


def test_pivot_views_are_the_best_that_see_the_superpoint():
    psi = np.float32([[1, 0], [5, 0], [0, 0], [3, 2]])
    assert pivot_views(psi, 0, 1).tolist() == [1]
    assert pivot_views(psi, 0, 9).tolist() == [1, 3, 0]
    assert pivot_views(psi, 1, 2).tolist() == [3]


def test_first_seen_takes_the_earliest_views_however_little_they_see():
    seen = np.int32([[2, 0], [3, 0], [50, 9], [40, 8]])
    size, centroid = np.array([50, 9]), np.zeros((2, 3))
    first = view_scores(seen, size, centroid, SeedingConfig(pivot="first_seen", min_seen_points=3))
    assert pivot_views(first, 0, 1).tolist() == [1]  # two points in view 0 are too few to be seen
    assert pivot_views(first, 0, 9).tolist() == [1, 2, 3]
    assert pivot_views(first, 1, 9).tolist() == [2, 3]
    aware = view_scores(seen, size, centroid, SeedingConfig(pivot="3d_aware"))
    assert pivot_views(aware, 0, 1).tolist() == [2]


def test_an_unknown_pivot_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match=r"'last_seen'; expected one of 3d_aware, first_seen"):
        SeedingConfig(pivot="last_seen")


@pytest.mark.parametrize(("share", "columns"), [(1.0, [15, 5, 25]), (0.5, [15, 10, 19]), (0.0, [15, 14, 16])])
def test_prompts_lie_inside_the_projected_superpoint_apart_from_each_other(share, columns):
    W = CAMERA.width
    row = np.array([10 * W + u for u in range(5, 26)], np.int32)  # superpoint 1: a horizontal line of 21 pixels
    other = np.array([30 * W + u for u in range(40)], np.int32)
    superpoint = np.repeat(np.int32([1, 0]), [21, 40])
    nothing, at = np.zeros(0, np.int32), np.arange(61, dtype=np.int32)
    visible = Visibility(
        (
            VisiblePoints.of(nothing, nothing, superpoint, W),
            VisiblePoints.of(at, np.concatenate([row, other]), superpoint, W),
        ),
        np.array([40, 21]),
    )
    prompt = seed_prompt(visible, 1, 1, SeedingConfig(prompt_points=3, prompt_share=share))
    assert prompt.frame == 1
    assert prompt.points.tolist() == [[u, 10] for u in columns]
    assert prompt.labels.tolist() == [1, 1, 1]

from __future__ import annotations

import numpy as np
import pytest
from geometric_scenes import middle
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.tracking.base import PointPrompt
from any3dis_ros.tracking.geometric import memory as memory_module
from any3dis_ros.tracking.geometric.evidence import MAX_VOTE, OUT, SPLIT, WHOLE, learn, new_workspace, splat, warp
from any3dis_ros.tracking.geometric.memory import MAX_VOXELS, forget, new_memory, remember
from any3dis_ros.tracking.geometric.reduction import depth_noise
from any3dis_ros.tracking.geometric.selection import (
    accumulate,
    best_node,
    corrected_node,
    decide,
    metric_area,
    outlined,
    pack,
)


def teach(memory, points, votes) -> None:
    """Let a memory remember n×3 points."""
    remember(memory, np.asarray(points, float).reshape(-1, 3).T.copy(), np.asarray(votes, float).reshape(-1))


def votes(memory) -> dict[tuple[int, ...], float]:
    side = memory.side[0]
    n = memory.stored[0]
    return {
        tuple(np.floor(p.astype(np.float64) * (1 / side)).astype(int).tolist()): float(v)
        for p, v in zip(memory.point[:, :n].T, memory.vote[:n], strict=True)
    }


@given(seed=st.integers(0, 10**6), n=st.integers(0, 400), side=st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_votes_add_up_by_voxel(seed, n, side):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-2, 2, (n, 3)).astype(np.float32).astype(np.float64)
    weights = rng.integers(-3, 4, n)
    memory = new_memory()
    forget(memory, side)
    expected: dict[tuple[int, ...], float] = {}
    teach(memory, points, weights)
    for p, weight in zip(points, weights, strict=True):
        key = tuple(np.floor(p * (1 / side)).astype(int).tolist())
        expected[key] = expected.get(key, 0.0) + float(weight)
    assert votes(memory) == expected


def test_forgetting_leaves_nothing():
    memory = new_memory()
    forget(memory, 0.1)
    teach(memory, (1.0, 2.0, 3.0), 5.0)
    forget(memory, 0.2)
    assert memory.stored[0] == 0
    assert (memory.key == memory_module.FREE).all()


def test_a_full_memory_grows_coarser_and_keeps_its_votes():
    memory = new_memory()
    forget(memory, 0.01)
    n = MAX_VOXELS + 5000
    row, column = np.divmod(np.arange(n), 160)
    points = np.stack([column * 0.01 + 0.005, row * 0.01 + 0.005, np.full(n, 0.005)], 1)
    teach(memory, points, np.ones(n))
    assert memory.stored[0] <= MAX_VOXELS
    assert memory.side[0] == pytest.approx(0.02)
    assert memory.vote[: memory.stored[0]].sum() == pytest.approx(n)
    one_by_one = new_memory()
    forget(one_by_one, 0.01)
    for point in points:
        teach(one_by_one, point, 1.0)
    assert votes(memory) == votes(one_by_one)


def test_a_point_beyond_the_grid_is_ignored():
    memory = new_memory()
    forget(memory, 0.001)
    teach(memory, (1e7, 0.0, 0.0), 1.0)
    assert memory.stored[0] == 0


def test_warp_agrees_with_numpy(table_session):
    """Every visible voxel speaks for its square at the pixel it projects to; hidden ones and those outside do not."""
    views, params = table_session._views, table_session._params()
    t, side = 1, 0.006
    rng = np.random.default_rng(5)
    points = rng.uniform((-0.7, -0.7, 0.0), (0.7, 0.7, 1.0), (6000, 3)).astype(np.float32)
    votes = rng.choice([-2.0, 1.0], len(points))
    work = new_workspace(views)
    forget(work.memory, side)
    teach(work.memory, points, votes)
    n = work.memory.stored[0]
    points, votes = work.memory.point[:, :n].T.astype(float), work.memory.vote[:n]
    T = np.linalg.inv(views.T_map_camera[t])
    p = points @ T[:3, :3].T + T[:3, 3]
    fx, fy, cx, cy = views.intrinsics[t]
    u, v = np.round(fx * p[:, 0] / p[:, 2] + cx).astype(int), np.round(fy * p[:, 1] / p[:, 2] + cy).astype(int)
    inside = (u >= 0) & (u < 320) & (v >= 0) & (v < 240)
    reach = params.tolerance_sigmas * depth_noise(p[:, 2], params.noise_base_m, params.noise_quadratic)
    surface = views.surface[t][np.clip(v, 0, 239), np.clip(u, 0, 319)]
    expected = inside & (np.abs(surface - p[:, 2]) <= reach + params.tolerance_m)
    assert 50 < expected.sum() < n / 2

    known, in_view, seen = warp(views, work, t, params)
    assert known == (votes > 0).sum()
    assert abs(in_view - (inside & (votes > 0)).sum()) <= 2  # float32 against float64 at the border
    assert abs(seen - expected.sum()) <= 2
    found = set(work.hit[:seen].tolist())
    assert len(found ^ set((v * 320 + u)[expected].tolist())) <= 4

    N = views.start.shape[1] - 1
    label = views.labels[t][work.hit[:seen]]
    size, vote = work.hit_side[:seen].astype(float) ** 2, work.hit_vote[:seen]
    np.testing.assert_allclose(size, (side * fx / work.hit_depth[:seen]) ** 2, rtol=1e-5)
    area = np.diff(views.start[t])
    covered = np.minimum(np.bincount(label, size, N), area)
    plus = np.bincount(label, size * np.maximum(vote, 0), N)
    minus = np.bincount(label, size * np.maximum(-vote, 0), N)
    share = np.divide(covered, plus + minus, out=np.zeros(N), where=covered > 0)
    np.testing.assert_allclose(work.positive[1:], share * plus, rtol=1e-4)
    np.testing.assert_allclose(work.negative[1:], share * minus, rtol=1e-4)


def point_at(views, t: int, pixel: tuple[int, int]) -> np.ndarray:
    """The point of the map on the surface seen at a pixel (row, column)."""
    fx, fy, cx, cy = views.intrinsics[t]
    z = float(views.surface[t][pixel])
    return (views.T_map_camera[t] @ np.array([(pixel[1] - cx) / fx * z, (pixel[0] - cy) / fy * z, z, 1.0]))[:3]


def test_votes_against_outweigh_and_are_bounded(table_session):
    views, params = table_session._views, table_session._params()
    work = new_workspace(views)
    forget(work.memory, 0.01)
    teach(work.memory, point_at(views, 2, (120, 160)), -50.0)
    _, _, seen = warp(views, work, 2, params)
    assert seen == 1
    assert work.hit[0] == 120 * 320 + 160
    assert work.hit_vote[0] == -MAX_VOTE
    assert work.negative.sum() == pytest.approx(float(work.hit_side[0]) ** 2)
    assert work.positive.sum() == 0


def test_only_split_superpixels_are_voted_on_by_pixel(table_session):
    """A voxel five pixels wide paints the 7×7 square about it, its middle most, where superpixels are split."""
    views, params = table_session._views, table_session._params()
    work = new_workspace(views)
    z = float(views.surface[2][120, 160])
    forget(work.memory, 5.0 * z / views.intrinsics[2, 0])
    teach(work.memory, point_at(views, 2, (120, 160)), 2.0)
    _, _, seen = warp(views, work, 2, params)
    work.tick[0] += 1
    work.state[:] = WHOLE
    splat(views, work, 2, seen, params)
    assert not (work.stamp == work.tick[0]).any()
    work.state[:] = SPLIT
    splat(views, work, 2, seen, params)
    square = np.zeros((240, 320))
    ring = np.maximum(*np.abs(np.mgrid[-3:4, -3:4]))
    square[117:124, 157:164] = 2.0 * (4 - ring)
    near = np.abs(views.surface[2] - z) < params.tolerance_m
    voted = np.where(work.stamp == work.tick[0], work.vote, 0.0).reshape(240, 320)
    np.testing.assert_array_equal(voted[near], square[near])
    assert near[117:124, 157:164].sum() > 20


def node_of(session, ids, frame: int, which: int) -> int:
    """The node that a prompt on object `which` ranks best by overlap with it."""
    prompt = PointPrompt.on(frame, middle(ids[frame] == which))
    found = session.prompt([prompt], 3)[0]
    best = max(
        found,
        key=lambda o: (o.mask.dense() & (ids[frame] == which)).sum() / (o.mask.dense() | (ids[frame] == which)).sum(),
    )
    return best.object_id % session._views.parent.shape[1]


def test_a_mask_learnt_and_warped_back_is_itself(table_scene, table_session):
    views, params = table_session._views, table_session._params()
    node = node_of(table_session, table_scene[1], 2, 2)
    work = new_workspace(views)
    forget(work.memory, 0.02)  # wider than the pixels learnt are apart
    first, end = views.first[2, node], views.end[2, node]
    work.state[first:end] = WHOLE
    area, _, split, box = outlined(views, work, 2)
    assert area == views.area[2, node]
    assert not split
    rows, columns = np.nonzero(((views.labels[2] >= first) & (views.labels[2] < end)).reshape(240, 320))
    assert box == (rows.min(), rows.max(), columns.min(), columns.max())
    learn(views, work, 2, box, area, node, 3.0, params)
    warp(views, work, 2, params)
    accumulate(work)
    found, agreement = best_node(views, work, 2, params)
    assert agreement > 0.95
    overlap = min(end, views.end[2, found]) - max(first, views.first[2, found])
    assert overlap > 0
    assert views.area[2, found] == pytest.approx(area, rel=0.05)


def test_best_node_is_the_best_of_all_nodes(table_session):
    """Against a loop over the labels of every node, with random evidence."""
    views, params = table_session._views, table_session._params()
    work = new_workspace(views)
    rng = np.random.default_rng(11)
    n = (views.nodes[0] + 1) // 2
    area = np.diff(views.start[0])[:n]
    for _ in range(5):
        plus = rng.integers(0, 30, n) * (rng.random(n) < 0.05)
        minus = rng.integers(0, 30, n) * (rng.random(n) < 0.05)
        work.positive[:], work.negative[:] = 0, 0
        work.positive[1 : n + 1], work.negative[1 : n + 1] = plus, minus
        accumulate(work)
        scores = []
        for k in range(views.nodes[0]):
            labels = np.arange(views.first[0, k], views.end[0, k])
            inside, against = plus[labels].sum(), minus[labels].sum()
            unseen = max(area[labels].sum() - inside - against - 0.5 * plus.sum(), 0)
            agreement = inside / (plus.sum() + against + params.unseen_cost * unseen)
            up = views.height[0, views.parent[0, k]] if views.parent[0, k] >= 0 else 0.0
            raw = (up - views.height[0, k] + 0.35 * up) if up else 0.0
            scores.append(agreement * (1 - params.contrast_say * (1 - raw / (raw + 0.5))))
        node, _ = best_node(views, work, 0, params)
        assert scores[node] == pytest.approx(max(scores), rel=1e-5)


def test_superpixels_are_taken_left_out_or_split_by_evidence(table_session):
    views = table_session._views
    work = new_workspace(views)
    area = np.diff(views.start[0])[:4].astype(float)
    node = int(views.parent[0, 0])
    inside = [k for k in range(4) if views.first[0, node] <= k < views.end[0, node]]
    work.positive[:], work.negative[:] = 0, 0
    decide(views, work, 0, node)
    assert all(work.state[k] == (WHOLE if k in inside else OUT) for k in range(4))
    work.negative[1] = 0.6 * area[0]  # superpixel 0 of the node is contradicted
    accumulate(work)
    decide(views, work, 0, node)
    assert work.state[0] == OUT
    work.positive[:], work.negative[:] = 0, 0
    work.positive[1], work.negative[1] = 0.4 * area[0], 0.3 * area[0]
    accumulate(work)
    decide(views, work, 0, -1)
    assert work.state[0] == SPLIT
    work.positive[:], work.negative[:] = 0, 0
    work.positive[1] = 0.4 * area[0]
    accumulate(work)
    decide(views, work, 0, -1)
    assert work.state[0] == WHOLE
    assert (work.state[1:] == OUT).all()


@given(seed=st.integers(0, 1000), rows=st.integers(1, 40), columns=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_packed_bits_are_numpys(table_session, seed, rows, columns):
    """Whole superpixels are inside, split ones where the vote of this tick is for it."""
    rng = np.random.default_rng(seed)
    views = table_session._views
    work = new_workspace(views)
    work.state[:] = rng.choice([OUT, WHOLE, SPLIT], len(work.state))
    work.tick[0] = 5
    work.stamp[:] = rng.integers(4, 6, len(work.stamp))
    work.vote[:] = rng.normal(size=len(work.vote))
    r, c = int(rng.integers(0, 200)), int(rng.integers(0, 260))
    out = np.full(9600, 255, np.uint8)
    size = pack(views, work, 1, (r, r + rows - 1, c, c + columns - 1), out)
    state = work.state[views.labels[1]]
    mask = (state == WHOLE) | ((state == SPLIT) & (work.stamp == 5) & (work.vote > 0))
    expected = np.packbits(mask.reshape(240, 320)[r : r + rows, c : c + columns])
    np.testing.assert_array_equal(out[:size], expected)
    assert (out[size:] == 255).all()


def test_metric_area_of_a_known_face(table_scene, table_session):
    """The blue box's front as the camera faces it: 0.22 m × 0.20 m and its foreshortened sides."""
    views = table_session._views
    node = node_of(table_session, table_scene[1], 2, 3)
    z = views.surface[2][table_scene[1][2] == 3]
    expected = float((z.astype(np.float64) ** 2).sum() / 290.0**2)
    assert metric_area(views, 2, node) == pytest.approx(expected, rel=0.1)
    assert 0.04 < expected < 0.1


def test_a_correction_takes_the_node_of_the_objects_size(table_scene, table_session):
    views, ids = table_session._views, table_scene[1]
    node = node_of(table_session, ids, 2, 2)
    click = middle(ids[3] == 2)[0].astype(int)
    label = views.labels[3][click[1] * 320 + click[0]]
    work = new_workspace(views)
    found = corrected_node(views, work, 3, np.array([label]), np.zeros(0, np.int32), metric_area(views, 2, node))
    inside = (views.labels[3] >= views.first[3, found]) & (views.labels[3] < views.end[3, found])
    truth = (ids[3] == 2).ravel()
    assert (inside & truth).sum() / (inside | truth).sum() > 0.75

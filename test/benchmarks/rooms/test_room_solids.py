"""Boxes and supports of meshes against known shapes and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.rooms.meshes import ball, box
from benchmarks.rooms.solids import (
    CELLS,
    MAX_BOXES,
    boxes_of,
    cover,
    filled,
    largest_rectangle,
    pieces,
    stands,
    supports_of,
    surface_points,
)
from benchmarks.rooms.textures import plain

RED = plain((0.8, 0.1, 0.1))


def mesh(*parts):
    vertices, triangles, start = [], [], 0
    for part in parts:
        vertices.append(part.vertices)
        triangles.append(part.triangles + start)
        start += len(part.vertices)
    return np.concatenate(vertices), np.concatenate(triangles)


def table():
    legs = [box((0.05, 0.05, 0.7), (x, y, 0), RED) for x in (-0.6, 0.6) for y in (-0.3, 0.3)]
    return mesh(box((1.3, 0.7, 0.04), (0, 0, 0.7), RED), *legs)


def shelf(front: bool):
    parts = [box((0.8, 0.3, 0.02), (0, 0, z), RED) for z in (0.0, 0.4, 0.8, 1.2)]
    parts += [box((0.02, 0.3, 1.22), (x, 0, 0), RED) for x in (-0.41, 0.41)]
    parts.append(box((0.84, 0.02, 1.22), (0, 0.16, 0), RED))
    if front:
        parts.append(box((0.84, 0.02, 1.22), (0, -0.16, 0), RED))
    return mesh(*parts)


def within(points, boxes, slack=1e-6):
    return ((points[:, None] >= boxes[None, :, 0] - slack) & (points[:, None] <= boxes[None, :, 1] + slack)).all(-1)


def test_surface_points_leave_no_gap_wider_than_asked():
    v, t = mesh(box((1.0, 0.5, 0.3), (0, 0, 0), RED))
    points = surface_points(v, t, 0.05)
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 50), np.linspace(-0.25, 0.25, 25)), -1).reshape(-1, 2)
    on_top = np.column_stack([grid, np.full(len(grid), 0.3)])
    nearest = np.linalg.norm(on_top[:, None] - points[None], axis=2).min(axis=1)
    assert nearest.max() <= 0.05
    assert ((points >= v.min(0) - 1e-9) & (points <= v.max(0) + 1e-9)).all()


def test_a_box_is_one_box():
    v, t = mesh(box((0.3, 0.5, 0.2), (0, 0, 0), RED))
    boxes = boxes_of(v, t)
    assert len(boxes) == 1
    np.testing.assert_allclose(boxes[0], [v.min(0), v.max(0)], atol=1e-9)


def test_the_room_under_a_table_is_free():
    v, t = table()
    boxes = boxes_of(v, t)
    assert len(boxes) <= MAX_BOXES
    assert within(surface_points(v, t, 0.02), boxes, slack=1.3 / CELLS / 2).any(axis=1).all()
    assert not within(np.array([[0.0, 0.0, 0.3], [0.3, 0.1, 0.4]]), boxes).any()
    assert within(np.array([[0.0, 0.0, 0.72]]), boxes).any()


def test_a_closed_thing_is_solid_and_a_ball_needs_few_boxes():
    v, t = mesh(ball(0.3, (0, 0, 0), RED))
    boxes = boxes_of(v, t)
    assert len(boxes) <= MAX_BOXES
    assert within(np.array([[0.0, 0.0, 0.3]]), boxes).any()
    assert within(surface_points(v, t, 0.03), boxes, slack=0.6 / CELLS / 2).any(axis=1).all()


@given(arrays(bool, st.tuples(*[st.integers(1, 4)] * 3)))
@settings(deadline=None)
def test_blocks_cover_all_cells_once(cells):
    found = np.zeros(cells.shape, int)
    blocks = cover(cells, cells.size)
    assert blocks is not None
    for first, last in blocks:
        found[tuple(slice(f, k + 1) for f, k in zip(first, last, strict=True))] += 1
    np.testing.assert_array_equal(found, cells)
    if cells.any():
        assert cover(cells, len(blocks) - 1) is None


def test_what_cells_enclose_is_filled_and_a_tunnel_is_not():
    shell = np.ones((5, 5, 5), bool)
    shell[1:4, 1:4, 0:4] = False  # open below: the floor closes it
    assert filled(shell).all()
    tunnel = np.ones((5, 5, 5), bool)
    tunnel[:, 2, 1:3] = False
    np.testing.assert_array_equal(filled(tunnel), tunnel)


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
@settings(deadline=None)
def test_largest_rectangle_is_that_of_brute_force(flat):
    n, m = flat.shape
    best = max(
        (i1 - i0) * (j1 - j0) if flat[i0:i1, j0:j1].all() else 0
        for i0 in range(n) for i1 in range(i0 + 1, n + 1) for j0 in range(m) for j1 in range(j0 + 1, m + 1)
    )  # fmt: skip
    i0, i1, j0, j1 = largest_rectangle(flat)
    assert (i1 - i0) * (j1 - j0) == best
    assert flat[i0:i1, j0:j1].all()


def test_a_table_carries_on_its_top_alone():
    (top,) = supports_of(*table())
    assert top.z == pytest.approx(0.74, abs=1e-6)
    assert (top.width, top.depth) == (pytest.approx(1.3, abs=0.05), pytest.approx(0.7, abs=0.05))
    assert (top.x, top.y) == (pytest.approx(0, abs=0.02), pytest.approx(0, abs=0.02))


def test_an_open_shelf_carries_on_its_boards_and_a_closed_one_on_its_top():
    heights = sorted(round(s.z, 2) for s in supports_of(*shelf(front=False)))
    assert heights == [0.02, 0.42, 0.82, 1.22]
    inner = next(s for s in supports_of(*shelf(front=False)) if round(s.z, 2) == 0.42)
    assert inner.clearance == pytest.approx(0.38, abs=1e-3)
    assert [round(s.z, 2) for s in supports_of(*shelf(front=True))] == [1.22]


def test_what_stands_and_what_would_fall():
    assert stands(*table())
    assert stands(*mesh(ball(0.1, (0, 0, 0), RED)))
    post, arm = box((0.05, 0.05, 0.5), (0, 0, 0), RED), box((0.6, 0.05, 0.05), (0.3, 0, 0.5), RED)
    assert not stands(*mesh(post, arm))


def test_pieces_apart_are_counted_and_pieces_that_touch_are_one():
    a = box((0.1, 0.1, 0.1), (0, 0, 0), RED)
    assert pieces(*mesh(a, box((0.1, 0.1, 0.1), (0.1, 0, 0), RED)), 0.02) == 1.0
    assert pieces(*mesh(a, box((0.1, 0.1, 0.1), (0.3, 0, 0), RED)), 0.02) == pytest.approx(0.5, abs=0.05)

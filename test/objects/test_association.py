"""Which found object is which earlier one: scenes by hand, an oracle that tries every pairing, bounds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import AssociationConfig
from any3dis_ros.objects import association
from any3dis_ros.objects.association import Known, carry_ids
from any3dis_ros.objects.cells import coarser, distinct, keys, level_of, to_cells, touching
from any3dis_ros.objects.instances import Instances

CONFIG = AssociationConfig()


def segmentation(objects, floor=None, empty_proposals=0) -> Instances:
    """Return objects (each P×3 metres, best first), floor points of no object, proposals that own no point."""
    parts = [np.zeros((0, 3)) if floor is None else floor, *objects]
    labels = np.repeat(np.arange(len(parts), dtype=np.int32), [len(p) for p in parts])
    points = np.concatenate(parts).astype(np.float32)
    count = len(objects) + empty_proposals
    return Instances(
        points=points,
        colors=np.zeros((len(points), 3), np.uint8),
        superpoint=labels,
        proposals=np.zeros((count, len(parts)), bool),
        scores=np.linspace(1, 0.5, count, dtype=np.float32),
        labels=labels,
    )


def block(corner, size=(0.3, 0.3, 0.3), step=0.02) -> np.ndarray:
    """Return the points of a box, P×3 metres."""
    axes = [np.arange(0, s, step) + c for s, c in zip(size, corner, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def runs(*segmentations, config=CONFIG):
    """Return the ids of the objects of each run, best first, and what is known at the end."""
    known, ids = Known(), []
    for found in segmentations:
        found, known = carry_ids(found, known, config)
        assert len(set(found.ids.tolist())) == len(found.scores)
        assert (found.ids > 0).all()
        ids.append([o.id for o in found.instances])
    return ids, known


A, B, C = block((0, 0, 0)), block((1, 0, 0)), block((2, 0, 0), (0.6, 0.1, 0.1))


def test_the_first_run_keeps_the_ids_it_came_with():
    loaded = replace(segmentation([A, B]), ids=np.array([12, 7], np.int32))
    assert runs(loaded, segmentation([C, B, A]))[0] == [[12, 7], [13, 7, 12]]


def test_ids_follow_the_objects_not_their_ranks():
    assert runs(segmentation([A, B, C]), segmentation([C, A, B]))[0] == [[1, 2, 3], [3, 1, 2]]


def test_added_and_removed_objects_and_one_that_comes_back():
    first, gone, back = segmentation([A, B]), segmentation([C, B]), segmentation([A, C, block((3, 3, 0))])
    assert runs(first, gone, back)[0] == [[1, 2], [3, 2], [1, 3, 4]]


@pytest.mark.parametrize(("shift", "same"), [(0.01, True), (0.05, True), (0.25, False)])
def test_an_object_that_moved_a_little_is_the_same(shift, same):
    assert runs(segmentation([A, B]), segmentation([A + shift, B]))[0][1] == ([1, 2] if same else [3, 2])


def test_a_map_shifted_and_noisy_by_half_its_spacing():
    rng = np.random.default_rng(0)
    noisy = [o + rng.normal(0, 0.005, o.shape) + 0.01 for o in (B, C, A)]
    assert runs(segmentation([A, B, C]), segmentation(noisy))[0][1] == [2, 3, 1]


@pytest.mark.parametrize("steps", [(0.02, 0.05, 0.02), (0.05, 0.01, 0.05)])
def test_maps_of_another_resolution(steps):
    def room(step, order):
        objects = [
            block((0, 0, 0), step=step),
            block((0.5, 0, 0), step=step),
            block((0, 0.6, 0), (0.5, 0.2, 0.1), step),
        ]
        return segmentation([objects[k] for k in order])

    orders = [(0, 1, 2), (2, 0, 1), (1, 2, 0)]
    ids, known = runs(*(room(step, order) for step, order in zip(steps, orders, strict=True)))
    assert ids == [[k + 1 for k in order] for order in orders]
    assert len(known.ids) == 3


def test_what_a_region_leaves_out_is_not_forgotten():
    floor = block((-0.5, -0.5, -0.02), (3.2, 1.2, 0.01))
    whole = segmentation([A, B, C], floor)
    part = segmentation([A[A[:, 0] < 0.1]], floor[floor[:, 0] < 0.1])  # a third of A, nothing else
    assert runs(whole, part, part, whole)[0] == [[1, 2, 3], [1], [1], [1, 2, 3]]
    assert runs(part, whole, part)[0] == [[1], [1, 2, 3], [1]]


LONG = block((0, 2, 0), (3, 0.2, 0.2))


@pytest.mark.parametrize("step", [0.02, 0.005, 0.05])
def test_of_a_long_object_its_end_alone_and_then_the_whole(step):
    end = block((0, 2, 0), (0.2, 0.2, 0.2), step)
    ids, known = runs(segmentation([A, LONG]), segmentation([end]), segmentation([LONG, A]))
    assert ids == [[1, 2], [2], [2, 1]]
    _, after_end = runs(segmentation([A, LONG]), segmentation([end]))
    assert (2.0 ** after_end.levels.astype(float)).tolist() == [max(0.0625, 2.0 ** level_of(end)), 0.0625]
    _, once = runs(segmentation([LONG, A]))
    np.testing.assert_array_equal(known.cells, once.cells)


def test_what_the_map_shows_replaces_what_was_known_there():
    floor = block((-0.5, -0.5, -0.02), (3.2, 1.2, 0.01))
    walk = [segmentation([A + [0.05 * k, 0, 0]], floor) for k in range(10)]
    ids, known = runs(*walk)
    assert ids == [[1]] * 10
    _, last = runs(walk[-1])
    np.testing.assert_array_equal(known.cells, last.cells)


def test_a_part_seen_where_the_map_shows_the_rest_to_be_something_else():
    left, right = A[A[:, 0] < 0.05], A[A[:, 0] >= 0.05]
    assert runs(segmentation([A]), segmentation([left, right]))[0][1] == [2, 1]  # the larger part stays the object
    ids, known = runs(segmentation([A]), segmentation([left, right]), segmentation([A]), segmentation([right, left]))
    assert ids[2:] == [[1], [1, 2]]
    assert sorted(known.ids) == [1, 2]


def test_proposals_without_points_take_no_ids_away():
    first = segmentation([A, B], empty_proposals=2)
    found, known = carry_ids(first, Known(), CONFIG)
    assert (found.ids.tolist(), known.next_id) == ([1, 2, 3, 4], 3)
    found, known = carry_ids(segmentation([C, A], empty_proposals=3), known, CONFIG)
    assert (found.ids.tolist(), known.next_id) == ([3, 1, 4, 5, 6], 4)


def test_nothing_found_and_nothing_known():
    ids, known = runs(
        Instances.empty(), segmentation([A]), Instances.empty(), segmentation([], floor=B), segmentation([B, A])
    )
    assert ids == [[], [1], [], [], [2, 1]]
    assert known.next_id == 3


def test_a_lone_point_and_coordinates_far_out():
    far = [block((1e5, -2e5, 0)), block((1e5 + 1, -2e5, 0))]
    assert runs(segmentation(far), segmentation(far[::-1]))[0][1] == [2, 1]
    stray = np.array([[1e30, 0, 0], [-3e38, -3e38, -3e38], [np.nan, 0, 0]])
    assert runs(segmentation([A, B], stray), segmentation([B, A], stray))[0][1] == [2, 1]
    assert runs(segmentation([A], stray), segmentation([B], stray))[0] == [[1], [2]]
    assert runs(segmentation([A[:1]]), segmentation([A[:1]]))[0][1] == [1]


def test_the_bound_forgets_what_was_longest_not_found_but_gives_no_id_twice():
    config = AssociationConfig(max_objects=2)
    D = block((4, 0, 0))
    ids, known = runs(*(segmentation([o]) for o in (A, B, D, B, A)), config=config)
    assert ids == [[1], [2], [3], [2], [4]]  # A was forgotten when D came; B was found again before A came
    assert known.ids.tolist() == [4, 2]
    best = runs(segmentation([A, B, C]), segmentation([C, B, A]), config=config)
    assert best[0][1] == [4, 2, 1]  # of more objects than the bound the best are remembered


def test_cells_are_bounded_too(monkeypatch):
    _, one = runs(segmentation([A]))
    monkeypatch.setattr(association, "MOST_CELLS", 2 * len(one.cells))
    _, known = runs(*(segmentation([block((k, 0, 0))]) for k in range(5)))
    assert known.ids.tolist() == [5, 4]
    assert len(known.cells) <= 2 * len(one.cells)


def test_two_thousand_objects_are_known_in_less_than_the_map_takes():
    rng = np.random.default_rng(1)
    corners = np.stack(np.meshgrid(np.arange(50), np.arange(40), indexing="ij"), -1).reshape(-1, 2) * 0.4
    objects = [block((x, y, 0), rng.uniform(0.1, 0.3, 3), 0.03) for x, y in corners]
    order = rng.permutation(len(objects))
    first, again = segmentation(objects), segmentation([objects[k] for k in order])
    ids, known = runs(first, again, first)
    assert ids[1] == (order + 1).tolist()
    assert ids[2] == ids[0]
    held = sum(getattr(known, name).nbytes for name in ("ids", "centers", "levels", "cells", "owner"))
    assert held < first.points.nbytes
    assert len(known.ids) == 2000


rows = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=6, unique=True)


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(0, 10**6), st.data())
def test_the_same_scene_gives_the_same_ids_whatever_the_order_of_ranks(count, seed, data):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 0.5, (40 * count, 3))  # objects through one another, down to a point each
    owner = rng.integers(-1, count, len(points))
    owner[:count] = np.arange(count)
    objects = [points[owner == k] for k in range(count)]
    _, known = carry_ids(segmentation(objects, points[owner < 0]), Known(), CONFIG)
    for _ in range(2):
        order = data.draw(st.permutations(range(count)))
        found = segmentation([objects[k] for k in order], points[owner < 0])
        found, known = carry_ids(found, known, CONFIG)
        assert [o.id for o in found.instances] == [k + 1 for k in order]
    assert known.next_id == count + 1


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3)), max_size=4), max_size=5))
def test_ids_are_given_once_and_stay_with_one_place(scenes):
    """Blocks on a grid of 5×5 places, so far apart that none touches its neighbour: a place is an object."""
    known, next_id = Known(), 1
    for scene in scenes:
        places = {(x, y): size for x, y, size in scene}
        before = dict(zip(known.ids.tolist(), np.round(known.centers[:, :2]).astype(int).tolist(), strict=True))
        found = segmentation([block((x, y, 0), (0.1 * s,) * 3, 0.05) for (x, y), s in places.items()])
        found, known = carry_ids(found, known, CONFIG)
        ids = [o.id for o in found.instances]
        assert len(set(ids)) == len(ids) == len(places)
        for one, place in zip(ids, places, strict=True):
            assert before.get(one, list(place)) == list(place)
            assert one in before or one >= next_id
        assert len(set(known.ids.tolist())) == len(known.ids)
        assert known.next_id >= max([next_id, *[i + 1 for i in ids]])
        next_id = known.next_id


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10**6))
def test_pairs_are_the_best_of_all_pairings(earlier, later, seed):
    """Blocks of random places and sizes in a small room; the oracle compares points and tries every pairing."""
    rng = np.random.default_rng(seed)

    def room(count):
        owner = np.zeros((12, 12), int)  # cells of 0.5 m: touching is being next to one another
        for k in range(count):
            (r, c), (h, w) = rng.integers(0, 9, 2), rng.integers(1, 6, 2)
            owner[r : r + h, c : c + w] = k + 1
        kept = [np.argwhere(owner == k + 1) for k in range(count) if (owner == k + 1).any()]
        return kept, np.argwhere(owner == 0)

    def found(cells, floor):
        raised = [np.column_stack([c, np.zeros(len(c))]) for c in (*cells, floor)]
        return segmentation([0.5 * r + 0.25 for r in raised[:-1]], 0.5 * raised[-1] + 0.25)

    (a, floor_a), (b, floor_b) = room(earlier), room(later)
    _, known = carry_ids(found(a, floor_a), Known(), CONFIG)
    assert known.levels.tolist() == [0] * len(a)  # cells of 1 m hold 2×2 points
    second, _ = carry_ids(found(b, floor_b), known, CONFIG)

    def iou(one, other):
        one, other = ({tuple(c) for c in cells // 2} for cells in (one, other))
        near = [
            {t for t in x if any(max(abs(t[0] - u[0]), abs(t[1] - u[1])) <= 1 for u in y)}
            for x, y in ((one, other), (other, one))
        ]
        p, r = len(near[0]) / len(one), len(near[1]) / len(other)
        return p * r / (p + r - p * r) if p and r else 0.0

    table = np.array([[iou(x, y) for y in b] for x in a])
    table[table < CONFIG.min_iou] = 0

    def total(pairs):
        return sum(table[k, q] for k, q in pairs)

    slots = [*range(len(a)), *[None] * len(b)]
    best = max(
        total((k, q) for q, k in enumerate(choice) if k is not None)
        for choice in set(itertools.permutations(slots, len(b)))
    )
    ids = [o.id for o in second.instances]
    pairs = [(one - 1, q) for q, one in enumerate(ids) if one <= len(a)]
    assert all(table[k, q] > 0 for k, q in pairs)
    assert total(pairs) == pytest.approx(best, abs=2e-3 * len(b))  # the nearer centre may cost a thousandth each


def test_overlap_by_hand():
    """Ten cells in a row against the last four of them and two beyond: p = 5/10, as one more touches, r = 5/6."""
    row = block((0.5, 0.5, 0.5), (10, 1, 1), 1.0)
    other = row[6:].tolist() + [[10.5, 0.5, 0.5], [11.5, 0.5, 0.5]]
    known = Known(np.array([1]), row.mean(0)[None], np.zeros(1, np.int8), to_cells(row, 0), np.zeros(10, np.int32), 2)
    cells = to_cells(np.array(other), 0)
    everything = np.concatenate([cells, to_cells(row[:6], 0)])
    owner = np.concatenate([np.zeros(len(cells), np.int32), np.full(6, -1, np.int32)])
    iou, covered = association._compared(known, association._Cloud(everything, owner, 0), 1)
    p, r = 5 / 10, 5 / 6
    assert iou.tolist() == [[pytest.approx(p * r / (p + r - p * r))]]
    assert covered.all()
    iou, covered = association._compared(known, association._Cloud(cells, owner[: len(cells)], 0), 1)
    assert iou.tolist() == [[pytest.approx(1 * r / (1 + r - 1 * r))]]  # of the earlier only what this map covers counts
    assert covered.tolist() == [False] * 5 + [True] * 5


@given(st.integers(0, 10**6), st.integers(-4, 0), st.integers(0, 4))
def test_cells_of_a_coarser_level_are_those_of_the_points(seed, level, up):
    points = np.random.default_rng(seed).normal(0, 3, (50, 3))
    np.testing.assert_array_equal(coarser(to_cells(points, level), level, level + up), to_cells(points, level + up))


@given(rows)
def test_cells_touch_where_no_axis_is_two_apart(cells):
    key = np.sort(keys(np.array(cells, np.int32)))
    order = np.argsort(keys(np.array(cells, np.int32)))
    apart = np.abs(np.array(cells)[:, None] - np.array(cells)[None]).max(2)[np.ix_(order, order)]
    np.testing.assert_array_equal(touching(key).toarray(), apart <= 1)


def test_distinct_cells_of_each_group():
    cells = np.array([[0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 1]], np.int32)
    got, group = distinct(cells, np.array([1, 0, 0, 1], np.int32))
    assert (got.tolist(), group.tolist()) == ([[0, 0, 0], [0, 0, 1], [0, 0, 1]], [0, 0, 1])


@pytest.mark.parametrize(
    ("spacing", "edge"), [(0.005, 0.015625), (0.02, 0.0625), (0.03, 0.0625), (1e-12, 2**-9), (99, 8)]
)
def test_cells_are_two_to_four_spacings_wide(spacing, edge):
    points = spacing * np.stack(np.meshgrid(*[np.arange(8.0)] * 3), -1).reshape(-1, 3)
    assert 2.0 ** level_of(points) == edge

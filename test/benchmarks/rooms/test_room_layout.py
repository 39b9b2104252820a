"""Rooms are furnished without interpenetration, and the camera walks through them as a person would."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rooms import furniture, small_things, storage
from benchmarks.rooms.camera_path import CLEARANCE_M, MAX_ACCELERATION, MAX_SPEED, MAX_TURN, motion
from benchmarks.rooms.furnish import MAX_THINGS, MIN_THINGS, furnish
from benchmarks.rooms.layout import Placed, overlaps
from benchmarks.rooms.models import Model

ROOMS = {seed: furnish(np.random.default_rng([seed, 1])) for seed in range(1, 7)}
MAKERS = [
    getattr(module, name)
    for module in (furniture, small_things, storage)
    for name in dir(module)
    if getattr(getattr(module, name), "__module__", "") == module.__name__ and not name.startswith("_")
]
MAKERS = [maker for maker in MAKERS if callable(maker)]


def inside(points: np.ndarray, box: np.ndarray, shrink: float) -> np.ndarray:
    """Which points are inside the turned box by more than `shrink`."""
    c, s = np.cos(box[6]), np.sin(box[6])
    d = points - box[:3]
    local = np.stack([c * d[:, 0] + s * d[:, 1], -s * d[:, 0] + c * d[:, 1], d[:, 2]], axis=1)
    return (np.abs(local) < box[3:6] - shrink).all(axis=1)


def lattice(box: np.ndarray, n: int) -> np.ndarray:
    """A grid of n³ points that fills the turned box, its surface included."""
    g = np.stack(np.meshgrid(*[np.linspace(-1, 1, n)] * 3), axis=-1).reshape(-1, 3) * box[3:6]
    c, s = np.cos(box[6]), np.sin(box[6])
    return np.stack([c * g[:, 0] - s * g[:, 1], s * g[:, 0] + c * g[:, 1], g[:, 2]], axis=1) + box[:3]


box_numbers = st.tuples(*[st.floats(-0.6, 0.6)] * 3, *[st.floats(0.1, 0.5)] * 3, st.floats(-3.2, 3.2)).map(np.array)


@given(box_numbers, box_numbers)
@settings(max_examples=60, deadline=None)
def test_overlap_agrees_with_sampled_volumes(a, b):
    shared = inside(lattice(a, 25), b, 0.0).any() or inside(lattice(b, 25), a, 0.0).any()
    deep = inside(lattice(a, 25), b, 0.03).any()
    found = overlaps(a[None], b[None], 0.0)[0, 0]
    if deep:
        assert found
    if found and not shared:  # too thin a contact for the lattice: then it is no deeper than the lattice's pitch
        assert not overlaps(a[None], b[None], 0.1)[0, 0]


@pytest.mark.parametrize("seed", ROOMS)
def test_no_two_things_share_volume(seed):
    things = ROOMS[seed].placed
    for i, a in enumerate(things):
        for b in things[i + 1 :]:
            if np.hypot(a.x - b.x, a.y - b.y) > 3:
                continue
            for box_a in a.boxes:
                points = lattice(box_a, 5)
                assert not any(inside(points, box_b, 0.003).any() for box_b in b.boxes), (a.model.name, b.model.name)


@pytest.mark.parametrize("seed", ROOMS)
def test_things_are_in_the_room_and_stand_on_something(seed):
    plan = ROOMS[seed]
    assert MIN_THINGS - 1 <= len(plan.placed) <= MAX_THINGS + 1
    tops = [box[2] + box[5] for thing in plan.placed for box in thing.boxes]
    for thing in plan.placed:
        points = np.concatenate([lattice(box, 2) for box in thing.boxes])
        assert points.min() > -2e-3
        assert (points.max(0) <= np.array([plan.width, plan.depth, plan.height]) + 2e-3).all()
        if thing.model.name != "picture":
            assert thing.z == 0 or min(abs(thing.z - top) for top in tops) < 0.02


def test_rooms_differ_and_hold_big_and_small_things():
    for plan in ROOMS.values():
        extent = [float((t.model.high - t.model.low).max()) for t in plan.placed]
        assert sum(e > 0.7 for e in extent) >= 4
        assert sum(e < 0.5 for e in extent) >= 4
    names = {tuple(t.model.name for t in plan.placed) for plan in ROOMS.values()}
    assert len(names) == len(ROOMS)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_models_stand_on_the_floor_with_outward_faces(maker, rng):
    model = maker(rng)
    assert isinstance(model, Model)
    assert abs(model.low[2]) < 0.02
    assert (model.high - model.low < 2.3).all()
    for part in model.parts:
        v, t = part.vertices, part.triangles
        assert t.max() < len(v)
        assert np.isfinite(v).all()
    for support in model.supports:
        assert support.z <= model.high[2] + 1e-9


def test_path_is_smooth(run):
    speed, acceleration, turn = motion(run.path.poses(np.arange(0, 4, 1 / 120)), 120)
    assert speed.mean() > 0.1
    assert speed.max() < 1.05 * MAX_SPEED
    assert acceleration.max() < 1.2 * MAX_ACCELERATION
    assert turn.max() < 1.05 * MAX_TURN


def test_path_keeps_out_of_things_and_walls(run):
    T = run.path.poses(np.arange(0, 4, 1 / 30))
    eyes = T[:, :3, 3]
    assert (eyes > 0).all()
    assert (eyes < run.room.size).all()
    for thing in run.room.things:
        for box in thing.boxes:
            assert not inside(eyes, box, -0.99 * CLEARANCE_M / np.sqrt(3)).any()


def test_path_poses_are_rigid_and_upright(run):
    T = run.path.poses(np.linspace(0, 4, 50))
    R = T[:, :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    assert (R[:, 2, 1] < -0.5).all()  # the image's y points down


def test_placed_boxes_follow_the_yaw():
    model = storage.bench(np.random.default_rng(1))
    turned = Placed(model, 1.0, 2.0, 0.0, np.pi / 2)
    corners = np.concatenate([lattice(b, 2) for b in turned.boxes])
    np.testing.assert_allclose(np.ptp(corners, axis=0)[:2], (model.high - model.low)[[1, 0]], atol=1e-9)

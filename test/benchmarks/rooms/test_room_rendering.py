"""Rendered depth and ids against analytic surfaces; the generator is a function of its seed."""

import numpy as np
import pytest

from benchmarks.rooms.capture import pinhole, prepare, shoot
from benchmarks.rooms.ground_truth import VOXEL_M, SurfaceAccumulator
from benchmarks.rooms.meshes import ball, box, corner_normals, cylinder, rounded_box, sheet, transform
from benchmarks.rooms.rendering import Renderer, View
from benchmarks.rooms.room import FIRST_THING, FLOOR, build_room, merge
from benchmarks.rooms.textures import CHECKER, Texture, plain

RED, BLUE = plain((0.8, 0.1, 0.1)), plain((0.1, 0.1, 0.8))
LIGHTS = np.array([(0.0, 0.0, -3.0)])


def renderer(*pieces):
    return Renderer(merge([(i, part, np.eye(4)) for i, part in pieces]), LIGHTS)


def test_depth_of_a_plane_is_analytic(tiny_camera):
    # n · p = d, in the camera's frame (the camera is at the origin of the room here).
    n, d = np.array([0.3, -0.2, 0.933]), 2.0
    a, b = np.cross(n, (0, 1, 0)), np.cross(n, (1, 0, 0))
    middle = n * d / (n @ n)
    corners = [middle + 9 * (s * a + t * b) for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    depth, instance = renderer((5, sheet(np.array(corners), RED))).geometry(tiny_camera, np.eye(4))
    v, u = np.mgrid[: tiny_camera.height, : tiny_camera.width]
    K = tiny_camera.K
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], axis=-1)
    np.testing.assert_allclose(depth, d / (rays @ n), rtol=2e-5)
    assert (instance == 5).all()


def test_depth_of_a_sphere_is_analytic(tiny_camera):
    r, centre = 0.5, np.array([0.1, -0.05, 2.0])
    part = ball(r, (centre[0], centre[1], centre[2] - r), RED)
    depth, instance = renderer((9, part)).geometry(tiny_camera, np.eye(4))
    v, u = np.mgrid[: tiny_camera.height, : tiny_camera.width]
    K = tiny_camera.K
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], axis=-1)
    square, along = (rays**2).sum(-1), rays @ centre
    root = along**2 - square * (centre @ centre - r * r)
    expected = (along - np.sqrt(np.maximum(root, 0))) / square
    core = root > 0.15 * r * r  # the facets of the mesh show at the rim
    assert core.sum() > 100
    np.testing.assert_allclose(depth[core], expected[core], atol=0.025 * r)
    assert (instance[root > 0.1 * r * r] == 9).all()
    assert (instance[root < 0] == 0).all()


def test_pose_moves_the_view(tiny_camera):
    wall = sheet(np.array([(-9, 3, -9), (9, 3, -9), (9, 3, 9), (-9, 3, 9)]), RED)
    T = transform((0.5, 1.0, 0.2), roll=-np.pi / 2)  # looks along +y of the room
    depth, _ = renderer((2, wall)).geometry(tiny_camera, T)
    np.testing.assert_allclose(depth, 2.0, rtol=1e-5)


def test_the_nearer_thing_hides_the_farther(tiny_camera):
    pieces = (3, box((4, 4, 0.1), (0, 0, 3), RED)), (4, box((0.4, 0.4, 0.4), (0, 0, 1), BLUE))
    view = renderer(*pieces).view(tiny_camera, np.eye(4))
    middle = (tiny_camera.height // 2, tiny_camera.width // 2)
    assert view.instance[middle] == 4
    assert view.depth[middle] == pytest.approx(1.0, abs=1e-5)
    assert view.color[middle][2] > view.color[middle][0]
    assert view.instance[2, 2] == 3
    assert view.color[2, 2, 0] > view.color[2, 2, 2]


def test_projector_shadow_lies_beside_the_nearer_thing(tiny_camera):
    pieces = (3, box((4, 4, 0.1), (0, 0, 3), RED)), (4, box((0.4, 0.4, 0.4), (0, 0, 1), BLUE))
    r = renderer(*pieces)
    assert not r.view(tiny_camera, np.eye(4)).shadow.any()
    shadow = r.view(tiny_camera, np.eye(4), baseline_m=0.075).shadow
    columns = np.flatnonzero(shadow[tiny_camera.height // 2])
    # The rim of the box at z = 1 hides b (1/1 - 1/3) f pixels of the wall on its left from a projector on the right.
    assert abs(len(columns) - 0.075 * (1 - 1 / 3) * tiny_camera.K[0, 0]) <= 1.5
    assert columns.max() < tiny_camera.width / 2


def test_checker_has_the_stated_period():
    camera = pinhole(320, 240)
    texture = Texture(CHECKER, (0.9, 0.9, 0.9), (0.1, 0.1, 0.1), scale=0.25)
    corners = np.array([(-2, -2, 2), (-2, 2, 2), (2, 2, 2), (2, -2, 2)], float)
    view = renderer((1, sheet(corners, texture))).view(camera, np.eye(4))
    bright = view.color[120, :, 0] > 0.5
    runs = np.diff(np.flatnonzero(np.diff(bright.astype(int))))
    np.testing.assert_allclose(runs, 0.25 / 2 * camera.K[0, 0], atol=1)


@pytest.mark.parametrize(
    "part",
    [
        box((1, 2, 3), (0, 0, 0), RED),
        ball(0.4, (0, 0, 0), RED),
        cylinder(0.3, 1, (0, 0, 0), RED),
        rounded_box((1, 0.6, 0.3), (0, 0, 0), RED, 0.1),
    ],
    ids=["box", "ball", "cylinder", "rounded_box"],
)
def test_solids_are_wound_outwards(part):
    v = part.vertices
    middle = v.mean(0)
    a, b, c = (v[part.triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    outward = ((a + b + c) / 3 - middle) * normal
    assert (outward.sum(1)[area > 1e-9] > 0).all()


def test_normals_keep_creases_and_smooth_curves():
    cube = merge([(1, box((1, 1, 1), (0, 0, 0), RED), np.eye(4))])
    assert np.allclose(np.abs(cube.normals).max(-1), 1, atol=1e-6)
    sphere = merge([(1, ball(1.0, (0, 0, -1), RED), np.eye(4))])
    corners = sphere.vertices[sphere.triangles]
    assert ((corners * sphere.normals).sum(-1) > 0.97).all()
    assert corner_normals(np.eye(3), np.array([[0, 1, 2]], np.int32), 0.7).shape == (1, 3, 3)


def test_same_seed_same_arrays():
    camera = pinhole(48, 36)
    twice = [list(shoot(prepare(4, 30), camera, 30, 10)) for _ in range(2)]
    for a, b in zip(*twice, strict=True):
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.color, b.color)
        np.testing.assert_array_equal(a.view.instance, b.view.instance)
        np.testing.assert_array_equal(a.T_room_camera, b.T_room_camera)
    other = next(shoot(prepare(5, 30), camera, 30, 10))
    assert (other.color != twice[0][0].color).any()


def test_keyframes_equal_the_frames_of_the_full_rate(run, tiny_camera):
    some = list(shoot(run, tiny_camera, 12, 1))
    key = list(shoot(run, tiny_camera, 12, 10))
    np.testing.assert_array_equal(some[10].depth, key[1].depth)
    np.testing.assert_array_equal(some[10].color, key[1].color)


def test_ids_agree_with_depth(run, tiny_camera):
    """A pixel's back-projected point lies on the box of some part of the thing that its id names."""
    shot = next(shoot(run, tiny_camera, 1))
    v, u = np.mgrid[: tiny_camera.height, : tiny_camera.width]
    K = tiny_camera.K
    z = shot.view.depth
    p = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], axis=-1)
    p = p @ shot.T_room_camera[:3, :3].T + shot.T_room_camera[:3, 3]
    assert (z > 0).all()
    np.testing.assert_allclose(p[shot.view.instance == FLOOR][:, 2], 0, atol=1e-5)
    assert (shot.view.instance >= FIRST_THING).sum() > 50
    for k, thing in enumerate(run.room.things):
        mine = p[shot.view.instance == FIRST_THING + k]
        T = np.linalg.inv(thing.T_room_model)
        local = mine @ T[:3, :3].T + T[:3, 3]
        low, high = thing.model.boxes[:, 0] - 1e-4, thing.model.boxes[:, 1] + 1e-4
        assert ((local[:, None] > low) & (local[:, None] < high)).all(-1).any(-1).all()


def test_names_cover_every_instance():
    room = build_room(2)
    assert set(np.unique(room.mesh.instance).tolist()) == set(room.names)


def test_surface_is_one_majority_point_a_voxel(tiny_camera):
    shape = (tiny_camera.height, tiny_camera.width)
    instance = np.full(shape, 2, np.int32)
    instance[:, : shape[1] // 2] = 8
    flat = View(
        np.full(shape, 1.0, np.float32), instance, np.ones(shape), np.zeros(shape, bool), np.full((*shape, 3), 0.5)
    )
    surface = SurfaceAccumulator()
    for _ in range(2):
        surface.add(flat, tiny_camera, np.eye(4), (0.4, 5.0))
    truth = surface.result(FIRST_THING)
    cells = np.rint(truth.xyz / VOXEL_M).astype(int)
    assert len(np.unique(cells, axis=0)) == len(cells)
    np.testing.assert_allclose(truth.xyz[:, 2], 1.0, atol=2e-4)
    assert set(truth.instance) == {2, 8}
    np.testing.assert_array_equal(truth.thing, truth.instance == 8)
    assert (truth.instance[truth.xyz[:, 0] < -0.03] == 8).all()
    assert (truth.rgb == 128).all()
    far = SurfaceAccumulator()
    far.add(flat, tiny_camera, np.eye(4), (1.5, 5.0))
    assert len(far.result(FIRST_THING).xyz) == 0

import numpy as np
import open3d as o3d
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.voxel_grid import VoxelGrid

CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]]))
DEPTH_MAX_M, TRUNCATION = 5.0, 4.0


def views(seed):
    """Return three views of a step, with noise."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(3):
        T = np.eye(4)  # voxels in rows and columns of pixels would be projected between two of them
        T[:3, :3] = Rotation.from_rotvec([0.3, 0.2 + 0.01 * k, -0.4]).as_matrix()
        T[:3, 3] = (0.0213 * k, -0.0117 * k, 0.0051 * k + 0.0017)
        depth = np.zeros((48, 64), np.uint16)  # Open3D takes nothing from the last column and row: nobody does
        depth[:-1, :-1] = (900 + 150 * (np.arange(64) > 30)[None] + rng.integers(0, 12, (48, 64)))[:-1, :-1]
        out.append(Frame(k, rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), depth, CAMERA, T))
    return out


def fused(grid, frames):
    for frame in frames:
        grid.integrate(frame, frame.depth, DEPTH_MAX_M, TRUNCATION)
    return grid


def by_open3d_alone(frames, voxel_size, least):
    """Return points and colours as Open3D gives them in metres, by its own extraction."""
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"), (o3d.core.float32,) * 3, ((1), (1), (3)), voxel_size, 8, 1000
    )
    for f in frames:
        images = [o3d.t.geometry.Image(o3d.core.Tensor(a)) for a in (f.depth, f.color)]
        K = [o3d.core.Tensor(f.camera.K + [[0, 0, shift], [0, 0, shift], [0, 0, 0]]) for shift in (0.0, 0.5)]
        rest = (o3d.core.Tensor(f.T_camera_map), 1000.0, DEPTH_MAX_M, TRUNCATION)
        blocks = grid.compute_unique_block_coordinates(images[0], K[0], *rest)
        grid.integrate(blocks, *images, K[1], *rest)  # which truncates projections to pixels
    cloud = grid.extract_point_cloud(weight_threshold=least)
    return np.hstack([cloud.point.positions.numpy(), cloud.point.colors.numpy() * 255])


@pytest.mark.parametrize("least", [0.0, 1.5])
@pytest.mark.parametrize("voxel_size", [0.02, 0.013])
def test_it_finds_the_surface_that_open3d_finds_in_metres(voxel_size, least):
    grid = VoxelGrid()
    grid.clear(voxel_size)
    found = np.hstack(fused(grid, views(3)).surface(least))
    expected = by_open3d_alone(views(3), voxel_size, least)
    assert len(expected) > 500
    assert abs(len(found) - len(expected)) <= 2  # a distance of just nothing may round to either side
    metres_and_colors = np.array([1e3] * 3 + [1.0] * 3)
    apart, _ = KDTree(expected * metres_and_colors).query(found * metres_and_colors)
    assert np.sort(apart)[-3] < 0.5  # millimetres and shades, of 255


def test_a_grid_that_was_emptied_is_as_new():
    fresh, used = VoxelGrid(), VoxelGrid()
    fresh.clear(0.02)
    used.clear(0.011)
    fused(used, views(7))
    used.clear(0.02)
    assert not len(used.surface(0.0)[0])
    for a, b in zip(fused(fresh, views(3)).surface(0.5), fused(used, views(3)).surface(0.5), strict=True):
        np.testing.assert_array_equal(np.sort(a, axis=0), np.sort(b, axis=0))


def test_blocks_beyond_the_room_at_first_keep_what_was_fused(monkeypatch):
    roomy, small = VoxelGrid(), VoxelGrid()
    monkeypatch.setattr("any3dis_ros.scene.voxel_grid._BLOCKS", 16)
    for grid in (roomy, small):
        grid.clear(0.013)
    assert len(small._key) == 16
    for a, b in zip(fused(small, views(3)).surface(0.5), fused(roomy, views(3)).surface(0.5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(small._key) > 64

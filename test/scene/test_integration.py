import numpy as np
import pytest

from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.integration import Voxels, integrate

R = 4
VOXEL, TRUNCATION = 0.02, 0.05
K = np.array([[50.0, 0, 7.5], [0, 50.0, 5.5], [0, 0, 1]])


def frame(depth, color):
    """A camera at the origin that looks along z, 16×12 pixels."""
    depth = np.full((12, 16), depth, np.uint16)
    return Frame(0, np.full((12, 16, 3), color, np.uint8), depth, Camera(16, 12, K), np.eye(4))


def fused(key, *frames):
    slot = np.arange(len(key))
    shape = (len(key), R, R, R)
    voxels = Voxels(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros((*shape, 3), np.float32))
    for f in frames:
        integrate(voxels, np.asarray(key, np.int32), slot, f, f.depth, VOXEL, TRUNCATION)
    return voxels


def test_distances_along_the_axis_are_those_of_a_wall():
    """The column x = y = 0 is seen by the centre; a wall at 0.5 m, voxels from 0.40 to 0.62 m."""
    voxels = fused([[0, 0, 5], [0, 0, 6], [0, 0, 7]], frame(500, (10, 20, 30)))
    z = np.arange(5 * R, 8 * R) * VOXEL
    before = 0.5 - z
    measured = before >= -TRUNCATION
    np.testing.assert_array_equal(voxels.weight[:, :, 0, 0].ravel(), measured)
    expected = np.where(measured, np.minimum(before / TRUNCATION, 1), 0)
    np.testing.assert_allclose(voxels.tsdf[:, :, 0, 0].ravel(), expected, atol=1e-6)
    np.testing.assert_array_equal(voxels.color[0, 0, 0, 0], [10, 20, 30])
    assert not voxels.color[2, -1, 0, 0].any()


def test_keyframes_are_averaged():
    voxels = fused([[0, 0, 6]], frame(500, 0), frame(520, 30), frame(510, 90))
    assert voxels.weight[0, 1, 0, 0] == 3
    assert voxels.tsdf[0, 1, 0, 0] == pytest.approx((0.51 - 0.5) / TRUNCATION, abs=1e-6)
    assert voxels.color[0, 1, 0, 0].tolist() == pytest.approx([40] * 3)


def test_a_voxel_takes_the_nearest_pixel_and_none_outside_the_image():
    wall = frame(500, 0)
    wall.depth[5:7, 7:9] = 0  # the four pixels about the principal point measured nothing
    voxels = fused([[x, y, 6] for x in (-1, 0) for y in (-1, 0)], wall)
    x, y = np.meshgrid(np.arange(-R, R), np.arange(-R, R), indexing="ij")
    column = np.floor(K[0, 0] * x * VOXEL / 0.5 + K[0, 2] + 0.5)
    row = np.floor(K[1, 1] * y * VOXEL / 0.5 + K[1, 2] + 0.5)
    inside = (column >= 0) & (column < 16) & (row >= 0) & (row < 12)
    inside &= ~((abs(column - 7.5) < 1) & (abs(row - 5.5) < 1))
    at_half_a_metre = voxels.weight.reshape(2, 2, R, R, R)[:, :, 1]  # block x, block y, y, x
    np.testing.assert_array_equal(at_half_a_metre.transpose(0, 3, 1, 2).reshape(2 * R, 2 * R), inside)
    assert 0 < inside.sum() < inside.size - 4


def test_what_lies_behind_the_camera_learns_nothing():
    assert not fused([[0, 0, -6], [0, 0, -1]], frame(500, 0)).weight.any()

import numpy as np
import pytest

from any3dis_ros.scene.zero_crossings import zero_crossings

R = 4


def grid(key, distance):
    """Return blocks in shuffled slots whose distances are `distance(x, y, z)` of the voxel, all of weight 2."""
    key = np.asarray(key, np.int32)
    slot = np.random.default_rng(5).permutation(len(key) + 3)[: len(key)].astype(np.int32)
    tsdf = np.full((len(key) + 3, R, R, R), np.nan, np.float32)
    color = np.zeros((len(key) + 3, R, R, R, 3), np.float32)
    z, y, x = np.mgrid[:R, :R, :R]
    for k, s in zip(key, slot, strict=True):
        voxel = [k[0] * R + x, k[1] * R + y, k[2] * R + z]
        tsdf[s] = distance(*voxel)
        color[s] = np.stack(voxel, -1) * 10
    return key, slot, tsdf, np.full_like(tsdf, 2), color


def test_a_plane_across_two_blocks_is_cut_where_it_stands():
    key, slot, tsdf, weight, color = grid([[0, 0, 0], [1, 0, 0]], lambda x, y, z: (x - 3.25) / 4)
    points, colors = zero_crossings(key, slot, tsdf, weight, color, 1.0)
    assert {tuple(p) for p in points} == {(3.25, y, z) for y in range(R) for z in range(R)}
    np.testing.assert_allclose(colors, points * 10, rtol=1e-6)


@pytest.mark.parametrize("front", [-1, 1])
def test_a_plane_that_lies_on_voxels_is_found_once(front):
    key, slot, tsdf, weight, color = grid([[0, 0, 0], [1, 0, 0]], lambda x, y, z: front * (x - 3) / 4)
    points, _ = zero_crossings(key, slot, tsdf, weight, color, 1.0)
    assert sorted(tuple(p) for p in points) == [(3, y, z) for y in range(R) for z in range(R)]


def test_an_edge_to_a_block_that_is_not_there_is_left_out():
    key, slot, tsdf, weight, color = grid([[0, 0, 0], [2, 0, 0]], lambda x, y, z: (x - 3.25) / 4)
    assert not len(zero_crossings(key, slot, tsdf, weight, color, 1.0)[0])


def test_both_ends_of_an_edge_must_weigh_more_than_the_least():
    key, slot, tsdf, weight, color = grid([[-1, 2, 0]], lambda x, y, z: y - 8.5)
    assert len(zero_crossings(key, slot, tsdf, weight, color, 1.0)[0]) == R * R
    weight[slot[0], 0, 0, 0] = 1.0
    weight[slot[0], 3, 1, 2] = 1.0
    assert len(zero_crossings(key, slot, tsdf, weight, color, 1.0)[0]) == R * R - 2

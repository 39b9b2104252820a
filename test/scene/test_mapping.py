from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boxes import BOXES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from any3dis_ros.config import MapConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import MapCloud, fuse, voxel_average, voxel_size

CONFIG = MapConfig(voxel_size_m=0.03)


def distance_to_boxes(points: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest surface of the test scene."""
    out = []
    for low, high in BOXES:
        outside = np.maximum(np.maximum(low - points, points - high), 0)
        inside = np.minimum(points - low, high - points).min(1)
        out.append(np.where(outside.any(1), np.linalg.norm(outside, axis=1), np.abs(inside)))
    return np.min(out, axis=0)


def test_fused_points_lie_on_the_surfaces(two_boxes):
    frames, _ = two_boxes
    cloud = fuse(frames, CONFIG)
    error = distance_to_boxes(cloud.points)
    assert np.median(error) < 0.004
    assert (error < 0.03).mean() > 0.97
    for low, high in BOXES[1:]:  # the top of each box is covered, at about one point a voxel
        top = (np.abs(cloud.points[:, 2] - high[2]) < 0.02) & (cloud.points[:, :2] > low[:2]).all(1)
        top &= (cloud.points[:, :2] < high[:2]).all(1)
        assert 0.7 < top.sum() / (np.prod(high[:2] - low[:2]) / CONFIG.voxel_size_m**2) < 1.5


@pytest.mark.parametrize("voxel", [0.008, 0.01, 0.013, 0.02])
def test_an_exact_wall_is_found_whole_also_where_it_lies_on_voxels(voxel):
    camera = Camera(160, 120, np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]))
    wall = Frame(0, np.zeros((120, 160, 3), np.uint8), np.full((120, 160), 2000, np.uint16), camera, np.eye(4))
    cloud = fuse([wall], MapConfig(voxel_size_m=voxel))
    np.testing.assert_allclose(cloud.points[:, 2], 2, atol=1e-6)
    area = (160 / 150 * 2) * (120 / 150 * 2)
    assert 0.95 < len(cloud) / (area / voxel**2) < 1.05


def test_colours_are_those_of_the_images(two_boxes):
    frames, hits = two_boxes
    cloud = fuse(frames, CONFIG)
    crate_color = frames[0].color[hits[0] == 1][0]
    low, high = BOXES[1]
    upper = [*(high[:2] - 0.06), high[2] + 0.02]
    well_inside = ((cloud.points > low + 0.06) & (cloud.points < upper)).all(1)
    assert well_inside.sum() > 20
    np.testing.assert_allclose(np.median(cloud.colors[well_inside], axis=0), crate_color, atol=2)


def test_fusing_twice_gives_the_same_cloud(two_boxes):
    frames, _ = two_boxes
    a, b = fuse(frames, CONFIG), fuse(frames, CONFIG)
    np.testing.assert_allclose(a.points, b.points, atol=1e-5)


def test_one_keyframe_is_enough(two_boxes):
    frames, _ = two_boxes
    assert len(fuse(frames[:1], CONFIG)) > 500


def test_depth_out_of_range_is_refused_with_the_range(two_boxes):
    frames, _ = two_boxes
    with pytest.raises(InputError, match=r"between 0.3 and 0.5 m"):
        fuse(frames, replace(CONFIG, depth_max_m=0.5))


def test_a_map_beyond_its_bound_names_the_voxel_size(two_boxes):
    frames, _ = two_boxes
    with pytest.raises(InputError, match=r"map.max_points = 1000.*voxel_size_m \(now 0.03"):
        fuse(frames, replace(CONFIG, max_points=1000))


def test_fusion_can_be_cancelled(two_boxes):
    def stop(stage: str, done: int, total: int, instances: int = 0) -> None:
        if done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fuse(two_boxes[0], CONFIG, stop)


def test_automatic_voxels_follow_the_resolution(two_boxes):
    frames, _ = two_boxes
    assert voxel_size(frames, MapConfig()) == 0.012  # 160 pixels wide, 2 m away: coarser than a room needs
    near = [replace(f, depth=(f.depth // 8).astype(np.uint16)) for f in frames]
    expected = 4 * np.median([d for f in near for d in f.depth[f.depth >= 50]]) * 0.001 / 150
    assert voxel_size(near, MapConfig(depth_min_m=0.05)) == pytest.approx(np.clip(expected, 0.005, 0.012), abs=0.0015)
    assert voxel_size(frames, MapConfig(voxel_size_m=0.07)) == 0.07


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (30, 3), elements=st.floats(-2, 2)), st.floats(0.05, 1.0))
def test_voxel_average_against_a_dictionary(points, size):
    values = np.arange(30.0)[:, None]
    cells: dict[tuple, list[int]] = {}
    for i, p in enumerate(points):
        cells.setdefault(tuple(np.floor(p / size + 0.5).astype(int)), []).append(i)
    expected = np.array([points[cells[c]].mean(0) for c in sorted(cells)])
    means, averaged = voxel_average(points, values, size)
    np.testing.assert_allclose(means, expected, atol=1e-9)
    np.testing.assert_allclose(averaged[:, 0], [np.mean(cells[c]) for c in sorted(cells)])


@pytest.mark.parametrize(
    ("points", "words"),
    [(np.zeros((0, 3), np.float32), "empty"), (np.full((5, 3), np.nan, np.float32), "5 of 5 map points are NaN")],
)
def test_a_cloud_without_usable_points_is_refused(points, words):
    with pytest.raises(InputError, match=words):
        MapCloud(points, np.zeros((len(points), 3), np.uint8))

from __future__ import annotations

import numpy as np
import pytest
from boxes import looking_at
from geometric_scenes import CAMERA, render

from any3dis_ros.config import GeometricConfig
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.geometric.edges import edge_map
from any3dis_ros.tracking.geometric.reduction import ReducedFrame, depth_noise, filled_inverse_depth, reduced
from any3dis_ros.tracking.geometric.superpixels import adjacency, superpixels
from any3dis_ros.tracking.geometric.views import prepare_view, stacked

CONFIG = GeometricConfig()
NOISE = (CONFIG.noise_base_m, CONFIG.noise_quadratic)


def frame_of(depth: np.ndarray, color: np.ndarray | None = None) -> Frame:
    h, w = depth.shape
    if color is None:
        color = np.full((h, w, 3), 128, np.uint8)
    K = np.array([[w, 0, (w - 1) / 2], [0, w, (h - 1) / 2], [0, 0, 1.0]])
    return Frame(0, color, depth.astype(np.uint16), Camera(w, h, K), np.eye(4))


def test_reduced_depth_stays_on_one_side_of_a_step():
    depth = np.full((240, 320), 1000)
    depth[:, 161:] = 2000  # inside a cell of two
    small = reduced(frame_of(depth), 160, NOISE).depth
    assert set(np.unique(small).tolist()) == {1.0, 2.0}


def test_reduced_depth_averages_noise_and_ignores_holes():
    depth = np.full((4, 4), 1000)
    depth[0, :2] = 1002
    depth[2, 2:], depth[3, 2] = 0, 0
    small = reduced(frame_of(depth), 2, NOISE).depth
    np.testing.assert_allclose(small, [[1.001, 1.0], [1.0, 1.0]], rtol=1e-6)
    depth[:] = 0
    assert (reduced(frame_of(depth), 2, NOISE).depth == 0).all()


def test_reduced_camera_sees_the_same_rays():
    small = reduced(frame_of(np.full((240, 320), 900)), 107, NOISE)
    assert small.depth.shape == (80, 107)
    assert small.color.shape == (80, 107, 3)
    K = small.camera.K
    np.testing.assert_allclose((np.array([-0.5, 106.5]) - K[0, 2]) / K[0, 0], [-0.5, 0.5], atol=1e-9)


def test_no_frame_is_enlarged():
    assert reduced(frame_of(np.full((48, 64), 900)), 320, NOISE).depth.shape == (48, 64)


def test_depth_noise_is_quadratic():
    assert depth_noise(0.4, 0.001, 0.002) == pytest.approx(0.001)
    assert depth_noise(1.4, 0.001, 0.002) == pytest.approx(0.003)


def test_holes_take_the_nearest_inverse_depth():
    depth = np.zeros((5, 9), np.float32)
    depth[2, 0], depth[2, 8] = 1.0, 2.0
    filled = filled_inverse_depth(depth)
    assert (filled[:, :4] == 1.0).all()
    assert (filled[:, 5:] == 0.5).all()
    assert (filled_inverse_depth(np.zeros((3, 3), np.float32)) == 1.0).all()


def reduced_frame(depth: np.ndarray, color: np.ndarray | None = None) -> ReducedFrame:
    h, w = depth.shape
    camera = Camera(w, h, np.array([[290.0, 0, (w - 1) / 2], [0, 290.0, (h - 1) / 2], [0, 0, 1]]))
    return ReducedFrame(np.full((h, w, 3), 128, np.uint8) if color is None else color, depth.astype(np.float32), camera)


def plane(normal: tuple[float, float, float], offset: float, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Depth of the plane normal · p = offset."""
    h, w = shape
    u, v = np.meshgrid(np.arange(w), np.arange(h))
    x, y = (u - (w - 1) / 2) / 290.0, (v - (h - 1) / 2) / 290.0
    return offset / (normal[0] * x + normal[1] * y + normal[2])


def test_a_slanted_plane_has_no_edge():
    strength = edge_map(reduced_frame(plane((0.6, 0.3, 1.0), 1.5)), CONFIG).strength
    assert strength.max() < 0.05


def test_a_depth_step_is_an_edge_where_it_stands():
    depth = np.full((120, 160), 1.0)
    depth[:, 80:] = 1.2
    strength = edge_map(reduced_frame(depth), CONFIG).strength
    assert strength[:, 78:82].max(1).min() > 0.9
    assert strength[:, :70].max() < 0.05
    assert strength[:, 90:].max() < 0.05


def test_a_concave_crease_is_stronger_than_the_same_one_convex():
    corner = np.minimum(plane((0.7, 0, 1.0), 1.5), plane((-0.7, 0, 1.0), 1.5))  # farthest in the middle: a room's
    ridge = np.maximum(plane((0.7, 0, 1.0), 1.5), plane((-0.7, 0, 1.0), 1.5))
    concave, convex = (edge_map(reduced_frame(d), CONFIG).strength[30:90, 70:90].max() for d in (corner, ridge))
    assert concave > 0.8
    assert concave > 3 * convex


def test_a_colour_border_on_a_plane_is_a_weaker_edge():
    color = np.full((120, 160, 3), 90, np.uint8)
    color[:, 80:] = (200, 60, 60)
    strength = edge_map(reduced_frame(np.full((120, 160), 1.0), color), CONFIG).strength
    assert 0.4 < strength[60, 78:82].max() < 1.5
    assert strength[60, :70].max() < 0.05


def test_superpixels_cover_the_frame_and_keep_to_an_edge():
    strength = np.zeros((90, 90), np.float32)
    strength[:, 44:46] = 1.0
    labels = superpixels(strength, 9)
    assert set(np.unique(labels).tolist()) == set(range(100))
    assert not set(labels[:, :43].ravel().tolist()) & set(labels[:, 47:].ravel().tolist())
    assert len(np.unique(superpixels(np.zeros((5, 4), np.float32), 9))) == 1


def test_adjacency_counts_borders_like_a_loop():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.repeat(rng.permutation(12).reshape(3, 4), 3, 0), 2, 1).astype(np.int32)
    strength = rng.random(labels.shape).astype(np.float32)
    lab = rng.random((*labels.shape, 3)).astype(np.float32) * 100
    length: dict[tuple[int, int], int] = {}
    total: dict[tuple[int, int], float] = {}
    h, w = labels.shape
    for r in range(h):
        for c in range(w):
            for r2, c2 in ((r, c + 1), (r + 1, c)):
                if r2 < h and c2 < w and labels[r, c] != labels[r2, c2]:
                    key = tuple(sorted((int(labels[r, c]), int(labels[r2, c2]))))
                    length[key] = length.get(key, 0) + 1
                    total[key] = total.get(key, 0.0) + float(max(strength[r, c], strength[r2, c2]))
    for a, b in length:
        gap = np.linalg.norm(lab[labels == a].mean(0) - lab[labels == b].mean(0))
        total[a, b] += length[a, b] * 0.01 * float(gap)
    found = adjacency(labels, strength, lab, 0.01)
    assert [tuple(p) for p in found.pairs.tolist()] == sorted(length)
    np.testing.assert_allclose(found.length, [length[k] for k in sorted(length)])
    np.testing.assert_allclose(found.strength, [total[k] for k in sorted(length)], rtol=1e-5)


def test_a_prepared_view_is_consistent():
    view = prepare_view(render([], looking_at((0, -1.5, 1.2), (0, 0, 0.2)))[0], CONFIG)
    assert view.frame_shape == (CAMERA.height, CAMERA.width)
    flat = view.labels.ravel()
    for label in (0, 5, len(view.start) - 2):
        pixels = view.pixels[view.start[label] : view.start[label + 1]]
        assert (flat[pixels] == label).all()
        assert len(pixels) == (flat == label).sum()


@pytest.mark.parametrize(("superpixels", "kind"), [(1, np.uint16), (65_536, np.uint16), (65_537, np.uint32)])
def test_stacked_labels_are_as_wide_as_their_number_asks(superpixels, kind):
    frame = frame_of(np.full((240, 320), 1000))
    view = prepare_view(frame, CONFIG)
    labels = np.minimum(np.arange(240 * 320, dtype=np.int32), superpixels - 1).reshape(240, 320)
    start, box = np.zeros(superpixels + 1, np.int32), np.zeros((superpixels, 4), np.int32)
    many = view._replace(labels=labels, start=start, box=box, rim=start)
    views = stacked([many, view], [frame, frame])
    assert views.labels.dtype == kind
    assert (views.labels[0] == labels.ravel()).all()


def test_a_frame_without_depth_is_prepared_from_colour():
    view = prepare_view(frame_of(np.zeros((120, 160))), CONFIG)
    assert (view.depth == 0).all()
    assert view.labels.shape == (120, 160)

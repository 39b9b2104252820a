"""The product's stages against the published formulations, on small random input."""

from __future__ import annotations

import numpy as np
import pytest
from boxes import BOXES, PerfectTracker, looking_at, render_boxes
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import MergingConfig, RefinementConfig, SeedingConfig, SuperpointConfig, VisibilityConfig
from any3dis_ros.proposals.evidence import Evidence
from any3dis_ros.proposals.lifting import lift
from any3dis_ros.proposals.merging import Proposal, exclusive_labels, overlap, rank
from any3dis_ros.proposals.refinement import refine
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import MapCloud
from any3dis_ros.scene.superpoints import compute_superpoints
from any3dis_ros.scene.surface import build_surface
from any3dis_ros.scene.visibility import compute_visibility
from any3dis_ros.tracking.base import PointPrompt
from any3dis_ros.tracking.following import Candidate, MaskTrack, follow
from any3dis_ros.tracking.masks import PackedMask
from any3dis_ros.tracking.seeding import farthest_points, view_scores
from benchmarks.reference import merging, pivots, projection, proposals, superpoints, tracking

SEEDS = st.integers(0, 2**32 - 1)
H, W = 24, 32
CAMERA = Camera(W, H, np.array([[30.0, 0, 15.5], [0, 30.0, 11.5], [0, 0, 1]]))
THRESHOLD = 0.1


def keyframe_and_points(rng: np.random.Generator, count: int, t: int) -> tuple[Frame, np.ndarray]:
    """Random depth and pose, and points at pixels (not at their edges) that are clearly seen, or clearly not."""
    depth = rng.integers(500, 4000, (H, W)).astype(np.uint16)
    depth[rng.random((H, W)) < 0.1] = 0
    T = looking_at(tuple(rng.uniform(-1, 1, 3)), tuple(rng.uniform(2, 3, 3)))
    pixel = np.stack([rng.integers(-8, W + 8, count), rng.integers(-8, H + 8, count)], 1)
    measured = depth[np.clip(pixel[:, 1], 0, H - 1), np.clip(pixel[:, 0], 0, W - 1)] / 1000
    off = rng.choice([-1.0, -0.3, -0.15, -0.08, 0, 0.05, 0.08, 0.2, 1.0], count)
    z = np.where(measured > 0, measured, 2.0) + off
    z[np.abs(z) < 0.01] = 0.5
    at = pixel + rng.uniform(-0.4, 0.4, pixel.shape)
    rays = np.stack([(at[:, 0] - 15.5) / 30, (at[:, 1] - 11.5) / 30, np.ones(count)], 1)
    points = (rays * z[:, None]) @ T[:3, :3].T + T[:3, 3]
    return Frame(t, np.zeros((H, W, 3), np.uint8), depth, CAMERA, T), points.astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([1, 40, 700]))
def test_visibility_equals_dense_projection(seed, count):
    rng = np.random.default_rng(seed)
    frame, points = keyframe_and_points(rng, count, 0)
    superpoint = np.append(rng.integers(0, 5, count - 1), 4).astype(np.int32)
    shown, pixel = projection.project(points, frame, THRESHOLD)
    visible = compute_visibility(points, superpoint, [frame], VisibilityConfig(THRESHOLD))
    order = np.argsort(pixel[shown] @ [W, 1], kind="stable")
    np.testing.assert_array_equal(visible.keyframes[0].point, np.flatnonzero(shown)[order])
    np.testing.assert_array_equal(visible.keyframes[0].pixel, (pixel[shown] @ [W, 1])[order])
    np.testing.assert_array_equal(visible.seen()[0], projection.counted(shown, projection.members(superpoint)))
    np.testing.assert_array_equal(visible.views(count), shown)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_superpoints_equal_the_cut_edge_by_edge(seed):
    rng = np.random.default_rng(seed)
    x, y = np.mgrid[:20, :20] * 0.02
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(400)], 1)
    points = np.concatenate([floor, floor[:, [2, 0, 1]], floor + [0.6, 0, 0.05]])
    points = (points + rng.normal(0, 0.003, points.shape)).astype(np.float32)
    viewpoints = np.array([[0.3, 0.3, 2.0], [2.0, 0.2, 0.4]])
    config = SuperpointConfig()
    surface = build_surface(MapCloud(points, np.zeros((1200, 3), np.uint8)), config, viewpoints)
    expected = superpoints.superpoints(points, viewpoints, config)
    np.testing.assert_array_equal(compute_superpoints(surface, config), expected)
    assert 1 < expected.max() < 200


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_seeds_and_views_equal_equation_2(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 50, 60)
    seen = (rng.random((5, 60)) * (size + 1)).astype(np.int32)
    centroid = rng.random((60, 3))
    expected = pivots.view_scores(seen, size, centroid, 8)
    np.testing.assert_allclose(view_scores(seen, size, centroid, SeedingConfig(scale_neighbours=8)), expected, 1e-5)
    assert farthest_points(centroid, 20, 7).tolist() == pivots.farthest_points(centroid, 20, 7)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_lifting_and_algorithm_1_equal_counting_over_all_points(seed):
    rng = np.random.default_rng(seed)
    shots = [keyframe_and_points(rng, 200, t) for t in range(4)]
    frames, points = [f for f, _ in shots], np.concatenate([p for _, p in shots])
    superpoint = np.append(rng.integers(0, 12, 799), 11).astype(np.int32)
    # only its own points lie clear of a keyframe's pixel edges: the product's visibility is taken for both
    visible = compute_visibility(points, superpoint, frames, VisibilityConfig(THRESHOLD))
    masks = [np.zeros((H, W), bool) for _ in frames]
    shown, pixel = np.zeros((4, 800), bool), np.zeros((4, 800, 2), np.int64)
    for t, mask in enumerate(masks):
        r, c = rng.integers(0, 12), rng.integers(0, 16)
        mask[r : r + rng.integers(1, 20), c : c + rng.integers(1, 24)] = True
        own = visible.keyframes[t]
        shown[t, own.point] = True
        pixel[t, own.point] = np.stack(np.divmod(own.pixel, W), 1)
    inside = [proposals.in_mask(m, s, p) for m, s, p in zip(masks, shown, pixel, strict=True)]
    track = MaskTrack(0, 0, 1.0, {t: PackedMask.pack(m) for t, m in enumerate(masks)}, np.ones(4, bool))
    seen = visible.seen()
    (counts,) = lift([track], visible, seen)
    counts.run[:] = True  # the printed algorithm takes all views
    expected_inside, expected_seen = proposals.lift(inside, shown, projection.members(superpoint))
    np.testing.assert_array_equal(seen, expected_seen)
    np.testing.assert_array_equal(counts.inside, expected_inside[:, counts.superpoints])
    np.testing.assert_array_equal(np.flatnonzero(expected_inside.any(0)), counts.superpoints)
    config = RefinementConfig(strategy="view_dp")
    theta = np.zeros(12, bool)
    theta[counts.superpoints[refine(counts, config)]] = True
    np.testing.assert_array_equal(theta, proposals.algorithm_1(superpoint, inside, shown, config))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 60), st.integers(1, 25))
def test_merging_equals_point_masks(seed, smallest, count):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 12, 20)
    superpoint = np.repeat(np.arange(20), size)
    confidence = rng.choice([0.0, 0.3, 0.5, 0.9], count)
    several = []
    for _ in range(count):
        own = np.flatnonzero(rng.random(20) < 0.3) if rng.random() < 0.9 else np.array([3])
        own = own if len(own) else np.array([0])
        coverage = rng.choice([0.5, 0.75, 1.0], len(own)).astype(np.float32)
        several.append(Proposal(own, coverage, Evidence(0, 0, 1.0, 1.0, 1.0, 1.0, 1)))
    config = MergingConfig(min_points=smallest)
    shared = merging.shared_points([np.isin(superpoint, p.superpoints) for p in several], range(count))
    found = overlap(several, size)
    np.testing.assert_array_equal(found.toarray(), shared)
    assert rank(confidence, found, config) == merging.suppress(shared, confidence, config)
    strength = np.zeros((count, 20))
    for q, p in enumerate(several):
        strength[q, p.superpoints] = confidence[q] * p.coverage
    held = np.array([np.isin(superpoint, p.superpoints) for p in several])
    expected = merging.exclusive(held, strength[:, superpoint], config)
    np.testing.assert_array_equal(exclusive_labels(several, confidence, found, size, config)[superpoint], expected)


def test_following_many_equals_following_each_alone(two_boxes):
    frames, hits = two_boxes
    points = np.concatenate([low + (high - low) * np.random.default_rng(0).random((400, 3)) for low, high in BOXES])
    superpoint = np.repeat(np.arange(3, dtype=np.int32), 400)
    visible = compute_visibility(points.astype(np.float32), superpoint, frames, VisibilityConfig(0.5))
    session = PerfectTracker(hits)
    prompts = [PointPrompt.on(0, np.argwhere(hits[0] == box)[:1, ::-1]) for box in (1, 2)]
    born = [answers[0] for answers in session.prompt(prompts, 1)]
    candidates = [Candidate(box, prompted) for box, prompted in zip((1, 2), born, strict=True)]
    tracks = list(follow(session, candidates, visible, visible.seen(), SeedingConfig()))
    for track, prompted in zip(tracks, born, strict=True):
        alone = tracking.track_alone(session, prompted, len(frames))
        assert len(track.masks) > 1
        assert set(track.masks) <= set(alone)
        for t, mask in track.masks.items():
            np.testing.assert_array_equal(mask.packed().dense(), alone[t])


def test_a_rendered_crate_is_seen_where_the_reference_sees_it():
    frame, hit = render_boxes(BOXES, looking_at((2.0, 1.5, 1.5), (0, 0, 0.2)))
    v, u = np.nonzero(hit == 1)
    z = frame.depth[v, u] / 1000
    rays = np.stack([(u - frame.camera.K[0, 2]) / 60, (v - frame.camera.K[1, 2]) / 60, np.ones(len(u))], 1)
    points = ((rays * z[:, None]) @ frame.T_map_camera[:3, :3].T + frame.T_map_camera[:3, 3]).astype(np.float32)
    shown, pixel = projection.project(points, frame, 0.02)
    assert shown.all()
    np.testing.assert_array_equal(pixel, np.stack([v, u], 1))
    assert (
        pytest.approx(1)
        == compute_visibility(points, np.zeros(len(u), np.int32), [frame], VisibilityConfig(0.02)).views(len(u)).mean()
    )

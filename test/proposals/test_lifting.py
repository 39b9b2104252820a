from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import RefinementConfig
from any3dis_ros.proposals import lifting
from any3dis_ros.proposals.lifting import Counts, candidates, lift, lift_in_pieces
from any3dis_ros.proposals.pieces import Pieces
from any3dis_ros.scene.visible_points import Visibility, VisiblePoints
from any3dis_ros.tracking.following import MaskTrack
from any3dis_ros.tracking.masks import PackedMask

H, W, L = 6, 7, 4


@st.composite
def scenes(draw):
    """Random visible points of three keyframes, and a track with random masks in some of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    superpoint = np.append(rng.integers(0, L, 40), L - 1).astype(np.int32)
    keyframes = []
    for count in rng.integers(0, 30, 3):
        point = rng.choice(41, count, replace=False).astype(np.int32)
        pixel = np.sort(rng.integers(0, H * W, count)).astype(np.int32)
        keyframes.append(VisiblePoints.of(point, pixel, superpoint, W))
    visible = Visibility(tuple(keyframes), np.bincount(superpoint))
    pivot = int(rng.integers(3))
    masks = {t: rng.random((H, W)) < 0.5 for t in range(3) if t == pivot or rng.random() < 0.6}
    run = rng.random(3) < 0.8
    return visible, superpoint, masks, run, pivot, int(rng.integers(L))


@settings(max_examples=150)
@given(scenes())
def test_lift_against_counting_one_point_at_a_time(scene):
    visible, superpoint, masks, run, pivot, seed = scene
    track = MaskTrack(seed, pivot, 0.9, {t: PackedMask.pack(m) for t, m in masks.items()}, run)
    seen = visible.seen()
    (counts,) = lift([track], visible, seen)
    inside = np.zeros((3, L), int)
    for t, mask in masks.items():
        for point, pixel in zip(visible.keyframes[t].point, visible.keyframes[t].pixel, strict=True):
            inside[t, superpoint[point]] += mask.ravel()[pixel]
    touched = np.flatnonzero(inside.sum(0))
    np.testing.assert_array_equal(counts.superpoints, touched)
    np.testing.assert_array_equal(counts.inside, inside[:, touched])
    np.testing.assert_array_equal(counts.seen, seen[:, touched])
    for t in range(3):
        lost = inside[t].sum() == 0 and seen[t, seed] > 0.1 * visible.size[seed]
        assert counts.run[t] == (t == pivot or (run[t] and not lost))


@settings(max_examples=150)
@given(scenes(), st.sampled_from([1, 2, 4]))
def test_what_masks_cut_through_is_lifted_in_pieces(scene, least_points):
    visible, superpoint, masks, run, pivot, seed = scene
    track = MaskTrack(seed, pivot, 0.9, {t: PackedMask.pack(m) for t, m in masks.items()}, run)
    present, piece = np.unique(3 * superpoint + np.arange(41) % 3, return_inverse=True)
    begin = np.searchsorted(present // 3, np.arange(L + 1))
    (whole,) = lift([track], visible, visible.seen())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifting, "_LEAST_POINTS", least_points)
        counts = lift_in_pieces(track, whole, visible, Pieces(piece.astype(np.int32), begin))
    inside, seen = np.zeros((2, 3, len(present)), int)
    for t in range(3):
        for point, pixel in zip(visible.keyframes[t].point, visible.keyframes[t].pixel, strict=True):
            inside[t, piece[point]] += t in masks and masks[t].ravel()[pixel]
            seen[t, piece[point]] += 1
    expected = []
    for column, m in enumerate(whole.superpoints):
        within, shown = whole.inside[whole.run, column], whole.seen[whole.run, column]
        share = within.sum() / max(shown.sum(), 1)
        if 0.02 < share < 0.98 and min(within.max(), (shown - within).max()) >= least_points:
            expected += [(L + k, inside[:, k].tolist(), seen[:, k].tolist()) for k in range(begin[m], begin[m + 1])]
        else:
            expected.append((m, whole.inside[:, column].tolist(), whole.seen[:, column].tolist()))
    assert list(zip(counts.superpoints, counts.inside.T.tolist(), counts.seen.T.tolist(), strict=True)) == sorted(
        expected
    )
    np.testing.assert_array_equal(counts.run, whole.run)


def test_superpoints_of_too_many_pieces_stay_whole(monkeypatch):
    superpoint = np.repeat(np.int32([0, 1]), 20)
    keyframe = VisiblePoints.of(np.arange(40, dtype=np.int32), np.arange(40, dtype=np.int32), superpoint, W)
    visible = Visibility((keyframe,), np.array([20, 20]))
    mask = (np.arange(H * W) % 20 < 10).reshape(H, W)  # half of each
    track = MaskTrack(0, 0, 1.0, {0: PackedMask.pack(mask)}, np.ones(1, bool))
    pieces = Pieces(np.append(np.arange(20), np.arange(20, 40) // 2 + 10).astype(np.int32), np.array([0, 20, 30]))
    (whole,) = lift([track], visible, visible.seen())
    monkeypatch.setattr(lifting, "_MOST_PIECES", 10)
    assert lift_in_pieces(track, whole, visible, pieces).superpoints.tolist() == [0, *range(22, 32)]


def test_coverage_is_a_share_of_what_is_seen():
    """Eq. 3 by hand: half covered is lifted, less is not, two seen points are too few, frames not run do not count."""
    inside = np.int32([[5, 4, 2, 9], [5, 0, 0, 9]])
    seen = np.int32([[10, 10, 2, 9], [9, 3, 0, 9]])
    counts = Counts(np.arange(4), inside, seen, np.array([True, False]), 0)
    lifted = candidates(counts, RefinementConfig(coverage=0.5, min_seen_points=3))
    assert lifted.tolist() == [[True, False, False, True], [False] * 4]


def test_an_empty_mask_is_evidence_only_where_the_seed_is_out_of_sight():
    superpoint = np.int32([0, 0, 1, 1, 1, 1])
    pixel = np.arange(4, dtype=np.int32)
    shown = [np.int32(points) for points in ([0, 1, 2, 3], [0, 1, 2, 3], [2, 3, 4, 5])]
    visible = Visibility(tuple(VisiblePoints.of(p, pixel, superpoint, W) for p in shown), np.array([2, 4]))
    mask = np.zeros((H, W), bool)
    mask[0, :2] = True
    track = MaskTrack(0, 0, 1.0, {0: PackedMask.pack(mask)}, np.ones(3, bool))
    (counts,) = lift([track], visible, visible.seen())
    assert counts.run.tolist() == [True, False, True]  # keyframe 1 shows the seed, keyframe 2 does not

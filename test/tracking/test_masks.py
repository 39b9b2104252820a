from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from any3dis_ros.scene.visible_points import VisiblePoints
from any3dis_ros.tracking.base import PointPrompt
from any3dis_ros.tracking.masks import PackedMask

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20))


@settings(max_examples=200)
@given(MASKS)
def test_packing_keeps_the_mask(mask):
    packed = PackedMask.pack(mask)
    np.testing.assert_array_equal(packed.dense(), mask)
    assert packed.area == mask.sum()
    assert packed.empty == (not mask.any())
    assert packed.bits.nbytes <= mask.size // 8 + 1
    assert packed.packed() is packed


@settings(max_examples=200)
@given(MASKS, st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_a_coarse_mask_answers_for_the_pixels_of_the_full_frame(mask, fy, fx, dy, dx):
    """Each full pixel takes the coarse pixel that holds its upper left corner, also where the sizes do not divide."""
    h, w = mask.shape
    H, W = h * fy + min(dy, h - 1), w * fx + min(dx, w - 1)
    packed = PackedMask.pack(mask, (H, W))
    v, u = np.divmod(np.arange(H * W, dtype=np.int32), W)
    expected = mask[v * h // H, u * w // W]
    each = np.arange(H * W, dtype=np.int32)
    np.testing.assert_array_equal(packed.full().ravel(), expected)
    inside = packed.tally(VisiblePoints.of(each, each, each, W), H * W)  # a superpoint a pixel
    np.testing.assert_array_equal(inside.superpoints, np.flatnonzero(expected))
    assert (inside.points == 1).all()


def test_a_keyframe_that_sees_nothing_is_fine():
    nothing = np.zeros(0, np.int32)
    visible = VisiblePoints.of(nothing, nothing, np.zeros(1, np.int32), 3)
    assert PackedMask.pack(np.ones((3, 3), bool)).tally(visible, 2).superpoints.tolist() == []


def test_prompt_on_the_object():
    prompt = PointPrompt.on(4, np.array([[1, 2], [3, 4]]))
    assert (prompt.frame, prompt.points.dtype, prompt.labels.tolist()) == (4, np.float32, [1, 1])


@settings(max_examples=200)
@given(MASKS, st.integers(1, 4), st.integers(1, 3), st.floats(1, 4), st.floats(1, 4), st.integers(0, 2**32 - 1))
def test_a_tally_counts_the_points_inside_by_superpoint(mask, down, right, fy, fx, seed):
    mask = mask.repeat(down, 0).repeat(9 * right, 1)  # whole bytes inside and outside
    h, w = mask.shape
    H, W = int(h * fy), int(w * fx)
    packed = PackedMask.pack(mask, (H, W))
    rng = np.random.default_rng(seed)
    pixel = np.sort(rng.integers(0, H * W, rng.integers(0, 400))).astype(np.int32)
    superpoint = rng.integers(0, 5, len(pixel) // 7 + 1).repeat(7)[: len(pixel)].astype(np.int32)
    inside = mask[pixel // W * h // H, pixel % W * w // W]
    expected = np.bincount(superpoint[inside], minlength=5)
    visible = VisiblePoints.of(np.arange(len(pixel), dtype=np.int32), pixel, superpoint, W)
    tally = packed.tally(visible, 5)
    np.testing.assert_array_equal(tally.superpoints, np.flatnonzero(expected))
    np.testing.assert_array_equal(tally.points, expected[expected > 0])

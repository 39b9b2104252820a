from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from any3dis_ros.tracking.base import PackedMask, PointPrompt

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20))


@settings(max_examples=200)
@given(MASKS)
def test_packing_keeps_the_mask(mask):
    packed = PackedMask.pack(mask)
    np.testing.assert_array_equal(packed.dense(), mask)
    assert packed.area == mask.sum()
    assert packed.empty == (not mask.any())
    assert packed.bits.nbytes <= mask.size // 8 + 1
    pixels = np.arange(mask.size, dtype=np.int32)
    np.testing.assert_array_equal(packed.sample(pixels), mask.ravel())
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
    inside = packed.sample(np.arange(H * W, dtype=np.int32))
    np.testing.assert_array_equal(inside, expected)
    first, end = packed.rows
    assert not inside[(v < first) | (v >= end)].any()


def test_an_empty_selection_is_fine():
    assert PackedMask.pack(np.ones((3, 3), bool)).sample(np.zeros(0, np.int32)).tolist() == []


def test_prompt_on_the_object():
    prompt = PointPrompt.on(4, np.array([[1, 2], [3, 4]]))
    assert (prompt.frame, prompt.points.dtype, prompt.labels.tolist()) == (4, np.float32, [1, 1])


@settings(max_examples=200)
@given(MASKS, st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_tally_counts_the_pixels_inside_by_group(mask, fy, fx, seed):
    h, w = mask.shape
    H, W = h * fy, w * fx
    packed = PackedMask.pack(mask, (H, W))
    rng = np.random.default_rng(seed)
    pixels = np.sort(rng.integers(0, H * W, rng.integers(0, 80))).astype(np.int32)
    groups = rng.integers(0, 5, len(pixels)).astype(np.int32)
    inside = mask[pixels // W * h // H, pixels % W * w // W]
    expected = [int((inside & (groups == g)).sum()) for g in range(5)]
    assert packed.tally(pixels, groups, 5).tolist() == expected

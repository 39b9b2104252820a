from __future__ import annotations

import pytest

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.scene.visible_points import VisiblePoints
from any3dis_ros.tracking.sam2 import masks
from any3dis_ros.tracking.sam2.masks import LogitMask, kept_masks


def smooth_logits(seed: int, side: int) -> torch.Tensor:
    """Logits with a few blobs."""
    coarse = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(seed)) - 0.8
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")[0, 0]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), side=st.sampled_from([16, 64, 128]), H=st.integers(1, 90), W=st.integers(1, 120))
def test_sampling_is_looking_up_the_mask_at_full_size(seed, side, H, W):
    logits = smooth_logits(seed, side)
    ((there, mask),) = kept_masks(logits[None], torch.ones(1), [(H, W)])
    assert there
    full = torch.nn.functional.interpolate(logits[None, None], (H, W), mode="bilinear", align_corners=False)[0, 0]
    if mask is None:
        assert full.max() <= 0
        return
    pixels = np.random.default_rng(seed).permutation(H * W).astype(np.int32)
    clear = full.numpy().ravel()[pixels]
    sampled = mask.sample(pixels)
    np.testing.assert_array_equal(sampled[np.abs(clear) > 1e-4], (clear > 0)[np.abs(clear) > 1e-4])
    packed = mask.packed()
    assert packed.frame_shape == (H, W)
    np.testing.assert_array_equal(packed.dense(), full.numpy() > 0)
    inside = np.flatnonzero((full > 0).any(1))
    assert not len(inside) or (mask.rows[0] <= inside[0] and inside[-1] < mask.rows[1] <= H)
    pixel = np.sort(pixels[: H * W // 2 + 1])
    superpoint = (np.arange(H * W, dtype=np.int32) // 5) % 7
    visible = VisiblePoints.of(pixel, pixel, superpoint, W)
    expected = np.bincount(superpoint[pixel][mask.sample(pixel)], minlength=7)
    tally = mask.tally(visible, 7)
    np.testing.assert_array_equal(tally.superpoints, np.flatnonzero(expected))
    np.testing.assert_array_equal(tally.points, expected[expected > 0])
    for some in ([2, 5], []):
        part = mask.tally(visible.only(np.isin(np.arange(7), some), superpoint), 7)
        np.testing.assert_array_equal(part.superpoints, [m for m in some if expected[m]])
        np.testing.assert_array_equal(part.points, [expected[m] for m in some if expected[m]])


def test_rows_are_few_around_a_small_mask():
    logits = torch.full((64, 64), -1.0)
    logits[20, 30] = 5
    ((_, mask),) = kept_masks(logits[None], torch.ones(1), [(480, 640)])
    assert mask.rows[0] >= 18 * 7.5
    assert mask.rows[1] <= 22 * 7.5 + 1


def test_absent_and_empty_are_two_things():
    logits = torch.stack([torch.full((8, 8), -1024.0), torch.full((8, 8), -0.1), torch.full((8, 8), 0.1)])
    kept = kept_masks(logits, torch.tensor([-0.5, 0.5, 0.5]), [(4, 4)] * 3)
    assert [(there, mask is None) for there, mask in kept] == [(False, True), (True, True), (True, False)]


def test_a_full_device_is_left_for_the_main_memory(monkeypatch):
    mask = LogitMask(smooth_logits(3, 16), (32, 32), (0, 32))
    pixels = np.arange(32 * 32, dtype=np.int32)
    expected = mask.sample(pixels)
    real, calls = masks._sampled, []

    def full_at_first(*args):
        calls.append(args)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*args)

    monkeypatch.setattr(masks, "_sampled", full_at_first)
    np.testing.assert_array_equal(mask.sample(pixels), expected)
    assert len(calls) == 2


def test_no_pixels_give_no_answers():
    mask = LogitMask(torch.ones(8, 8), (4, 4), (0, 4))
    assert mask.sample(np.zeros(0, np.int32)).shape == (0,)


def test_a_kept_mask_does_not_hold_its_batch():
    ((_, mask), _) = kept_masks(torch.ones(2, 8, 8), torch.ones(2), [(4, 4)] * 2)
    assert mask.logits.untyped_storage().nbytes() == 8 * 8 * 4

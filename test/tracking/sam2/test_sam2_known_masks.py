from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from any3dis_ros.tracking.sam2.known_masks import KnownMasks


def logits(rows: slice, columns: slice, size: int = 30) -> torch.Tensor:
    out = torch.full((size, size), -2.0)
    out[rows, columns] = 3.0
    return out


def test_a_mask_is_known_in_its_own_keyframe_by_whom_it_was_first():
    known = KnownMasks(0.9)
    square = logits(slice(5, 25), slice(5, 25))
    assert known.find(0, square) is None
    known.add(0, square, 7, 0.8)
    known.add(0, logits(slice(0, 4), slice(0, 4)), 8, 0.7)
    assert known.find(0, square) == (7, 0.8)
    assert known.find(1, square) is None
    known.clear()
    assert known.find(0, square) is None


def test_the_iou_decides_and_the_nearest_is_taken():
    known = KnownMasks(0.9)
    known.add(0, logits(slice(0, 20), slice(0, 20)), 1, 0.9)
    assert known.find(0, logits(slice(0, 18), slice(0, 20))) == (1, 0.9)  # 360 of 400 cells
    assert known.find(0, logits(slice(0, 17), slice(0, 20))) is None
    known.add(0, logits(slice(0, 19), slice(0, 20)), 2, 0.6)
    assert known.find(0, logits(slice(0, 19), slice(0, 20))) == (2, 0.6)


@given(st.data(), array_shapes(min_dims=2, max_dims=2, max_side=9), st.floats(0.05, 1))
def test_as_counted_cell_by_cell(data, shape, same_iou):
    masks = data.draw(st.lists(arrays(np.bool_, shape), min_size=2, max_size=5))
    known = KnownMasks(same_iou)
    for k, mask in enumerate(masks[1:]):
        known.add(0, torch.from_numpy(mask).float() - 0.5, k, 0.5)
    iou = [(masks[0] & m).sum() / max((masks[0] | m).sum(), 1) for m in masks[1:]]
    found = known.find(0, torch.from_numpy(masks[0]).float() - 0.5)
    assert (found is not None) == (max(iou) >= same_iou)
    if found is not None:
        assert iou[found[0]] == max(iou)

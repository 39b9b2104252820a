"""Superpixels: watershed basins of the edge map, one from the quietest pixel of every cell of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed


@dataclass(frozen=True)
class Adjacency:
    """Which superpixels touch, and how strong the border between them is.

    Attributes:
        pairs: E×2 int32, a < b, sorted.
        length: E float32, pixel pairs along the border.
        strength: E float32, sum over those pairs of the stronger edge value.
    """

    pairs: NDArray[np.int32]
    length: NDArray[np.float32]
    strength: NDArray[np.float32]


def superpixels(strength: NDArray[np.float32], cell: int) -> NDArray[np.int32]:
    """Return h×w int32 labels 0..N-1, about one superpixel a `cell` × `cell` pixels."""
    h, w = strength.shape
    smooth = cv2.GaussianBlur(strength, (0, 0), 1.0)
    rows, columns = max(h // cell, 1), max(w // cell, 1)
    row_edge = np.linspace(0, h, rows + 1).astype(int)
    column_edge = np.linspace(0, w, columns + 1).astype(int)
    markers = np.zeros((h, w), np.int32)
    label = 0
    for r0, r1 in pairwise(row_edge):
        for c0, c1 in pairwise(column_edge):
            block = smooth[r0:r1, c0:c1]
            r, c = divmod(int(block.argmin()), c1 - c0)
            label += 1
            markers[r0 + r, c0 + c] = label
    return np.asarray(watershed(smooth, markers), np.int32) - 1


def adjacency(
    labels: NDArray[np.int32], strength: NDArray[np.float32], lab: NDArray[np.float32], color_contrast: float
) -> Adjacency:
    """Return the borders between superpixels; each adds `color_contrast` × the distance of the two mean Lab colours."""
    count = int(labels.max()) + 1
    keys, values = [], []
    for a, b, ea, eb in (
        (labels[:, :-1], labels[:, 1:], strength[:, :-1], strength[:, 1:]),
        (labels[:-1], labels[1:], strength[:-1], strength[1:]),
    ):
        border = a != b
        low, high = np.minimum(a[border], b[border]), np.maximum(a[border], b[border])
        keys.append(low.astype(np.int64) * count + high)
        values.append(np.maximum(ea[border], eb[border]))
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    pairs = np.stack([key // count, key % count], 1).astype(np.int32)
    length = np.bincount(inverse, minlength=len(key)).astype(np.float64)
    total = np.bincount(inverse, np.concatenate(values), minlength=len(key))
    area = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    mean = np.stack([np.bincount(labels.ravel(), lab[..., c].ravel(), count) / area for c in range(3)], 1)
    total += length * color_contrast * np.linalg.norm(mean[pairs[:, 0]] - mean[pairs[:, 1]], axis=1)
    return Adjacency(pairs, length.astype(np.float32), total.astype(np.float32))

"""Overlaps of proposals with things whose scores are known by heart."""

from __future__ import annotations

import numpy as np

from any3dis_ros.objects.overlap import SceneOverlap


def one_of_two(hit: bool) -> SceneOverlap:
    """Two objects of 200 points, one proposal that is one of them or a void region."""
    return SceneOverlap(
        np.array([0.9]),
        np.array([[200 if hit else 0, 0]]),
        np.array([200]),
        np.array([0 if hit else 60]),
        np.array([200, 200]),
        np.array([1, 2]),
    )

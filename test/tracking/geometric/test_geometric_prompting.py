from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.config import GeometricConfig
from any3dis_ros.tracking.geometric.prompting import wholeness
from any3dis_ros.tracking.geometric.views import prepare_view


@pytest.mark.parametrize(
    ("on_rim", "area", "share"),
    [
        (0, 400, 1.0),  # as large as can be, free of the border
        (20, 400, 0.75),  # a square of 20×20 with one side on the border
        (80, 400, 0.0),  # all around
        (200, 400, 0.0),
        (0, 25, 0.5),  # a sixteenth of the size
        (5, 25, 0.375),
        (0, 6400, 1.0),
    ],
)
def test_wholeness_by_hand(on_rim, area, share):
    assert wholeness(on_rim, area, 400.0) == pytest.approx(share)


@given(st.integers(0, 300), st.integers(1, 5000), st.integers(1, 5000))
def test_less_border_and_more_area_are_never_worse(on_rim, area, more):
    value = wholeness(on_rim, area, 5000.0)
    assert 0 <= value <= 1
    assert value <= wholeness(max(on_rim - 1, 0), area, 5000.0)
    assert value <= wholeness(on_rim, area + more, 5000.0)


def test_the_rim_counts_border_pixels_of_every_node(table_scene):
    view = prepare_view(table_scene[0][2], GeometricConfig())
    border = np.ones(view.labels.shape, bool)
    border[1:-1, 1:-1] = False
    for node in (0, len(view.tree.parent) // 2, len(view.tree.parent) - 2, len(view.tree.parent) - 1):
        first, end = view.tree.first[node], view.tree.end[node]
        own = (view.labels >= first) & (view.labels < end)
        assert view.rim[end] - view.rim[first] == np.count_nonzero(own & border)
    h, w = view.labels.shape
    assert view.rim[-1] == 2 * (h + w) - 4

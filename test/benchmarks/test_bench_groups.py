from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.objects.overlap import SceneOverlap, overlap
from benchmarks.groups import MAIN, SMALL, Group, groups, restricted, score


@given(st.integers(0, 2**32 - 1))
def test_a_restricted_overlap_is_that_with_the_other_objects_void(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt = rng.integers(0, 6, 80)
    masks = rng.random((5, 80)) < 0.4
    whole = overlap(masks, rng.random(5), gt)
    kept = rng.random(len(whole.ids)) < 0.5
    expected = overlap(masks, whole.scores, gt, whole.ids[kept])
    found = restricted(whole, kept)
    for name in ("intersection", "predicted", "void", "truth", "ids", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def large_and_small() -> SceneOverlap:
    """A thing of 200 points found exactly, one of 50 found exactly, one of 40 missed, and a wrong proposal on it."""
    return SceneOverlap(
        np.array([0.9, 0.8, 0.7]),
        np.array([[200, 0, 0], [0, 50, 0], [0, 0, 10]]),
        np.array([200, 50, 35]),
        np.array([0, 0, 25]),
        np.array([200, 50, 40]),
        np.array([1, 2, 3]),
    )


def test_small_things_are_scored_apart_from_the_large() -> None:
    scene = large_and_small()
    large, small = score([scene], [{}], MAIN), score([scene], [{}], SMALL)
    assert large.objects[:, 1].tolist() == [1]
    assert (large.rc50, large.precision50) == (1, 1)  # what is on small things counts neither way
    assert small.objects[:, 1].tolist() == [2, 3]
    assert small.rc50 == 0.5
    assert small.precision50 == 1  # 25 of its 35 points lie on no thing: more than half is ignored, at 0.50
    assert small.precision_at[-1] == 0.5  # but not more than 0.95


def test_a_tag_counts_things_of_any_size_that_carry_it() -> None:
    scene, tags = large_and_small(), {1: frozenset({"thin"}), 3: frozenset({"thin", "dark"})}
    names = [g.name for g in groups([tags, {}])]
    assert names == [MAIN.name, SMALL.name, "dark, 30 points and more", "thin, 30 points and more"]
    thin, dark = (score([scene], [tags], Group(t, 30, tag=t)) for t in ("thin", "dark"))
    assert thin.objects[:, 1].tolist() == [1, 3]
    assert (thin.rc50, dark.rc50) == (0.5, 0)
    assert not len(score([scene], [tags], Group("round", 30, tag="round")).objects)


def test_tags_belong_to_their_own_scene() -> None:
    scene, tags = large_and_small(), [{1: frozenset({"thin"})}, {2: frozenset({"thin"})}]
    assert score([scene, scene], tags, Group("thin", 30, tag="thin")).objects.tolist() == [[0, 1], [1, 2]]
    with pytest.raises(ValueError, match="zip"):
        score([scene], tags, MAIN)

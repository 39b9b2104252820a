import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from any3dis_ros.io.transforms import TransformError, TransformTree, matrix

IDENTITY = (0.0, 0.0, 0.0, 1.0)
GAP = 1_000_000_000
MS = 1_000_000

seeds = st.integers(0, 2**32 - 1)


def random_transform(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...], np.ndarray]:
    t, q = rng.normal(size=3), Rotation.random(random_state=rng.integers(2**31)).as_quat()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_quat(q).as_matrix(), t
    return tuple(t), tuple(q), T


def reason(tree: TransformTree, target: str, source: str, stamp: int) -> str:
    with pytest.raises(TransformError) as caught:
        tree.lookup(target, source, stamp)
    return caught.value.reason


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_matrix_equals_scipy(seed):
    t, q, T = random_transform(np.random.default_rng(seed))
    assert np.allclose(matrix(np.array([*t, *q])), T)


@settings(max_examples=50, deadline=None)
@given(seeds, st.floats(0, 1), st.booleans())
def test_interpolation_equals_scipy_slerp_whatever_the_sign_of_the_quaternion(seed, share, flip):
    rng = np.random.default_rng(seed)
    (ta, qa, _), (tb, qb, _) = random_transform(rng), random_transform(rng)
    tree = TransformTree(GAP)
    tree.add("map", "base", 0, ta, qa)
    tree.add("map", "base", 100 * MS, tb, tuple(-v for v in qb) if flip else qb)
    stamp = int(share * 100 * MS)
    T = tree.lookup("map", "base", stamp)
    f = stamp / (100 * MS)
    assert np.allclose(T[:3, 3], (1 - f) * np.array(ta) + f * np.array(tb))
    assert np.allclose(T[:3, :3], Slerp([0, 1], Rotation.from_quat([qa, qb]))(f).as_matrix(), atol=1e-9)


def test_half_way_of_a_quarter_turn_is_an_eighth():
    tree = TransformTree(GAP)
    tree.add("odom", "base", 0, (0, 0, 0), IDENTITY)
    tree.add("odom", "base", 100 * MS, (2, 0, 0), (0, 0, np.sqrt(0.5), np.sqrt(0.5)))
    T = tree.lookup("odom", "base", 50 * MS)
    assert np.allclose(T[:3, 3], (1, 0, 0))
    assert np.isclose(np.degrees(np.arctan2(T[1, 0], T[0, 0])), 45)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_chain_through_several_parents_and_both_directions(seed):
    """World → map → odom → base → camera, and a second branch base → arm → hand."""
    rng = np.random.default_rng(seed)
    tree, truth = TransformTree(GAP), {"world": np.eye(4)}
    edges = [("world", "map"), ("map", "odom"), ("odom", "base"), ("base", "camera"), ("base", "arm"), ("arm", "hand")]
    for i, (parent, child) in enumerate(edges):
        t, q, T = random_transform(rng)
        truth[child] = truth[parent] @ T
        tree.add(parent, child, 5, t, q, static=i % 2 == 0)
    for target in truth:
        for source in truth:
            expected = np.linalg.inv(truth[target]) @ truth[source]
            assert np.allclose(tree.lookup(target, source, 5), expected, atol=1e-9)


def test_never_extrapolated():
    tree = TransformTree(GAP)
    for stamp in (100 * MS, 200 * MS):
        tree.add("map", "base", stamp, (0, 0, 0), IDENTITY)
    assert reason(tree, "map", "base", 100 * MS - 1) == "stamp outside TF"
    assert reason(tree, "map", "base", 200 * MS + 1) == "stamp outside TF"
    assert np.allclose(tree.lookup("map", "base", 100 * MS), np.eye(4))
    assert np.allclose(tree.lookup("map", "base", 200 * MS), np.eye(4))


def test_a_gap_longer_than_the_bound_is_refused_but_not_at_its_ends():
    tree = TransformTree(100 * MS)
    for stamp in (0, 100 * MS, 201 * MS):
        tree.add("map", "base", stamp, (stamp / MS, 0, 0), IDENTITY)
    assert tree.lookup("map", "base", 50 * MS)[0, 3] == pytest.approx(50)
    assert reason(tree, "map", "base", 150 * MS) == "gap in TF"
    assert tree.lookup("map", "base", 201 * MS)[0, 3] == pytest.approx(201)


def test_what_lies_above_the_common_ancestor_does_not_matter():
    tree = TransformTree(GAP)
    tree.add("map", "odom", 0, (0, 0, 0), IDENTITY)  # a single sample: the past and the future are unknown
    tree.add("odom", "base", 0, (0, 0, 0), IDENTITY)
    tree.add("base", "left", 0, (0, 1, 0), IDENTITY, static=True)
    tree.add("base", "right", 0, (0, -1, 0), IDENTITY, static=True)
    assert np.allclose(tree.lookup("left", "right", 10**12)[:3, 3], (0, -2, 0))
    assert reason(tree, "map", "right", 10**12) == "stamp outside TF"


def test_out_of_order_and_duplicated_samples():
    tree = TransformTree(GAP)
    for stamp, x in ((200, 2), (0, 0), (100, 9), (100, 1)):
        tree.add("map", "base", stamp * MS, (x, 0, 0), IDENTITY)
    assert tree.lookup("map", "base", 100 * MS)[0, 3] == 1  # the later of the two
    assert tree.lookup("map", "base", 150 * MS)[0, 3] == pytest.approx(1.5)


def test_samples_added_after_a_lookup_count():
    tree = TransformTree(GAP)
    tree.add("map", "base", 0, (0, 0, 0), IDENTITY)
    tree.lookup("map", "base", 0)
    tree.add("map", "base", 100 * MS, (1, 0, 0), IDENTITY)
    assert tree.lookup("map", "base", 50 * MS)[0, 3] == pytest.approx(0.5)


def test_a_frame_that_changes_its_parent():
    tree = TransformTree(GAP)
    for stamp in (0, 100 * MS):
        tree.add("table", "cup", stamp, (1, 0, 0), IDENTITY)
    for stamp in (200 * MS, 300 * MS):
        tree.add("hand", "cup", stamp, (2, 0, 0), IDENTITY)
    assert tree.lookup("table", "cup", 50 * MS)[0, 3] == 1
    assert tree.lookup("hand", "cup", 250 * MS)[0, 3] == 2


def test_the_last_static_transform_counts_and_holds_at_every_stamp():
    tree = TransformTree(GAP)
    tree.add("base", "camera", 0, (1, 0, 0), IDENTITY, static=True)
    tree.add("base", "camera", 0, (2, 0, 0), IDENTITY, static=True)
    assert tree.lookup("base", "camera", 10**15)[0, 3] == 2
    assert tree.is_static(["camera", "base"])


def test_loops_strangers_and_separate_trees_are_named():
    tree = TransformTree(GAP)
    tree.add("a", "b", 0, (0, 0, 0), IDENTITY, static=True)
    tree.add("x", "y", 0, (0, 0, 0), IDENTITY, static=True)
    assert reason(tree, "a", "y", 0) == "frames not connected"
    assert reason(tree, "a", "nowhere", 0) == "unknown frame"
    tree.add("b", "a", 0, (0, 0, 0), IDENTITY, static=True)
    assert reason(tree, "x", "b", 0) == "loop in TF"


@pytest.mark.parametrize(
    ("t", "q"),
    [((np.nan, 0, 0), IDENTITY), ((0, 0, 0), (0, 0, 0, 0)), ((0, 0, 0), (0, 0, 0, 2.0)), ((0, 0, np.inf), IDENTITY)],
)
def test_what_is_no_transform_is_not_taken(t, q):
    tree = TransformTree(GAP)
    assert not tree.add("map", "base", 0, t, q)
    assert reason(tree, "map", "base", 0) == "unknown frame"

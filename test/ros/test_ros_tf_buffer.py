from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import rclpy_or_skip
from scipy.spatial.transform import Rotation, Slerp
from tf_buffers import TfError, make_buffer, tf_message

S = 10**9
ORIGINS = ("core", "stand-in", "real")
several = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=ORIGINS)
def make(request):
    """A maker of buffers by their horizon."""
    make_buffer(request.param)  # skips here
    return lambda horizon_ns=10 * S: make_buffer(request.param, horizon_ns)


def pose(rng, spread=1.0):
    return (*rng.normal(0, 3, 3), *Rotation.from_rotvec(rng.normal(0, spread, 3)).as_quat())


def as_matrix(p):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_quat(p[3:]).as_matrix(), p[:3]
    return T


def kind_of(call, *args):
    with pytest.raises(TfError) as caught:
        call(*args)
    return caught.value.kind.removesuffix("Exception")


@several
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.001, 0.999))
def test_between_two_samples_it_interpolates(make, seed, share):
    rng, buffer = np.random.default_rng(seed), make()
    a, b = pose(rng), pose(rng)
    first, last = 5 * S, 5 * S + int(rng.integers(2, 3 * S))
    stamp = first + max(1, min(last - first - 1, round(share * (last - first))))
    buffer.set("map", "camera", first, a)
    buffer.set("map", "camera", last, (*b[:3], *(-np.array(b[3:]) if seed % 2 else b[3:])))  # -q is the same rotation

    T, answered = buffer.look("map", "camera", stamp)

    part = (stamp - first) / (last - first)
    expected = np.eye(4)
    expected[:3, 3] = (1 - part) * np.array(a[:3]) + part * np.array(b[:3])
    expected[:3, :3] = Slerp([0, 1], Rotation.from_quat([a[3:], b[3:]]))(part).as_matrix()
    np.testing.assert_allclose(T, expected, atol=1e-9)
    assert answered == stamp


@several
@given(seed=st.integers(0, 2**32 - 1))
def test_any_two_frames_of_a_tree_agree_with_the_path_between_them(make, seed):
    rng, buffer = np.random.default_rng(seed), make()
    to_root = {"f0": np.eye(4)}
    for i in range(1, 8):
        parent, p = f"f{rng.integers(i)}", pose(rng)
        buffer.set(parent, f"f{i}", 3 * S, p, static=bool(rng.integers(2)))
        to_root[f"f{i}"] = to_root[parent] @ as_matrix(p)
    a, b = rng.choice(8, 2)
    T, _ = buffer.look(f"f{a}", f"f{b}", 3 * S)
    np.testing.assert_allclose(T, np.linalg.inv(to_root[f"f{a}"]) @ to_root[f"f{b}"], atol=1e-8)


def test_nothing_is_extrapolated(make):
    buffer = make()
    buffer.set("map", "base", 5 * S)
    assert kind_of(buffer.look, "map", "base", 5 * S + 1) == "Extrapolation"  # one sample alone
    buffer.set("map", "base", 6 * S)
    for stamp in (5 * S - 1, 6 * S + 1):
        assert kind_of(buffer.look, "map", "base", stamp) == "Extrapolation"
        assert kind_of(buffer.look, "base", "map", stamp) == "Extrapolation"
        assert not buffer.can("map", "base", stamp)
    for stamp in (5 * S, 6 * S):
        assert buffer.look("map", "base", stamp)[1] == stamp
        assert buffer.can("base", "map", stamp)


def test_static_transforms_hold_at_every_stamp_and_chain_with_moving_ones(make):
    buffer, rng = make(), np.random.default_rng(1)
    mount, optical, moved = pose(rng), pose(rng), pose(rng)
    buffer.set("base", "mount", 0, mount, static=True)
    buffer.set("mount", "optical", 77 * S, optical, static=True)
    chain = as_matrix(mount) @ as_matrix(optical)
    for stamp in (1, 5 * S, 10**6 * S):
        np.testing.assert_allclose(buffer.look("base", "optical", stamp)[0], chain, atol=1e-12)
    buffer.set("map", "base", 5 * S, moved)
    np.testing.assert_allclose(buffer.look("map", "optical", 5 * S)[0], as_matrix(moved) @ chain, atol=1e-12)
    assert kind_of(buffer.look, "map", "optical", 6 * S) == "Extrapolation"


def test_what_is_out_of_date_above_two_frames_does_not_part_them(make):
    buffer = make()
    buffer.set("map", "base", 5 * S)
    buffer.set("base", "left", 0, (0, 1, 0, 0, 0, 0, 1), static=True)
    buffer.set("base", "right", 0, (0, -1, 0, 0, 0, 0, 1), static=True)
    for target, source, y in (("left", "right", -2), ("right", "left", 2), ("left", "base", -1), ("base", "left", 1)):
        assert buffer.look(target, source, 9 * S)[0][1, 3] == y
    assert kind_of(buffer.look, "map", "left", 9 * S) == "Extrapolation"


def test_frames_that_are_unknown_unconnected_or_no_names(make):
    buffer = make()
    buffer.set("map", "base", 5 * S)
    buffer.set("world", "arm", 5 * S)
    assert kind_of(buffer.look, "map", "nowhere", 5 * S) == "Lookup"
    assert kind_of(buffer.look, "nowhere", "base", 5 * S) == "Lookup"
    assert kind_of(buffer.look, "map", "arm", 5 * S) == "Connectivity"
    assert kind_of(buffer.look, "base", "world", 5 * S) == "Connectivity"
    assert kind_of(buffer.look, "/map", "base", 5 * S) == "InvalidArgument"
    assert kind_of(buffer.look, "", "base", 5 * S) == "InvalidArgument"
    np.testing.assert_array_equal(buffer.look("elsewhere", "elsewhere", 5 * S)[0], np.eye(4))
    for target, source in (("map", "nowhere"), ("map", "arm"), ("/map", "base")):
        assert not buffer.can(target, source, 5 * S)


def test_a_leading_slash_of_old_publishers_is_dropped(make):
    buffer = make()
    buffer.set("/map", "/base", 5 * S, (1, 2, 3, 0, 0, 0, 1))
    assert buffer.look("map", "base", 5 * S)[0][:3, 3].tolist() == [1, 2, 3]


def test_a_loop_is_an_error_and_no_hang(make):
    buffer = make()
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a"), ("map", "base")):
        buffer.set(parent, child, 5 * S)
    assert kind_of(buffer.look, "map", "c", 5 * S) == "Lookup"


def test_what_is_no_transform_is_left_out(make):
    buffer = make()
    nan = float("nan")
    for bad in ((nan, 0, 0, 0, 0, 0, 1), (0, 0, 0, 0, nan, 0, 1), (0, 0, 0, 0, 0, 0, 0)):
        buffer.set("map", "base", 5 * S, bad)
    buffer.set("base", "base", 5 * S)
    buffer.set("", "base", 5 * S)
    buffer.set("map", "", 5 * S)
    assert kind_of(buffer.look, "map", "base", 5 * S) == "Lookup"
    buffer.set("map", "base", 5 * S, (0, 0, 0, 0, 0, 0.3, 0.3))  # a quarter turn, whatever its length
    np.testing.assert_allclose(
        buffer.look("map", "base", 5 * S)[0][:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-9
    )


def test_a_new_parent_holds_from_its_stamp_on(make):
    buffer = make()
    buffer.set("room", "hall", 0, (100, 0, 0, 0, 0, 0, 1), static=True)
    buffer.set("room", "robot", 5 * S, (1, 0, 0, 0, 0, 0, 1))
    buffer.set("hall", "robot", 7 * S, (2, 0, 0, 0, 0, 0, 1))
    assert buffer.look("room", "robot", 6 * S)[0][0, 3] == 1  # between two parents the older counts, as it is
    assert buffer.look("room", "robot", 7 * S)[0][0, 3] == 102
    assert buffer.look("hall", "robot", 5 * S)[0][0, 3] == -99


def test_static_replaces_moving_and_the_other_way_round(make):
    buffer = make()
    buffer.set("map", "base", 5 * S, (1, 0, 0, 0, 0, 0, 1))
    buffer.set("map", "base", 6 * S, (2, 0, 0, 0, 0, 0, 1), static=True)
    assert buffer.look("map", "base", 1 * S)[0][0, 3] == 2
    buffer.set("map", "base", 7 * S, (3, 0, 0, 0, 0, 0, 1))
    assert buffer.look("map", "base", 7 * S)[0][0, 3] == 3
    assert kind_of(buffer.look, "map", "base", 5 * S) == "Extrapolation"


def test_the_horizon_drops_old_samples_and_refuses_older_ones(make):
    buffer = make(2 * S)
    for second in range(1, 9):
        buffer.set("map", "base", second * S, (second, 0, 0, 0, 0, 0, 1))
    # the horizon is applied before a sample is added: one step more than two seconds are known
    assert buffer.look("map", "base", 5 * S)[0][0, 3] == 5
    assert kind_of(buffer.look, "map", "base", 5 * S - 1) == "Extrapolation"
    buffer.set("map", "base", int(5.9 * S), (99, 0, 0, 0, 0, 0, 1))  # too old; what has expired goes
    assert kind_of(buffer.look, "map", "base", int(5.9 * S)) == "Extrapolation"
    buffer.set("map", "base", int(6.5 * S), (99, 0, 0, 0, 0, 0, 1))  # late, and still welcome
    assert buffer.look("map", "base", int(6.5 * S))[0][0, 3] == 99
    assert buffer.look("map", "base", int(6.75 * S))[0][0, 3] == pytest.approx((99 + 7) / 2)


def test_after_a_jump_back_the_old_time_rules_until_the_buffer_is_cleared(make):
    buffer = make(10 * S)
    buffer.set("base", "camera", 0, (0, 0, 5, 0, 0, 0, 1), static=True)
    for second in (100, 101):
        buffer.set("map", "base", second * S, (second, 0, 0, 0, 0, 0, 1))
    for second in (1, 2):  # a bag that starts again
        buffer.set("map", "base", second * S, (second, 0, 0, 0, 0, 0, 1))
    assert kind_of(buffer.look, "map", "camera", int(1.5 * S)) == "Extrapolation"

    buffer.clear()
    assert kind_of(buffer.look, "map", "camera", 101 * S) == "Extrapolation"
    assert not buffer.can("map", "base", 101 * S)
    for second in (1, 2):
        buffer.set("map", "base", second * S, (second, 0, 0, 0, 0, 0, 1))
    np.testing.assert_allclose(buffer.look("map", "camera", int(1.5 * S))[0][:3, 3], [1.5, 0, 5])


def test_stamp_zero_asks_for_the_latest_common_stamp(make):
    buffer = make()
    buffer.set("robot", "arm", 0, (0, 1, 0, 0, 0, 0, 1), static=True)
    for second, x in ((5, 0.0), (6, 1.0), (7, 2.0)):
        buffer.set("map", "odom", second * S, (x, 0, 0, 0, 0, 0, 1))
        if second < 7:
            buffer.set("odom", "robot", second * S + S // 2, (0, 0, x, 0, 0, 0, 1))
    T, stamp = buffer.look("map", "arm", 0)
    assert stamp == int(6.5 * S)
    np.testing.assert_allclose(T[:3, 3], [1.5, 1, 1])
    assert buffer.look("arm", "map", 0)[1] == int(6.5 * S)
    assert buffer.look("robot", "arm", 0)[1] == 0  # static alone
    assert buffer.look("map", "odom", 0)[1] == 7 * S
    buffer.set("other", "tree", 5 * S)
    assert kind_of(buffer.look, "map", "tree", 0) == "Connectivity"


@several
@given(
    samples=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), min_size=1, max_size=12),
    halves=st.integers(0, 26),
)
def test_samples_in_any_order_and_of_one_stamp(make, samples, halves):
    """Against a list that is searched from its end, newest first, as tf2's is."""
    buffer, known = make(4 * S), []
    for stamp, x in samples:
        buffer.set("map", "base", stamp * S, (x, 0, 0, 0, 0, 0, 1))
        newest = max((s for s, _ in known), default=stamp)
        known = [(s, v) for s, v in known if s >= newest - 4]
        if stamp >= newest - 4 and (stamp, x) not in known:
            place = next((k for k, (s, _) in enumerate(known) if s <= stamp), len(known))
            known.insert(place, (stamp, x))
    wanted = halves / 2
    if wanted == 0 or wanted == known[0][0]:
        expected = known[0][1]
    elif wanted == known[-1][0]:
        expected = known[-1][1]
    elif not known[-1][0] < wanted < known[0][0]:
        expected = None
    else:
        k = next(k for k, (s, _) in enumerate(known) if s <= wanted)
        (s0, x0), (s1, x1) = known[k], known[k - 1]
        expected = x0 + (x1 - x0) * (wanted - s0) / (s1 - s0)
    if expected is None:
        assert kind_of(buffer.look, "map", "base", int(wanted * S)) == "Extrapolation"
    else:
        assert buffer.look("map", "base", int(wanted * S))[0][0, 3] == pytest.approx(expected)


@pytest.mark.parametrize("origin", ["stand-in", "real"])
def test_a_lookup_waits_for_its_transform(origin):
    rclpy_or_skip()
    buffer = make_buffer(origin)._buffer
    from rclpy.duration import Duration
    from rclpy.time import Time

    late = threading.Timer(
        0.05, lambda: buffer.set_transform(tf_message("map", "base", 5 * S, (7, 0, 0, 0, 0, 0, 1)), "x")
    )
    late.start()
    answer = buffer.lookup_transform("map", "base", Time(seconds=5), Duration(seconds=20))
    late.join()
    assert answer.transform.translation.x == 7
    assert not buffer.can_transform("map", "base", Time(seconds=9), Duration(seconds=0.01))

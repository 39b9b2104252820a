import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.io.rosbag.synchronise import pair

stamps = st.lists(st.integers(0, 200), unique=True, max_size=25)


def nearest_first(first: list[int], second: list[int], bound: int) -> set[tuple[int, int]]:
    """Literally: again and again the closest two that are left, of equal ones the earliest."""
    left, right, out = dict(enumerate(first)), dict(enumerate(second)), set()
    while left and right:
        interval, _, _, i, j = min((abs(a - b), a, b, i, j) for i, a in left.items() for j, b in right.items())
        if interval > bound:
            break
        out.add((i, j))
        del left[i], right[j]
    return out


@settings(max_examples=200, deadline=None)
@given(stamps, stamps, st.integers(0, 60))
def test_equals_the_brute_force(first, second, bound):
    got = pair(np.array(first, np.int64), np.array(second, np.int64), bound)
    assert {(int(i), int(j)) for i, j in got} == nearest_first(first, second, bound)


@settings(max_examples=100, deadline=None)
@given(stamps, stamps, st.integers(0, 60))
def test_one_to_one_in_order_within_the_bound_and_maximal(first, second, bound):
    got = pair(np.array(first, np.int64), np.array(second, np.int64), bound)
    assert len(set(got[:, 0])) == len(set(got[:, 1])) == len(got)
    times = [first[i] for i in got[:, 0]]
    assert times == sorted(times)
    assert all(abs(first[i] - second[j]) <= bound for i, j in got)
    free = [b for j, b in enumerate(second) if j not in set(got[:, 1])]
    alone = [a for i, a in enumerate(first) if i not in set(got[:, 0])]
    assert all(abs(a - b) > bound for a in alone for b in free)


def test_the_bound_is_inclusive():
    color = np.array([0], np.int64)
    assert pair(color, color + 20_000_000, 20_000_000).tolist() == [[0, 0]]
    assert pair(color, color + 20_000_001, 20_000_000).tolist() == []


def test_depth_20_ms_late_at_30_hz_belongs_to_the_next_colour_image():
    color = np.arange(5) * 33_333_333
    got = pair(color, color + 20_000_000, 20_000_000)
    assert got.tolist() == [[i + 1, i] for i in range(4)]  # 13.3 ms before it


def test_depth_at_half_the_rate_pairs_every_other_image():
    color = np.arange(10) * 33_000_000
    assert pair(color, color[::2] + 1_000_000, 20_000_000)[:, 0].tolist() == [0, 2, 4, 6, 8]


def test_large_streams_in_linear_memory():
    rng = np.random.default_rng(0)
    color = np.arange(100_000) * 33_333_333
    got = pair(color, color + rng.integers(-5_000_000, 5_000_000, len(color)), 20_000_000)
    assert np.array_equal(got[:, 0], got[:, 1])
    assert len(got) == len(color)


def test_empty_streams():
    empty = np.zeros(0, np.int64)
    assert pair(empty, np.array([1]), 5).shape == (0, 2)
    assert pair(np.array([1]), empty, 5).shape == (0, 2)

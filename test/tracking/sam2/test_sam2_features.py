from __future__ import annotations

import logging

import pytest

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.tracking.sam2.features import FeatureStore

MB = 250_000  # float32 numbers


def store(device_mb: float, host_mb: float) -> FeatureStore:
    """Each keyframe takes one megabyte and knows its index."""
    return FeatureStore(lambda t: (torch.full((MB,), float(t)),), torch.device("cpu"), device_mb, host_mb)


@given(asked=st.lists(st.integers(0, 9), max_size=40), near=st.integers(0, 4), far=st.integers(0, 4))
def test_the_right_features_within_the_bounds(asked, near, far):
    features = store(near, far)
    for t in asked:
        assert features[t][0][0] == t
        held = features.mb
        assert held[0] <= near
        assert held[1] <= far
    assert len(set(asked)) <= features.calls <= len(asked)
    if len(set(asked)) <= near + far:
        assert features.calls == len(set(asked))


def test_what_was_used_last_stays():
    features = store(2, 0)
    for t in (0, 1, 0, 2, 0):
        features[t]
    assert features.calls == 3
    features[1]
    assert features.calls == 4


def test_a_batch_may_be_larger_than_the_bound():
    features = store(1, 1)
    assert [f[0][0].item() for f in features.gather([3, 1, 3, 2])] == [3, 1, 3, 2]
    assert features.calls == 3


def test_a_keyframe_named_twice_is_one_tensor():
    first, second = store(4, 4).gather([5, 5])
    assert first[0] is second[0]


def test_leaving_the_device_loses_nothing():
    features = store(4, 4)
    features.gather([0, 1, 2])
    features.leave_device()
    assert not features.on_device
    assert features.mb == (0, 3)
    assert features[1][0][0] == 1
    assert features.calls == 3
    assert features.mb == (0, 3)


def test_computing_again_is_told_once(caplog):
    features = store(1, 0)
    with caplog.at_level(logging.WARNING):
        for t in (0, 1, 0, 1, 0):
            features[t]
    assert [r.getMessage() for r in caplog.records] == [
        "keyframe features exceed 1 MB and are computed again; raise tracker.sam2.features_host_mb"
    ]

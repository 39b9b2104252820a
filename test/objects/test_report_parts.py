"""What the report is made of: projected labels, run lengths, thinned clouds, chosen keyframes, names of objects."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from boxes import BOXES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_result import small_result

from any3dis_ros.config import VisibilityConfig
from any3dis_ros.objects.instances import Instances, colors_of
from any3dis_ros.objects.report.cloud import Legend, thin
from any3dis_ros.objects.report.views import choose, point_spacing, project_labels, run_lengths


def test_projected_labels_agree_with_the_rendered_scene(two_boxes):
    frames, hits = two_boxes
    step, faces = 0.02, []
    for index, (low, high) in enumerate(BOXES):
        for axis in range(3):
            for side in (low[axis], high[axis]):
                a, b = (np.arange(low[k], high[k] + 1e-9, step) for k in range(3) if k != axis)
                face = np.insert(np.stack(np.meshgrid(a, b), -1).reshape(-1, 2), axis, side, axis=1)
                faces.append(np.column_stack([face, np.full(len(face), index)]))
    cloud = np.concatenate(faces)
    points, labels = cloud[:, :3].astype(np.float32), cloud[:, 3].astype(np.int32)  # floor 0, crate 1, post 2
    assert point_spacing(points) == pytest.approx(step, rel=0.01)
    instances = Instances(
        points=points,
        colors=np.zeros((len(points), 3), np.uint8),
        superpoint=labels,
        proposals=np.eye(3, dtype=bool)[1:],
        scores=np.array([0.9, 0.8], np.float32),
        labels=labels,
    )
    for frame, hit in zip(frames[:3], hits[:3], strict=True):
        found = project_labels(instances, frame, VisibilityConfig(), step)
        for k in (1, 2):
            assert ((found == k) & (hit == k)).sum() / ((found == k) | (hit == k)).sum() > 0.9


@settings(max_examples=40)
@given(hnp.arrays(np.uint16, st.integers(1, 300), elements=st.integers(0, 3)))
def test_run_lengths(values):
    runs = run_lengths(values)
    np.testing.assert_array_equal(np.repeat(runs[:, 0], runs[:, 1]), values)


def test_long_runs_are_split():
    runs = run_lengths(np.full(200_000, 7, np.uint16))
    assert runs[:, 1].sum(dtype=int) == 200_000
    assert set(runs[:, 0]) == {7}


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(300, 1500))
def test_thinning_keeps_small_objects(seed, limit):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.zeros(2000), np.full(1500, 1), np.full(5, 3)]).astype(np.int32)[rng.permutation(3505)]
    kept = thin(labels, limit)
    assert len(kept) == limit
    assert (np.diff(kept) > 0).all()
    assert (labels[kept] == 3).sum() == 5
    np.testing.assert_array_equal(thin(labels, 3505), np.arange(3505))


@given(st.integers(0, 400), st.integers(0, 100))
def test_chosen_keyframes(count, limit):
    chosen = choose(count, limit)
    assert len(chosen) == min(count, limit)
    if len(chosen) > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        assert np.ptp(np.diff(chosen)) <= 1


def test_legend_follows_the_ids():
    instances, _ = small_result()
    gap = dataclasses.replace(instances, labels=np.where(instances.labels == 1, 0, instances.labels).astype(np.int32))
    legend = Legend.of(gap)
    assert legend.ids.tolist() == [0, 2]
    assert legend.rank.tolist() == [0, 0, 1, 0]
    assert legend.hex(1) == "#" + bytes(colors_of(np.array([2]))[0]).hex()

"""ScanNet's protocol against hand-computed cases, its algebra, and a second implementation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_result import small_result

from any3dis_ros.config import EvaluationConfig
from any3dis_ros.objects.evaluation import (
    THRESHOLDS,
    GroundTruth,
    evaluate,
    evaluate_instances,
    evaluate_scenes,
    format_table,
    overlap,
)

ALL = EvaluationConfig(min_points=1)
ALL_EQUAL = EvaluationConfig(min_points=1, confidence="constant")
seeds = st.integers(0, 2**32 - 1)


def parts(count, *spans):
    """Masks of `count` points from (first, end) spans, each a list of them."""
    out = np.zeros((len(spans), count), bool)
    for row, span in zip(out, spans, strict=True):
        for first, end in span:
            row[first:end] = True
    return out


def random_scene(seed, distinct=True):
    """Proposals of all kinds: near copies of objects, unions, fragments, void."""
    rng = np.random.default_rng(seed)
    objects, count = int(rng.integers(1, 6)), 150
    gt = np.sort(rng.integers(0, objects + 1, count))
    masks = []
    for _ in range(int(rng.integers(1, 12))):
        chosen = rng.choice(objects + 1, rng.integers(1, 3))
        masks.append(np.isin(gt, chosen) & (rng.random(count) < rng.uniform(0.3, 1.0)))
    scores = rng.permutation(len(masks)) / 16 if distinct else rng.integers(0, 4, len(masks)) / 4
    return np.array(masks), scores, gt


def literal(masks, scores, gt, threshold, min_points):
    """AP at a threshold ≥ 0.5 from its definition: at each confidence, whom do the proposals above it find?"""
    objects = {g: set(np.flatnonzero(gt == g).tolist()) for g in set(gt.tolist()) - {0}}
    small = {p for g in objects if len(objects[g]) < min_points for p in objects[g]} | set(np.flatnonzero(gt == 0))
    wanted = [g for g in objects if len(objects[g]) >= min_points]
    if not wanted:
        return np.nan
    outcomes = []
    for mask, score in zip(masks, scores, strict=True):
        points = set(np.flatnonzero(mask).tolist())
        if len(points) < min_points:
            continue
        best = max(objects, key=lambda g: len(points & objects[g]) / len(points | objects[g]))
        if len(points & objects[best]) / len(points | objects[best]) > threshold:
            if best in wanted:
                outcomes.append((score, best))
        elif len(points & small) / len(points) <= threshold:
            outcomes.append((score, None))
    curve = [(0.0, 1.0)]
    for confidence in sorted({score for score, _ in outcomes}, reverse=True):
        above = [found for score, found in outcomes if score >= confidence]
        hits = len(set(above) - {None})
        curve.append((hits / len(wanted), hits / len(above)))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(curve))


def test_by_hand():
    gt = np.repeat([1, 2, 0], 10)
    # exact; all void (ignored); 8 of 10; a worse copy of the first
    masks = parts(30, [(0, 10)], [(20, 30)], [(10, 18)], [(0, 9)])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    own, constant = evaluate(masks, scores, gt, None, ALL), evaluate(masks, scores, gt, None, ALL_EQUAL)
    # until 0.75: true, true, duplicate; from 0.80, which is not above 0.80: true, false, duplicate or false
    np.testing.assert_allclose(own.ap_at, [1] * 7 + [0.5] * 4)
    np.testing.assert_allclose(constant.ap_at, [5 / 6] * 7 + [1 / 3] * 4)
    np.testing.assert_allclose(own.precision_at, [2 / 3] * 7 + [1 / 3] * 4)
    assert own.ap == pytest.approx((6 + 4 * 0.5) / 10)
    assert own.ap_to_90 == pytest.approx((6 + 3 * 0.5) / 9)
    assert own.rc == pytest.approx(0.8)
    assert own.rc_to_90 == pytest.approx((6 + 3 * 0.5) / 9)
    assert (own.ap50, own.ap25, own.rc50, own.rc25) == (1, 1, 1, 1)
    assert own.precision50 == pytest.approx(2 / 3)
    np.testing.assert_allclose(own.best_iou, [1.0, 0.8])
    assert own.objects.tolist() == [[0, 1], [0, 2]]
    assert own.count == 4


def test_false_positive_first():
    gt = np.repeat([1, 2], 10)
    # (recall, precision): (0, 1), (0, 0), (1/2, 1/2), with the artificial point; half of (0 + 1/2) / 2
    assert evaluate(parts(20, [(3, 17)], [(0, 10)]), np.array([0.9, 0.8]), gt, None, ALL).ap50 == pytest.approx(1 / 8)


def test_share_on_void_must_exceed_the_threshold():
    gt = np.repeat([1, 0], 20)
    found = evaluate(parts(40, [(0, 20)], [(16, 26)]), np.array([0.9, 0.8]), gt, None, ALL)
    # 6 of 10 points on void: ignored at 0.50 and 0.55, a false positive from 0.60
    np.testing.assert_allclose(found.precision_at[1:5], [1, 1, 0.5, 0.5])


def test_small_ones_are_left_out():
    gt = np.concatenate([np.full(99, 1), np.full(100, 2), np.full(100, 0)])
    masks = parts(299, [(0, 99)], [(99, 199)], [(0, 100)], [(99, 198)])
    found = evaluate(masks, np.array([0.9, 0.5, 0.8, 0.7]), gt)
    # the first and the last are too small; the third lies on an object that is too small, and is ignored
    assert found.objects.tolist() == [[0, 2]]
    assert found.count == 2
    np.testing.assert_allclose(found.ap_at, 1)
    np.testing.assert_allclose(found.precision_at, 1)


def test_only_valid_ids_are_objects():
    gt = np.repeat([-1, 0, 7, 9], 10)
    masks = parts(40, [(20, 30)], [(30, 40)])
    found = evaluate(masks, np.array([0.5, 0.9]), gt, [7], ALL)
    assert found.objects.tolist() == [[0, 7]]
    assert found.ap == 1  # the proposal on 9 lies on void
    assert evaluate(masks, np.array([0.5, 0.9]), gt, None, ALL).objects[:, 1].tolist() == [7, 9]


def test_one_proposal_may_match_two_objects_at_a_quarter():
    gt = np.repeat([1, 2], 10)
    both, second = [(0, 20)], [(10, 20)]
    # best first: the union takes object 1, then object 2 falls to the exact one
    assert evaluate(parts(20, both, second), np.array([0.9, 0.8]), gt, None, ALL).rc25 == 1
    assert evaluate(parts(20, both), np.array([0.9]), gt, None, ALL).rc25 == 0.5
    assert evaluate(parts(20, both), np.array([0.9]), gt, None, ALL).rc50 == 0


def test_nothing_to_find_and_nothing_found():
    gt = np.repeat([1, 0], 10)
    empty = evaluate(np.zeros((0, 20), bool), np.zeros(0), gt, None, ALL)
    assert (empty.ap, empty.rc, empty.precision50, empty.count) == (0, 0, 0, 0)
    np.testing.assert_array_equal(empty.best_iou, [0])
    void = evaluate(parts(20, [(10, 20)]), np.ones(1), gt, None, ALL)
    assert (void.ap, void.rc) == (0, 0)
    none = evaluate(parts(20, [(0, 10)]), np.ones(1), np.zeros(20, int), None, ALL)
    assert np.isnan([none.ap, none.rc]).all()
    assert np.isnan(evaluate_scenes([]).ap)


@settings(max_examples=60)
@given(seeds, st.booleans(), st.sampled_from([1, 20, 40]))
def test_against_the_definition(seed, distinct, min_points):
    masks, scores, gt = random_scene(seed, distinct)
    found = evaluate(masks, scores, gt, None, EvaluationConfig(min_points=min_points))
    expected = [literal(masks, scores, gt, t, min_points) for t in THRESHOLDS[1:]]
    np.testing.assert_allclose(found.ap_at[1:], expected, atol=1e-12)


@settings(max_examples=40)
@given(seeds)
def test_identity_of_constant_confidence(seed):
    masks, scores, gt = random_scene(seed)
    e = evaluate(masks, scores, gt, None, ALL_EQUAL)
    # one trapezoid, from (0, 1) to (r, p)
    np.testing.assert_allclose(e.ap_at, e.recall_at * (1 + e.precision_at) / 2, atol=1e-12)


@settings(max_examples=40)
@given(seeds)
def test_order_and_names_do_not_matter(seed):
    masks, scores, gt = random_scene(seed)
    rng = np.random.default_rng(seed)
    q, n = rng.permutation(len(masks)), rng.permutation(len(gt))
    a = evaluate(masks, scores, gt, None, ALL)
    b = evaluate(masks[q][:, n], np.exp(3 * scores[q]), (gt * 17)[n], None, ALL)
    np.testing.assert_allclose(a.ap_at, b.ap_at)
    np.testing.assert_allclose(a.precision_at, b.precision_at)
    np.testing.assert_allclose(a.best_iou, b.best_iou)


@settings(max_examples=40)
@given(seeds)
def test_stricter_thresholds_find_less(seed):
    masks, scores, gt = random_scene(seed, distinct=False)
    e = evaluate(masks, scores, gt, None, ALL_EQUAL)
    for values in (e.recall_at[1:], e.precision_at[1:], e.ap_at[1:]):  # at 0.25 the matching is greedy
        assert (np.diff(values) <= 1e-12).all()


@settings(max_examples=40)
@given(seeds)
def test_a_false_positive_ranked_last_costs_precision_only(seed):
    masks, scores, gt = random_scene(seed)
    largest = int(np.bincount(gt)[1:].argmax()) + 1
    assume((gt == largest).sum() >= 5)
    last = np.zeros((1, len(gt)), bool)
    last[0, np.flatnonzero(gt == largest)[0]] = True  # one point of five: matches nothing, and lies on no void
    a = evaluate(masks, scores, gt, None, ALL)
    b = evaluate(np.concatenate([masks, last]), np.append(scores, -1), gt, None, ALL)
    np.testing.assert_allclose(a.ap_at, b.ap_at)
    np.testing.assert_allclose(a.recall_at, b.recall_at)
    assert ((b.precision_at < a.precision_at) | (a.precision_at == 0)).all()


@settings(max_examples=30)
@given(seeds, seeds)
def test_pooling_scenes(seed, other):
    one, two = overlap(*random_scene(seed)), overlap(*random_scene(other))
    alone, twice, mixed = (evaluate_scenes(s, ALL) for s in ([one], [one, one], [one, two]))
    np.testing.assert_allclose(alone.ap_at, twice.ap_at)
    found = alone.recall_at * len(alone.objects) + (e := evaluate_scenes([two], ALL)).recall_at * len(e.objects)
    np.testing.assert_allclose(mixed.recall_at, found / len(mixed.objects))
    assert mixed.objects[:, 0].tolist() == [0] * len(alone.objects) + [1] * len(e.objects)


def test_perfect_proposals_score_one():
    gt = np.repeat([0, 3, 5, 8], 120)
    found = evaluate(np.array([gt == g for g in (3, 5, 8)]), np.array([0.2, 0.9, 0.4]), gt)
    assert (found.ap, found.rc, found.precision50) == (1, 1, 1)


def test_segmentation_is_scored_on_the_points_of_the_ground_truth():
    instances, _ = small_result()
    shifted = instances.points + np.float32(0.004)
    truth = GroundTruth(
        np.concatenate([shifted, shifted + np.float32(50)]),
        np.repeat([4, 6, 0, 4, 0, 0], len(shifted) // 3).astype(np.int32),
        np.array([4, 6]),
    )
    both = evaluate_instances(instances, truth, EvaluationConfig(min_points=100, max_distance_m=0.05))
    assert list(both) == ["own", "constant"]
    # half of object 4 lies 50 m away, where the prediction has no point: IoU 1/2 is not above 0.50
    np.testing.assert_allclose(both["own"].best_iou, [0.5, 1.0])
    assert both["own"].rc50 == 0.5
    assert both["own"].rc25 == 1
    assert both["own"].count == 3


def test_table_names_both_ranges():
    gt = np.repeat([1, 2], 10)
    rows = {"own": evaluate(parts(20, [(0, 10)]), np.ones(1), gt, None, ALL)}
    table = format_table(rows).splitlines()
    assert " ".join(table[0].split()) == (
        "confidence AP50:95 AP50:90 AP50 AP25 RC50:95 RC50:90 RC50 RC25 prec50 proposals objects"
    )
    assert table[1].split() == ["own", *["50.0"] * 8, "100.0", "1", "2"]
    assert "0.50:0.05:0.95" in table[-1]
    assert "0.50:0.05:0.90" in table[-1]

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from any3dis_ros.proposals.evidence import Evidence
from any3dis_ros.proposals.merging import Proposal, membership, overlap
from any3dis_ros.proposals.objectness import FEATURES, blended, measure, probability
from any3dis_ros.scene.borders import Borders
from any3dis_ros.scene.shape import SuperpointShapes

# Four superpoints in a row; edges between neighbours: 10 concave, 20 flat, 40 convex.
SIZE = np.array([100, 100, 100, 100])


def row(values: list[int]) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.diag(values, 1) + np.diag(values, -1))


BORDERS = Borders(row([10, 20, 40]), row([0, 20, 0]), row([10, 0, 0]), row([0, 0, 40]), 0.02)
# their points lie on two sides of a centre each, ±0.1 m along y; the centres are 0.2 m apart along z
CENTER = np.array([[0, 0, 0.2 * k] for k in range(4)])
SECOND = np.einsum("li,lj->lij", CENTER, CENTER) + np.diag([0, 0.01, 0])
SHAPES = SuperpointShapes(BORDERS, SIZE, 100 * CENTER, 100 * SECOND, 2.0)


def proposal(members: list[int], seed: int, pivot: int) -> Proposal:
    index = np.array(members)
    return Proposal(index, np.ones(len(index), np.float32), Evidence(seed, pivot, 0.64, 0.5, 0.7, 0.6, 5))


def features(*several: Proposal) -> list[dict[str, float]]:
    shared, member = overlap(several, SIZE), membership(several, 4)
    points = np.array([SIZE[p.superpoints].sum() for p in several])
    x, _ = measure([p.evidence for p in several], member, shared, points, SHAPES)
    assert x.shape == (len(several), len(FEATURES))
    return [dict(zip(FEATURES, map(float, values), strict=True)) for values in x]


def test_border_and_shape_by_hand():
    (f,) = features(proposal([1, 2], 1, 0))
    assert f["concave"] == pytest.approx(10 / 50)  # ten concave and forty convex edges lead out, the flat ones stay
    assert f["convex"] == pytest.approx(40 / 50)
    assert f["flat"] == 0
    assert f["apparent_area"] == pytest.approx(np.log(200 * 0.01**2))
    assert f["compactness"] == pytest.approx(np.log(51) - 0.5 * np.log(200))
    assert f["length"] == pytest.approx(0)  # 0.1 m along y and along z, no depth but the spacing's half along x
    assert f["flatness"] == pytest.approx(np.log(0.01 / 0.1))
    assert f["extent"] == pytest.approx(np.log(0.1 / 2))
    assert f["fill"] == pytest.approx(np.log(200 * 0.02**2 / 0.1**2))


def test_upright_things_spread_along_z():
    tall, flat = features(proposal([0, 1, 2, 3], 1, 0), proposal([0], 0, 0))
    assert tall["upright"] == pytest.approx(1)
    assert flat["upright"] == pytest.approx(0.1)  # the spacing's half beside 0.1 m


def test_evidence_is_passed_on():
    (f,) = features(proposal([0], 0, 0))
    assert (f["score"], f["agreement"], f["precision"], f["median_iou"]) == pytest.approx((0.64, 0.5, 0.7, 0.6))
    assert f["support"] == pytest.approx(1 - np.exp(-1))


def test_found_again_from_other_views_and_seeds():
    a, b, c = features(proposal([0, 1], 0, 0), proposal([0, 1], 1, 3), proposal([3], 3, 0))
    assert a["found_70"] == b["found_70"] == pytest.approx(np.log(3))
    assert c["found_70"] == pytest.approx(np.log(2))
    assert a["refound_70"] == 1  # both seeds inside lead to it
    (alone, *_) = features(proposal([0, 1, 2], 0, 0), proposal([2], 2, 1))
    assert alone["refound_70"] == pytest.approx(1 / 2)  # the seed on superpoint 2 led elsewhere


def test_containers_and_contents():
    part, whole, _ = features(proposal([0], 0, 0), proposal([0, 1], 1, 1), proposal([3], 3, 2))
    strength = 0.64 * 0.5 * (1 - np.exp(-1)) * (1 - np.exp(-1 / 2))
    assert part["container_near"] == pytest.approx(strength)
    assert whole["content_near"] == pytest.approx(strength)
    assert part["content_near"] == whole["container_near"] == part["container_far"] == 0


def test_a_whole_found_from_many_views_beats_a_flat_part():
    """What the trees must have learnt at the least: a clean object is more likely one than a scrap of a surface."""
    object_ = dict.fromkeys(FEATURES, 0.0) | {
        "score": 0.75, "agreement": 0.9, "support": 0.97, "precision": 0.95, "median_iou": 0.9,
        "found_50": 2.5, "found_70": 2.3, "found_80": 2.0, "refound_50": 0.9, "refound_70": 0.8,
        "apparent_area": -3.5, "compactness": 1.5, "concave": 0.6, "flat": 0.2, "convex": 0.1, "content_near": 0.2,
    }  # fmt: skip
    scrap = object_ | {
        "score": 0.4, "agreement": 0.3, "support": 0.3, "precision": 0.4, "median_iou": 0.3,
        "found_50": 0.7, "found_70": 0.7, "found_80": 0.7, "refound_50": 0.1, "refound_70": 0.05,
        "compactness": 3.5, "concave": 0.05, "flat": 0.9, "container_near": 0.7,
    }  # fmt: skip
    x = np.array([[f[name] for name in FEATURES] for f in (object_, scrap)], np.float32)
    good, bad = probability(x, sparse.csr_matrix(np.diag([900, 900])))
    assert good > 2 * bad


def test_blending_keeps_agreement_and_leans_on_what_was_learnt():
    """Where both say the same, so does the blend; else it lies between, nearer to the learnt one."""
    evidence, learnt = np.array([0.3, 1 / 32, 1.0, 0.0]), np.array([0.3, 1.0, 1 / 32, 0.9])
    both = blended(evidence, learnt)
    assert both[0] == pytest.approx(0.3)
    assert both[1] == pytest.approx(1 / 4)  # 2 to the power of -5 · 0.4
    assert both[2] == pytest.approx(1 / 8)
    assert both[3] == 0

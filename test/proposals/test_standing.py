from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from any3dis_ros.proposals.standing import FEATURES, compare


def told(masks: np.ndarray, alone: np.ndarray) -> list[dict[str, float]]:
    """Return the features of proposals given as Q×N masks, by name."""
    shared = sparse.csr_matrix(masks.astype(np.int64) @ masks.T.astype(np.int64))
    return [dict(zip(FEATURES, row, strict=True)) for row in compare(shared, alone).tolist()]


def by_definition(masks: np.ndarray, alone: np.ndarray, q: int) -> dict[str, float]:
    """Return the same by sets of points, one rival after the other."""
    own = set(np.flatnonzero(masks[q]))
    rivals = []
    for j, other in enumerate(masks):
        its = set(np.flatnonzero(other))
        if j != q and own & its:
            both = len(own & its)
            rivals.append(
                (alone[j], both / len(own | its), both / len(own), both / len(its), len(its) / len(own), both)
            )

    def best(chosen) -> float:
        return max((r[0] for r in rivals if chosen(*r[1:])), default=0.0)

    def mean(low: float) -> float:
        values = [r[0] for r in rivals if r[1] >= low]
        return float(np.mean(values)) if values else 0.0

    better = [r for r in rivals if r[0] > alone[q]]
    out = {
        "alone": np.log(alone[q] / (1 - alone[q])),
        "rival_10": best(lambda iou, *_: 0.1 <= iou < 0.3),
        "rival_30": best(lambda iou, *_: 0.3 <= iou < 0.5),
        "rival_50": best(lambda iou, *_: iou >= 0.5),
        "rival_70": best(lambda iou, *_: iou >= 0.7),
        **{f"mean_{low}": mean(low / 100) for low in (50, 70, 85)},
        "crossing": best(lambda iou, inside, holds, *_: inside < 0.8 and holds < 0.8 and iou > 0.1),
        "in_better": max((r[2] for r in better), default=0.0),
        "near_better": max((r[5] / max(len(own), r[4] * len(own)) for r in better), default=0.0),
        "better_parts": sum(r[4] for r in better if r[3] >= 0.8 and r[4] < 0.9),
        "better_repeats": np.log1p(sum(r[1] >= 0.5 for r in better)),
    }
    for name, low, high in (("1", 1.1, 2), ("2", 2, 5), ("5", 5, 30)):
        out["container_" + name] = best(
            lambda iou, inside, holds, larger, *_, low=low, high=high: inside >= 0.8 and low < larger <= high
        )
        out["content_" + name] = best(
            lambda iou, inside, holds, larger, *_, low=low, high=high: holds >= 0.8 and low < 1 / larger <= high
        )
    return out


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(5, 60))
def test_against_the_definition(seed, Q, N):
    rng = np.random.default_rng(seed)
    first, length = rng.integers(0, N, Q), rng.integers(1, N + 1, Q)
    masks = (np.arange(N) >= first[:, None]) & (np.arange(N) < (first + length)[:, None])
    masks[:, 0] |= ~masks.any(1)
    alone = rng.uniform(0.01, 0.99, Q)
    for q, features in enumerate(told(masks, alone)):
        assert features == pytest.approx(by_definition(masks, alone, q), abs=1e-5)


def test_a_cup_on_its_table_by_hand():
    """100 points of table, on it a cup of 10 that is proposed twice, once without its handle of 2."""
    masks = np.zeros((3, 100), bool)
    masks[0] = True
    masks[1, :10] = masks[2, :8] = True
    table, cup, bowl = told(masks, np.array([0.6, 0.9, 0.5]))
    assert table["content_5"] == pytest.approx(0.9)
    assert table["better_parts"] == pytest.approx(0.1)
    assert table["near_better"] == pytest.approx(0.1)
    assert cup["container_5"] == pytest.approx(0.6)
    assert cup["rival_70"] == cup["content_1"] == pytest.approx(0.5)
    assert cup["in_better"] == 0
    assert bowl["mean_70"] == pytest.approx(0.9)
    assert bowl["in_better"] == 1
    assert bowl["better_repeats"] == pytest.approx(np.log(2))


def test_what_stands_alone_and_what_is_certain():
    sure, never = told(np.eye(2, dtype=bool), np.array([1.0, 0.0]))
    assert sure["alone"] == pytest.approx(np.log(1e9), rel=1e-3)
    assert never["alone"] == pytest.approx(-np.log(1e9), rel=1e-3)
    assert sum(sure.values()) == pytest.approx(sure["alone"])


def test_no_proposals():
    assert compare(sparse.csr_matrix((0, 0), dtype=np.int64), np.zeros(0)).shape == (0, len(FEATURES))

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from any3dis_ros.objects.overlap import GroundTruth, SceneOverlap
from benchmarks import simulated_network
from benchmarks.proposals3d import Case, rows
from benchmarks.simulated_network import LEVELS, NetworkErrors, simulate

GRID = np.stack(np.meshgrid(np.arange(40) * 0.02, np.arange(40) * 0.02, [0.0], indexing="ij"), -1)
POINTS = GRID.reshape(-1, 3).astype(np.float32)
INSTANCE = (1 + (POINTS[:, 0] > 0.39) + 2 * (POINTS[:, 1] > 0.39)).astype(
    np.int32
)  # four squares that touch; 1 is floor
TRUTH = GroundTruth(POINTS, INSTANCE, np.array([2, 3, 4]))
NONE = NetworkErrors(0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def level(monkeypatch):
    def of(**changes: float) -> str:
        monkeypatch.setattr(simulated_network, "LEVELS", {"own": dataclasses.replace(NONE, **changes)})
        return "own"

    return of


def test_without_errors_it_gives_the_things(level):
    found = simulate("squares", POINTS, TRUTH, level())
    np.testing.assert_array_equal(found.member.toarray(), [g == INSTANCE for g in (2, 3, 4)])
    assert found.scores.tolist() == [1, 1, 1]


def test_each_error_does_what_it_says(level):
    assert len(simulate("squares", POINTS, TRUTH, level(unknown=1.0))) == 0
    joined = simulate("squares", POINTS, TRUTH, level(merge=1.0))
    assert np.asarray(joined.member.sum(1)).ravel().tolist() == [800, 800, 800]
    np.testing.assert_allclose(joined.scores, 0.5)
    halves = np.asarray(simulate("squares", POINTS, TRUTH, level(part=1.0)).member.sum(1)).ravel()
    assert ((halves > 0.45 * 400) & (halves < 0.75 * 400)).all()
    frayed = simulate("squares", POINTS, TRUTH, level(fray_m=0.03))
    assert ((frayed.scores > 0.6) & (frayed.scores < 1)).all()


def test_it_is_a_function_of_scene_level_and_replicate():
    def drawn(*key: object) -> bytes:
        found = simulate(str(key[0]), POINTS, TRUTH, str(key[1]), int(str(key[2])))
        return found.member.toarray().tobytes() + found.scores.tobytes()

    assert drawn("a", "good", 0) == drawn("a", "good", 0)
    assert len({drawn(*key) for key in (("a", "good", 0), ("b", "good", 0), ("a", "good", 1), ("a", "poor", 0))}) == 4
    assert set(LEVELS) == {"good", "poor"}


def test_rows_average_replicates_and_pool_scenes():
    def one_of_two(hit: bool) -> SceneOverlap:
        inside, size = (200 if hit else 0), np.array([200])
        return SceneOverlap(
            np.ones(1), np.array([[inside, 0]]), size, size - inside, np.array([200, 200]), np.array([1, 2])
        )

    scenes = {0: [(one_of_two(True), 3), (one_of_two(True), 4)], 1: [(one_of_two(False), 5), (one_of_two(False), 6)]}
    (row,) = rows({Case("good", "mild", "both", r): found for r, found in scenes.items()})
    assert (row["rc50"], row["tracks"]) == (0.25, 9)

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from any3dis_ros.objects.overlap import overlap
from any3dis_ros.proposals.merging import Region
from any3dis_ros.proposals.merging import overlap as shared_points
from any3dis_ros.proposals.objectness import AMONG, FEATURES, among
from any3dis_ros.proposals.trees import shipped
from benchmarks import fit_objectness
from benchmarks.fit_objectness import Room, all_but, fit, fit_alone, fit_among, main


def room(name: str) -> Room:
    """Return four objects in a row of twelve superpoints; of each, 100 proposals: its three, or only two or one.

    Alone no proposal tells that it lacks something but by its score, which is 0.5 of all that overlap by half.
    """
    rng = np.random.default_rng(int(name[4:]))
    held = [[3 * (q % 4) + m for m in range(1 + q // 4 % 3)] for q in range(400)]
    size = np.full(12, 50)
    shared = shared_points([Region(np.array(own), np.ones(len(own), np.float32)) for own in held], size)
    share = np.array([len(own) / 3 for own in held])
    features = rng.normal(size=(400, len(FEATURES))).astype(np.float32)
    features[:, 0] = np.where(share > 0.5, 0.5, 0) + share * 0.02
    points = [np.concatenate([np.arange(50 * m, 50 * m + 50) for m in own]) for own in held]
    things = overlap(points, share, np.repeat([1, 2, 3, 4], 150))
    return Room(name, shared, features, np.full(400, 0.5), things, share > 0.5, share == 1, np.full(400, 1 / 100))


@pytest.fixture
def small(monkeypatch) -> None:
    monkeypatch.setattr(fit_objectness, "TREES", 15)
    monkeypatch.setattr(fit_objectness, "LEAST", 20)
    monkeypatch.setattr(fit_objectness, "learn_from", room)
    monkeypatch.setattr(fit_objectness, "ProcessPoolExecutor", ThreadPoolExecutor)


def test_trees_learn_a_threshold(small):
    x = np.random.default_rng(0).normal(size=(2000, 6)).astype(np.float32)
    trees = fit([x[:1000], x[1000:]], [x[:1000, 2] > 0.3, x[1000:, 2] > 0.3], [np.ones(1000), np.ones(1000)])
    p = trees.probability(np.float32([[0, 0, 2, 0, 0, 0], [0, 0, -2, 0, 0, 0]]))
    assert p[0] > 0.6 > 0.3 > p[1]


def test_the_second_ensemble_knows_the_best_of_those_alike(small):
    rooms = [room(f"room{i}") for i in range(4)]
    alone = [np.clip(r.features[:, 0], 0.01, 0.99) for r in rooms]
    second = fit_among(rooms, alone)
    p = second.probability(among(rooms[0].features, rooms[0].shared, alone[0]))
    assert p[rooms[0].best].mean() > 2 * p[~rooms[0].best].mean()
    first = fit_alone(rooms).probability(rooms[0].features)
    assert first[rooms[0].whole].mean() > 2 * first[~rooms[0].whole].mean()


def test_folds_part_the_rooms():
    rows = list(range(11))
    assert all_but(-1, rows) == rows
    assert sorted(r for fold in range(4) for r in set(rows) - set(all_but(fold, rows))) == rows


def test_the_command_writes_what_the_package_reads(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["fit", *(f"room{i}" for i in range(8)), "--check", "room9", "--out", str(tmp_path)]
    )
    main()
    told = capsys.readouterr().out
    assert "8 held out: room" in told
    assert "room9" in told
    monkeypatch.setattr("any3dis_ros.proposals.trees.resources.files", lambda package: tmp_path)
    for name, features in (("objectness", FEATURES), ("standing", AMONG)):
        assert shipped.__wrapped__(name, features).feature.shape[0] == 15

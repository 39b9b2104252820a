from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rooms.camera_path import CLEARANCE_M
from benchmarks.rooms.capture import prepare
from benchmarks.rooms.layout import overlaps
from benchmarks.rooms.tabletop import MAX_ON_TABLE, TABLES, lay_table

PLANS = {seed: lay_table(np.random.default_rng([seed, 1])) for seed in range(1, 9)}


def host_and_load(plan):
    host = plan.placed[0]
    top = host.model.supports[0].z
    return host, [p for p in plan.placed[1:] if abs(p.z - top) < 0.01]


@pytest.mark.parametrize("seed", PLANS)
def test_the_table_carries_many_things_that_do_not_meet(seed):
    host, load = host_and_load(PLANS[seed])
    assert host.model.name in {maker(np.random.default_rng(0)).name for maker in TABLES}
    assert 6 <= len(load) <= MAX_ON_TABLE
    placed = PLANS[seed].placed
    for i, a in enumerate(placed):
        for b in placed[i + 1 :]:
            assert not overlaps(a.boxes, b.boxes).any(), (a.model.name, b.model.name)


def test_tables_differ_from_seed_to_seed_and_repeat():
    again = lay_table(np.random.default_rng([1, 1]))
    assert [(p.model.name, p.x, p.y) for p in again.placed] == [(p.model.name, p.x, p.y) for p in PLANS[1].placed]
    assert len({tuple(p.model.name for p in plan.placed) for plan in PLANS.values()}) == len(PLANS)


def test_the_camera_stays_near_the_table_and_looks_at_it():
    run = prepare(2, 60, "tabletop")
    poses = run.path.poses(np.linspace(0, 2, 9))
    middle = np.array([run.room.size[0] / 2, run.room.size[1] / 2, 0.75])
    away = middle - poses[:, :3, 3]
    distance = np.linalg.norm(away, axis=1)
    assert (distance > 0.3 + CLEARANCE_M).all()
    assert (distance < 1.8).all()
    assert ((away * poses[:, :3, 2]).sum(1) > 0.9 * distance).all()

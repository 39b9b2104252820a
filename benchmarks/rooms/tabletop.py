"""What a table scene holds: one table in the middle of a room, many small things on it, little else around it."""

from __future__ import annotations

import numpy as np

from benchmarks.rooms import furniture, small_things, storage
from benchmarks.rooms.furnish import TABLE_THINGS
from benchmarks.rooms.layout import Floorplan, Placed
from benchmarks.rooms.models import Maker

Rng = np.random.Generator
MIN_ON_TABLE, MAX_ON_TABLE = 9, 16
TABLES: tuple[Maker, ...] = (furniture.table, furniture.table, furniture.round_table, furniture.desk)
AROUND: tuple[Maker, ...] = (storage.cabinet, storage.chest, storage.bookshelf, furniture.sofa, furniture.armchair)
CROWD: tuple[Maker, ...] = (
    *TABLE_THINGS,
    small_things.mug,
    small_things.bottle,
    small_things.can,
    small_things.can,
    small_things.package,
    small_things.package,
    small_things.book,
    small_things.bowl,
)


def lay_table(rng: Rng) -> Floorplan:
    """Return a room, 4.0 to 4.6 m along either side, with 9 to 16 small things on a table in its middle."""
    plan = Floorplan(rng.uniform(4.0, 4.6), rng.uniform(4.0, 4.6), rng.uniform(2.4, 2.6), rng)
    host = _table(plan, rng)
    for k in rng.permutation(len(AROUND))[: int(rng.integers(0, 3))]:
        plan.along_wall(AROUND[k](rng))
    seat = int(rng.integers(1 << 30))
    for side in rng.permutation([0.0, np.pi])[: int(rng.integers(0, 3))]:
        plan.in_front(furniture.chair(np.random.default_rng(seat)), host, 0.0, float(side))
    wanted = len(plan.placed) + int(rng.integers(MIN_ON_TABLE, MAX_ON_TABLE + 1))
    for k in np.concatenate([rng.permutation(len(CROWD)) for _ in range(2)]):
        if len(plan.placed) == wanted:
            break
        plan.on_support(CROWD[k](rng), host, host.model.supports[0], np.pi)
    return plan


def _table(plan: Floorplan, rng: Rng) -> Placed:
    """Put a table in the empty middle, where any fits."""
    thing = Placed(
        TABLES[int(rng.integers(len(TABLES)))](rng),
        plan.width / 2 + rng.uniform(-0.1, 0.1),
        plan.depth / 2 + rng.uniform(-0.1, 0.1),
        0.0,
        rng.uniform(-np.pi, np.pi),
    )
    return plan.add(thing)

"""Rooms and tabletops furnished with the catalogue's models instead of procedural ones, drawn from one seed."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.rooms import roles
from benchmarks.rooms.catalogue import Entry, installed, read_catalogue
from benchmarks.rooms.furnish import hang_picture, on_free_floor
from benchmarks.rooms.imported import UnfitError, import_model
from benchmarks.rooms.layout import Floorplan, Placed
from benchmarks.rooms.models import Model, Support

Rng = np.random.Generator

MIN_THINGS, MAX_THINGS = 24, 34
MIN_ON_TABLE, MAX_ON_TABLE = 10, 18
TWIN = 0.3  # chance that a small thing comes with a second one of the same kind
HOSTS = (roles.TABLE, roles.COFFEE_TABLE, roles.DESK, roles.STORAGE, roles.NIGHT_TABLE, roles.BED, roles.SOFA)


@cache
def stock_of_package() -> dict[str, list[Entry]]:
    """Return the installed package's models by role."""
    return roles.by_role(read_catalogue(installed()))


def credits_for(sources: set[str]) -> list[dict[str, str]]:
    """Return who made the models with these keys, and their licence; the empty key is the procedural ones'."""
    wanted = sources - {""}
    if not wanted:
        return []
    entries = {e.key: e for kind in stock_of_package().values() for e in kind}
    return [entries[key].credit() for key in sorted(wanted)]


class Stock:
    """Models to draw from, each at most once in a room."""

    def __init__(self, by_role: dict[str, list[Entry]], rng: Rng) -> None:
        self._left = {kind: [entries[k] for k in rng.permutation(len(entries))] for kind, entries in by_role.items()}

    def draw(self, kind: str) -> Model | None:
        """Return another model of that role, None where there is none left."""
        left = self._left.get(kind, [])
        while left:
            try:
                return import_model(left.pop(), kind in HOSTS)
            except UnfitError:
                continue
        return None


def catalogue_room(rng: Rng) -> Floorplan:
    """Return a furnished room, 3.8 to 4.8 m along either side, of about MIN_THINGS to MAX_THINGS things."""
    stock = Stock(stock_of_package(), rng)
    plan = Floorplan(rng.uniform(3.8, 4.8), rng.uniform(3.8, 4.8), rng.uniform(2.4, 2.6), rng)
    kind = roles.TABLE if rng.random() < 0.75 else roles.COFFEE_TABLE
    hosts = _table_with_seats(plan, stock, kind, rng)
    big = (roles.SOFA, roles.BED)[int(rng.integers(2))]
    hosts += _walls(plan, stock, [big, roles.STORAGE, roles.STORAGE, roles.DESK, *_extras(rng)])
    if rng.random() < 0.5:
        hang_picture(plan, rng)
    for _ in range(int(rng.integers(2, 5))):
        if model := stock.draw(roles.FLOOR_THING):
            on_free_floor(plan, model, rng)
    _small_things(plan, stock, hosts, int(rng.integers(MIN_THINGS, MAX_THINGS + 1)), rng)
    return plan


def catalogue_tabletop(rng: Rng) -> Floorplan:
    """Return a room of 4.0 to 4.6 m with MIN_ON_TABLE to MAX_ON_TABLE small things on a table in its middle."""
    stock = Stock(stock_of_package(), rng)
    plan = Floorplan(rng.uniform(4.0, 4.6), rng.uniform(4.0, 4.6), rng.uniform(2.4, 2.6), rng)
    host: Placed | None = None
    while host is None:
        model = stock.draw(roles.TABLE)
        if model is None:
            raise RuntimeError("the catalogue holds no table that carries things")
        # The camera goes round at 1.0 to 1.45 m from the middle: a longer table would be in its way.
        if model.supports and max(model.high[0], model.high[1]) <= 0.82:
            host = plan.add(Placed(model, plan.width / 2, plan.depth / 2, 0.0, float(rng.uniform(-np.pi, np.pi))))
    _walls(plan, stock, [(roles.STORAGE, roles.SOFA, roles.ARMCHAIR)[k] for k in rng.permutation(3)[: rng.integers(3)]])
    if seat := stock.draw(roles.CHAIR):
        for side in rng.permutation([0.0, np.pi])[: int(rng.integers(0, 3))]:
            plan.in_front(seat, host, 0.0, float(side))
    wanted = len(plan.placed) + int(rng.integers(MIN_ON_TABLE, MAX_ON_TABLE + 1))
    _small_things(plan, stock, [host], wanted, rng)
    return plan


def _extras(rng: Rng) -> list[str]:
    more = (roles.ARMCHAIR, roles.NIGHT_TABLE, roles.STORAGE, roles.STOOL)
    return [more[k] for k in rng.permutation(len(more))[: int(rng.integers(1, 4))]]


def _table_with_seats(plan: Floorplan, stock: Stock, kind: str, rng: Rng) -> list[Placed]:
    """Put a table near the middle, and two to four chairs of one kind at it; return the table if it found a place."""
    model = stock.draw(kind)
    host = plan.on_floor(model, (plan.width / 2, plan.depth / 2), 0.2, 0.4) if model else None
    seat = stock.draw(roles.CHAIR if kind == roles.TABLE else roles.STOOL)
    if host is None:
        return []
    if seat is None:
        return [host]
    sides = [0.0, np.pi, np.pi / 2, -np.pi / 2]
    wanted = int(rng.integers(2, 5)) if kind == roles.TABLE else 1
    for k in rng.permutation(4)[:wanted]:
        plan.in_front(seat, host, float(rng.uniform(-0.15, 0.15)), sides[k])
    return [host]


def _walls(plan: Floorplan, stock: Stock, kinds: list[str]) -> list[Placed]:
    """Stand furniture of these roles along the walls; return what found a place."""
    hosts = []
    for kind in kinds:
        model = stock.draw(kind)
        host = plan.along_wall(model) if model else None
        if host is None:
            continue
        hosts.append(host)
        if kind == roles.DESK and (seat := stock.draw(roles.CHAIR)):
            plan.in_front(seat, host, 0.0, 0.0)
    return hosts


def _small_things(plan: Floorplan, stock: Stock, hosts: list[Placed], wanted: int, rng: Rng) -> None:
    """Put small things on what carries them until the room holds `wanted`; the first host gets most."""
    carrying = [h for h in hosts if h.model.supports]
    while carrying and len(plan.placed) < wanted:
        model = stock.draw(roles.SURFACE_THING)
        if model is None:
            return
        host = carrying[0] if rng.random() < 0.5 else carrying[int(rng.integers(len(carrying)))]
        for _ in range(2 if rng.random() < TWIN else 1):
            plan.on_support(model, host, _support(host, model, rng), np.pi)


def _support(host: Placed, model: Model, rng: Rng) -> Support:
    """Return one of the host's surfaces that has room above for `model`, else the first."""
    high_enough = [s for s in host.model.supports if s.clearance >= model.high[2]] or [host.model.supports[0]]
    return high_enough[int(rng.integers(len(high_enough)))]

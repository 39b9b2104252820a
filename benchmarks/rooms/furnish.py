"""What a room holds: a living room's worth of furniture and the small things on it, drawn from one seed."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.rooms import furniture, palette, small_things, storage
from benchmarks.rooms.layout import Floorplan, Placed
from benchmarks.rooms.meshes import box
from benchmarks.rooms.models import Maker, Model
from benchmarks.rooms.textures import PICTURE, Texture

Rng = np.random.Generator
MIN_THINGS, MAX_THINGS = 16, 25

TABLE_THINGS: tuple[Maker, ...] = (
    small_things.mug,
    small_things.mug,
    small_things.package,
    small_things.bowl,
    small_things.bottle,
    small_things.can,
    small_things.vase,
    small_things.table_lamp,
    small_things.plant,
    small_things.book,
    small_things.speaker,
    small_things.toaster,
    small_things.laptop,
    small_things.toy_ball,
)
FLOOR_THINGS: tuple[Maker, ...] = (
    small_things.bin_,
    small_things.carton,
    small_things.suitcase,
    small_things.floor_plant,
    small_things.toy_ball,
    furniture.floor_lamp,
    furniture.stool,
)


def furnish(rng: Rng) -> Floorplan:
    """Return a furnished room of 16 to 25 things, 3.4 to 4.4 m along either side."""
    plan = Floorplan(rng.uniform(3.5, 4.4), rng.uniform(3.5, 4.4), rng.uniform(2.4, 2.6), rng)
    hosts = _middle(plan, rng) + _walls(plan, rng)
    if rng.random() < 0.5:
        hang_picture(plan, rng)
    wanted = int(rng.integers(MIN_THINGS + 2, MAX_THINGS + 1))
    for k in rng.permutation(len(FLOOR_THINGS))[: int(rng.integers(2, 4))]:
        on_free_floor(plan, FLOOR_THINGS[k](rng), rng)
    _small(plan, hosts, wanted, rng)
    return plan


def _middle(plan: Floorplan, rng: Rng) -> list[Placed]:
    """Put a table with seats near the middle."""
    maker = (furniture.table, furniture.table, furniture.round_table, furniture.coffee_table)[int(rng.integers(4))]
    centre = (plan.width / 2, plan.depth / 2)
    host = plan.on_floor(maker(rng), centre, 0.2, 0.4)
    if host is None:
        return []
    if maker is furniture.coffee_table:
        plan.in_front(furniture.stool(rng), host, 0.0, (0.0, np.pi)[int(rng.integers(2))])
        return [host]
    seat = int(rng.integers(1 << 30))
    sides = [0.0, np.pi, np.pi / 2, -np.pi / 2]
    for k in rng.permutation(4)[: int(rng.integers(2, 4))]:
        shift = rng.uniform(-0.2, 0.2) if maker is furniture.table and k < 2 else 0.0
        plan.in_front(furniture.chair(np.random.default_rng(seat)), host, shift, sides[k])  # a set of the same chairs
    return [host]


def _walls(plan: Floorplan, rng: Rng) -> list[Placed]:
    """Put furniture along the walls and return what carries small things."""
    hosts = []
    big = (furniture.sofa, furniture.bed)[int(rng.integers(2))]
    kinds: list[Maker] = [big, storage.bookshelf, (storage.cabinet, storage.chest)[int(rng.integers(2))]]
    kinds.append((furniture.desk, storage.bench)[int(rng.integers(2))])
    extra: tuple[Maker, ...] = (
        furniture.armchair,
        storage.night_table,
        storage.cabinet,
        storage.chest,
        storage.bookshelf,
    )
    kinds += [extra[k] for k in rng.permutation(len(extra))[: int(rng.integers(1, 3))]]
    for maker in kinds:
        host = plan.along_wall(maker(rng))
        if host is None:
            continue
        hosts.append(host)
        if maker is storage.bench:
            plan.on_support(storage.television(rng), host, host.model.supports[0], 0.05)
        elif maker is furniture.desk:
            plan.in_front(furniture.chair(rng), host, -0.15, 0.0)
            plan.on_support(small_things.monitor(rng), host, host.model.supports[0], 0.2)
            plan.on_support(small_things.keyboard(rng), host, host.model.supports[0], 0.1)
        elif maker is storage.bookshelf:
            _books(plan, host, rng)
        elif maker is furniture.sofa and rng.random() < 0.6:
            plan.on_support(small_things.cushion(rng), host, host.model.supports[0], 0.5)
    return hosts


def _books(plan: Floorplan, host: Placed, rng: Rng) -> None:
    """Put one or two rows of books on the boards of a bookcase."""
    boards = host.model.supports
    for k in rng.permutation(len(boards))[: int(rng.integers(1, 3))]:
        plan.on_support(small_things.book_row(rng, boards[k].clearance - 0.02), host, boards[k], 0.0)


def hang_picture(plan: Floorplan, rng: Rng) -> None:
    """Hang a framed picture on a wall."""
    w, h = rng.uniform(0.45, 0.8), rng.uniform(0.35, 0.55)
    art = Texture(
        PICTURE,
        palette.pick(rng, ((0.5, 0.68, 0.85), (0.9, 0.6, 0.35))),
        palette.pick(rng, ((0.25, 0.35, 0.25), (0.35, 0.25, 0.4))),
        palette.pick(rng, ((0.75, 0.65, 0.25), (0.4, 0.6, 0.25))),
        seed=palette.seed_of(rng),
    )
    rim = palette.timber(rng)
    parts = [box((w - 0.06, 0.02, h - 0.06), (0, 0.01, 0.03), art)]
    parts += [box((w, 0.045, 0.035), (0, 0, z), rim) for z in (0, h - 0.035)]
    parts += [box((0.035, 0.045, h - 0.07), (sx * (w / 2 - 0.0175), 0, 0.035), rim) for sx in (-1, 1)]
    model = Model("picture", tuple(parts))
    for _ in range(20):
        wall = int(rng.integers(4))
        run = plan.width if wall % 2 == 0 else plan.depth
        s, z = rng.uniform(0.6, run - 0.6), rng.uniform(1.25, 1.45)
        back = 0.034
        x, y = ((s, plan.depth - back), (plan.width - back, s), (s, back), (back, s))[wall]
        thing = Placed(model, x, y, z, (0.0, -np.pi / 2, np.pi, np.pi / 2)[wall])
        if plan.fits(thing, 0.02):
            plan.add(thing)
            return


def on_free_floor(plan: Floorplan, model: Model, rng: Rng) -> None:
    """Stand `model` along a wall or, failing that, somewhere off the middle."""
    if rng.random() < 0.6 and plan.along_wall(model, 0.02, 30):
        return
    plan.on_floor(model, (plan.width / 2, plan.depth / 2), 0.42 * min(plan.width, plan.depth), np.pi, 40)


def _small(plan: Floorplan, hosts: list[Placed], wanted: int, rng: Rng) -> None:
    """Put small things on tables, cabinets and shelves until the room holds `wanted` things; the middle gets most."""
    makers = [TABLE_THINGS[k] for k in rng.permutation(len(TABLE_THINGS))]
    makers += [partial(small_things.plant, scale=1.2), small_things.bottle, small_things.package, small_things.can] * 3
    for maker in makers:
        if len(plan.placed) >= wanted:
            return
        middle = rng.random() < 0.55
        host = hosts[0] if middle else hosts[int(rng.integers(len(hosts)))]
        if not host.model.supports:
            continue
        support = host.model.supports[int(rng.integers(len(host.model.supports)))]
        plan.on_support(maker(rng), host, support, 0.9)

"""Furniture that things are kept in: shelves, cabinets, chests, night tables, a television's bench."""

from __future__ import annotations

import numpy as np

from benchmarks.rooms import palette
from benchmarks.rooms.meshes import ball, box, cylinder
from benchmarks.rooms.models import Model, Support
from benchmarks.rooms.textures import SCREEN, Texture, plain

Rng = np.random.Generator


def bookshelf(rng: Rng) -> Model:
    """An open bookcase; its boards carry rows of books and small things."""
    w, d, h = rng.uniform(0.7, 0.95), rng.uniform(0.27, 0.32), rng.uniform(1.3, 1.8)
    t = palette.carcass(rng)
    levels = round((h - 0.1) / 0.36)
    pitch = (h - 0.08) / levels
    parts = [box((0.022, d, h), (sx * (w / 2 - 0.011), 0, 0), t) for sx in (-1, 1)]
    parts.append(box((w - 0.044, 0.008, h - 0.06), (0, d / 2 - 0.004, 0.06), t))
    supports = []
    for k in range(levels + 1):
        z = 0.06 + k * pitch if k < levels else h - 0.02
        parts.append(box((w - 0.044, d - 0.008, 0.02), (0, -0.004, z), t))
        if k < levels:
            supports.append(Support(0, -0.02, z + 0.02, w - 0.07, d - 0.06, pitch - 0.05))
    return Model("bookshelf", tuple(parts), tuple(supports))


def cabinet(rng: Rng) -> Model:
    """A sideboard or cupboard with doors."""
    doors = int(rng.integers(2, 4))
    w, d, h = doors * rng.uniform(0.38, 0.46), rng.uniform(0.38, 0.45), rng.uniform(0.75, 1.05)
    body = palette.carcass(rng)
    front = body if rng.random() < 0.6 else palette.carcass(rng)
    knob = plain(palette.STEEL, gloss=0.5)
    parts = [box((w, d - 0.02, h - 0.05), (0, 0.01, 0.05), body), box((w - 0.06, d - 0.1, 0.05), (0, 0.02, 0), body)]
    each = w / doors
    for k in range(doors):
        x = -w / 2 + (k + 0.5) * each
        parts.append(box((each - 0.008, 0.016, h - 0.08), (x, -d / 2 + 0.012, 0.065), front))
        side = 1 if k % 2 == 0 else -1
        parts.append(box((0.012, 0.02, 0.13), (x + side * (each / 2 - 0.05), -d / 2 - 0.006, 0.6 * h), knob))
    return Model("cabinet", tuple(parts), (Support(0, 0, h, w - 0.06, d - 0.06),))


def chest(rng: Rng) -> Model:
    """A chest of drawers with round knobs."""
    w, d, h = rng.uniform(0.75, 1.0), rng.uniform(0.42, 0.5), rng.uniform(0.7, 0.95)
    rows = int(rng.integers(3, 5))
    body = palette.carcass(rng)
    knob = plain(palette.pick(rng, (palette.BLACK, palette.STEEL, (0.75, 0.6, 0.3))), gloss=0.5)
    parts = [box((w, d - 0.03, h - 0.06), (0, 0.015, 0.03), body), box((w + 0.03, d, 0.03), (0, 0, h - 0.03), body)]
    parts.append(box((w - 0.04, d - 0.08, 0.03), (0, 0.02, 0), body))
    pitch = (h - 0.1) / rows
    for k in range(rows):
        z = 0.05 + k * pitch
        parts.append(box((w - 0.05, 0.02, pitch - 0.02), (0, -d / 2 + 0.022, z), body))
        parts += [ball(0.016, (sx * w / 4, -d / 2 + 0.006, z + pitch / 2 - 0.026), knob) for sx in (-1, 1)]
    return Model("chest", tuple(parts), (Support(0, 0, h, w - 0.05, d - 0.06),))


def night_table(rng: Rng) -> Model:
    """A small table with one drawer and an open shelf."""
    w, d, h = rng.uniform(0.38, 0.46), rng.uniform(0.34, 0.4), rng.uniform(0.45, 0.55)
    t = palette.carcass(rng)
    parts = (
        box((w, d, 0.025), (0, 0, h - 0.025), t),
        *(box((0.02, d - 0.02, h - 0.025), (sx * (w / 2 - 0.02), 0, 0), t) for sx in (-1, 1)),
        box((w - 0.06, d - 0.03, 0.15), (0, 0.0, h - 0.175), t),
        box((w - 0.06, d - 0.03, 0.02), (0, 0, 0.08), t),
        ball(0.014, (0, -d / 2 + 0.003, h - 0.115), plain(palette.STEEL, gloss=0.5)),
    )
    return Model("night_table", parts, (Support(0, 0, h, w - 0.03, d - 0.03),))


def bench(rng: Rng) -> Model:
    """A long low bench for a television or for shoes."""
    w, d, h = rng.uniform(1.1, 1.4), rng.uniform(0.36, 0.42), rng.uniform(0.40, 0.5)
    t = palette.carcass(rng)
    parts = [box((w, d, 0.025), (0, 0, h - 0.025), t), box((w, d, 0.025), (0, 0, 0.06), t)]
    parts += [box((0.025, d - 0.01, h - 0.11), (x * (w / 2 - 0.0125), 0, 0.085), t) for x in (-1, 0, 1)]
    parts.append(box((w - 0.03, 0.01, h - 0.11), (0, d / 2 - 0.01, 0.085), t))
    parts += [
        cylinder(0.02, 0.06, (sx * (w / 2 - 0.06), sy * (d / 2 - 0.06), 0), t) for sx in (-1, 1) for sy in (-1, 1)
    ]
    return Model("bench", tuple(parts), (Support(0, 0, h, w - 0.05, d - 0.05),))


def television(rng: Rng) -> Model:
    """A flat television on a foot."""
    w = rng.uniform(0.75, 0.95)
    h = 0.58 * w
    case = plain(palette.BLACK, gloss=0.3)
    colors = (palette.pick(rng, ((0.10, 0.2, 0.4), (0.2, 0.35, 0.3))), palette.pick(rng, palette.BRIGHTS))
    front = Texture(SCREEN, palette.BLACK, colors[0], colors[1], seed=palette.seed_of(rng), gloss=0.6)
    parts = (
        box((w, 0.045, h), (0, 0, 0.06), front),
        box((0.08, 0.04, 0.06), (0, 0, 0.01), case),
        box((0.4, 0.2, 0.012), (0, 0, 0), case),
    )
    return Model("television", parts)

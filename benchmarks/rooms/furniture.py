"""Furniture with proportions from everyday catalogues, each piece drawn from a random generator.

Every function returns a :class:`Model`: metres, z up, origin on the floor below its middle, front towards -y.
"""

from __future__ import annotations

import numpy as np

from benchmarks.rooms import palette
from benchmarks.rooms.meshes import Part, ball, box, cylinder, rounded_box, tube
from benchmarks.rooms.models import Model, Support
from benchmarks.rooms.textures import CHECKER, Texture, fabric, plain, striped

Rng = np.random.Generator


def table(rng: Rng) -> Model:
    """A dining table, rectangular."""
    w, d, h = rng.uniform(1.15, 1.5), rng.uniform(0.75, 0.9), rng.uniform(0.71, 0.76)
    top = palette.timber(rng)
    steel = rng.random() < 0.4
    leg = plain(palette.STEEL, gloss=0.4) if steel else top
    x, y, r = w / 2 - 0.06, d / 2 - 0.06, rng.uniform(0.02, 0.035)
    parts = [box((w, d, 0.035), (0, 0, h - 0.035), top)]
    for sx, sy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        at = (sx * x, sy * y, 0)
        parts.append(cylinder(r, h - 0.035, at, leg) if steel else box((2 * r, 2 * r, h - 0.035), at, leg))
    if not steel:
        parts += [box((2 * x, 0.02, 0.08), (0, sy * y, h - 0.115), leg) for sy in (-1, 1)]
    return Model("table", tuple(parts), (Support(0, 0, h, w - 0.06, d - 0.06),))


def round_table(rng: Rng) -> Model:
    """A round table on a central column."""
    r, h = rng.uniform(0.48, 0.58), rng.uniform(0.70, 0.75)
    top, column = palette.timber(rng), plain(palette.pick(rng, palette.PAINTS), gloss=0.3)
    parts = (
        cylinder(r, 0.03, (0, 0, h - 0.03), top),
        cylinder(0.04, h - 0.05, (0, 0, 0.02), column),
        cylinder(0.28, 0.02, (0, 0, 0), column, top=0.24),
    )
    return Model("round_table", parts, (Support(0, 0, h, 1.3 * r, 1.3 * r),))


def coffee_table(rng: Rng) -> Model:
    """A low table with a shelf."""
    w, d, h = rng.uniform(0.8, 1.0), rng.uniform(0.5, 0.6), rng.uniform(0.40, 0.46)
    t = palette.timber(rng)
    parts = [box((w, d, 0.03), (0, 0, h - 0.03), t), box((w - 0.1, d - 0.1, 0.02), (0, 0, 0.12), t)]
    for sx, sy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        parts.append(box((0.05, 0.05, h - 0.03), (sx * (w / 2 - 0.025), sy * (d / 2 - 0.025), 0), t))
    return Model("coffee_table", tuple(parts), (Support(0, 0, h, w - 0.05, d - 0.05),))


def desk(rng: Rng) -> Model:
    """A desk with a block of drawers under its right end."""
    w, d, h = rng.uniform(1.15, 1.35), rng.uniform(0.58, 0.65), 0.735
    top, body = palette.timber(rng), palette.carcass(rng)
    knob = plain(palette.STEEL, gloss=0.5)
    bw = 0.40
    x = w / 2 - bw / 2 - 0.02
    parts = [box((w, d, 0.03), (0, 0, h - 0.03), top), box((bw, d - 0.06, h - 0.03), (x, 0.0, 0), body)]
    for k in range(3):
        z = 0.06 + k * 0.21
        parts.append(box((bw - 0.03, 0.012, 0.19), (x, -d / 2 + 0.024, z), body))
        parts.append(box((0.12, 0.014, 0.012), (x, -d / 2 + 0.011, z + 0.12), knob))
    parts += [box((0.04, 0.04, h - 0.03), (-w / 2 + 0.03, sy * (d / 2 - 0.03), 0), top) for sy in (-1, 1)]
    return Model("desk", tuple(parts), (Support(0, 0, h, w - 0.06, d - 0.06),))


def chair(rng: Rng) -> Model:
    """A dining chair: four legs, a seat, a slatted, panelled or padded back."""
    w, d, seat, h = rng.uniform(0.40, 0.44), rng.uniform(0.40, 0.44), rng.uniform(0.44, 0.47), rng.uniform(0.82, 0.95)
    frame = palette.timber(rng) if rng.random() < 0.6 else plain(palette.pick(rng, palette.PAINTS), gloss=0.3)
    style = int(rng.integers(3))
    pad = palette.upholstery(rng)
    r = 0.018
    x, y = w / 2 - r, d / 2 - r
    parts = [box((2 * r, 2 * r, seat - 0.03), (sx * x, -y, 0), frame) for sx in (-1, 1)]
    parts += [box((2 * r, 2 * r, h), (sx * x, y, 0), frame) for sx in (-1, 1)]
    if style == 2:
        parts.append(rounded_box((w, d - 0.045, 0.06), (0, -0.022, seat - 0.03), pad, 0.02))
        parts.append(rounded_box((w - 0.075, 0.05, h - seat - 0.12), (0, y - 0.01, seat + 0.1), pad, 0.02))
    else:
        parts.append(box((w, d, 0.03), (0, 0, seat - 0.03), frame if style == 0 else pad))
        if style == 0:
            parts.append(box((w - 0.07, 0.02, 0.07), (0, y, h - 0.08), frame))
            parts += [box((0.03, 0.015, h - seat - 0.08), (k * 0.075, y, seat), frame) for k in (-2, -1, 0, 1, 2)]
        else:
            parts.append(box((w - 0.07, 0.02, 0.24), (0, y, h - 0.25), pad))
    parts += [box((0.02, d - 0.07, 0.025), (sx * x, 0, 0.18), frame) for sx in (-1, 1)]
    return Model("chair", tuple(parts))


def stool(rng: Rng) -> Model:
    """A round stool with a cushion."""
    h, r = rng.uniform(0.42, 0.48), rng.uniform(0.15, 0.18)
    leg = palette.timber(rng)
    parts: list[Part] = [
        cylinder(r, 0.035, (0, 0, h - 0.06), leg),
        cylinder(r - 0.01, 0.025, (0, 0, h - 0.025), palette.upholstery(rng)),
    ]
    for k in range(4):
        a = np.pi / 4 + k * np.pi / 2
        foot, head = np.array([np.cos(a), np.sin(a)]) * (r + 0.01), np.array([np.cos(a), np.sin(a)]) * (r - 0.05)
        parts.append(tube([(*foot, 0.002), (*head, h - 0.06)], 0.014, leg))
    return Model("stool", tuple(parts))


def _seating(rng: Rng, name: str, w: float, seats: int) -> Model:
    d, seat, h, arm = rng.uniform(0.78, 0.86), rng.uniform(0.40, 0.44), rng.uniform(0.74, 0.82), rng.uniform(0.12, 0.17)
    cloth = palette.upholstery(rng)
    inner = w - 2 * arm
    parts = [
        rounded_box((w, d - 0.02, 0.22), (0, 0.01, 0.06), cloth, 0.03),
        rounded_box((w, 0.2, h - 0.08), (0, d / 2 - 0.1, 0.08), cloth, 0.05),
    ]
    parts += [rounded_box((arm, d - 0.05, 0.52), (sx * (w / 2 - arm / 2), 0, 0.08), cloth, 0.05) for sx in (-1, 1)]
    each = inner / seats
    for k in range(seats):
        x = -inner / 2 + (k + 0.5) * each
        parts.append(rounded_box((each - 0.01, d - 0.22, seat - 0.26), (x, -0.1, 0.26), cloth, 0.04))
        parts.append(rounded_box((each - 0.02, 0.16, 0.34), (x, d / 2 - 0.25, seat - 0.02), cloth, 0.05).moved())
    foot = plain(palette.BLACK)
    parts += [
        cylinder(0.02, 0.08, (sx * (w / 2 - 0.08), sy * (d / 2 - 0.1), 0), foot) for sx in (-1, 1) for sy in (-1, 1)
    ]
    return Model(name, tuple(parts), (Support(0, -0.16, seat, inner - 0.1, d - 0.45, 0.6),))


def sofa(rng: Rng) -> Model:
    """A sofa of two or three seats."""
    seats = int(rng.integers(2, 4))
    return _seating(rng, "sofa", rng.uniform(0.6, 0.64) * seats + 0.3, seats)


def armchair(rng: Rng) -> Model:
    """An upholstered chair with arms."""
    return _seating(rng, "armchair", rng.uniform(0.78, 0.9), 1)


def bed(rng: Rng) -> Model:
    """A single bed: frame, mattress, blanket, pillow, headboard."""
    w, d, h = rng.uniform(0.9, 1.1), rng.uniform(1.8, 1.95), rng.uniform(0.42, 0.5)
    frame = palette.timber(rng)
    kind = int(rng.integers(3))
    color, other = palette.pick(rng, palette.CLOTHS), palette.pick(rng, ((0.85, 0.82, 0.88), (0.9, 0.88, 0.84)))
    covers = (
        fabric(color, palette.seed_of(rng)),
        striped(color, other, 0.2),
        Texture(CHECKER, color, other, scale=0.15, gloss=0.0),
    )
    parts = (
        box((w, d - 0.04, 0.2), (0, -0.02, 0.1), frame),
        box((w, 0.04, h + 0.35), (0, d / 2 - 0.02, 0), frame),
        rounded_box((w - 0.04, d - 0.08, h - 0.32), (0, -0.02, 0.3), plain(palette.WHITE, gloss=0.0), 0.05),
        rounded_box((w, d * 0.68, 0.07), (0, -d * 0.16 + 0.005, h - 0.06), covers[kind], 0.035),
        rounded_box((w * 0.7, 0.36, 0.12), (0, d / 2 - 0.26, h - 0.03), fabric(other, palette.seed_of(rng)), 0.055),
        *(box((0.06, 0.06, 0.1), (sx * (w / 2 - 0.05), -d / 2 + 0.05, 0), frame) for sx in (-1, 1)),
    )
    return Model("bed", parts, (Support(0, -d * 0.16, h + 0.01, w - 0.2, d * 0.5),))


def floor_lamp(rng: Rng) -> Model:
    """A lamp on a tall pole."""
    h, r = rng.uniform(1.45, 1.65), rng.uniform(0.16, 0.2)
    metal = plain(palette.pick(rng, (palette.BLACK, palette.STEEL)), gloss=0.4)
    shade = fabric(palette.pick(rng, ((0.93, 0.88, 0.76), (0.8, 0.5, 0.35), (0.5, 0.6, 0.66))), palette.seed_of(rng))
    parts = (
        cylinder(0.15, 0.025, (0, 0, 0), metal, top=0.14),
        cylinder(0.013, h - 0.1, (0, 0, 0.025), metal),
        cylinder(r, 0.26, (0, 0, h - 0.2), shade, top=0.7 * r),
        ball(0.012, (0, 0, h + 0.06), metal),
    )
    return Model("floor_lamp", parts)

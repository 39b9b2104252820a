"""Small things that stand on tables, shelves and the floor.

Every function returns a :class:`Model`: metres, z up, standing on z = 0, front towards -y.
"""

from __future__ import annotations

import numpy as np

from benchmarks.rooms import palette
from benchmarks.rooms.meshes import Part, ball, box, cylinder, lathe, leaves, rounded_box, tube
from benchmarks.rooms.models import Model
from benchmarks.rooms.textures import BANDS, KEYS, SCREEN, SPINE, Texture, fabric, plain, printed, wood

Rng = np.random.Generator


def package(rng: Rng) -> Model:
    """A printed carton, as cereals come in."""
    size = (rng.uniform(0.14, 0.2), rng.uniform(0.05, 0.08), rng.uniform(0.2, 0.3))
    return Model("package", (box(size, (0, 0, 0), _print(rng)),))


def _print(rng: Rng, wrapped: bool = False) -> Texture:
    colors = [palette.BRIGHTS[k] for k in rng.permutation(len(palette.BRIGHTS))[:3]]
    return printed(colors[0], colors[1], colors[2], palette.seed_of(rng), wrapped)


def mug(rng: Rng) -> Model:
    """A mug with a handle, open at the top."""
    r, h, t = rng.uniform(0.038, 0.046), rng.uniform(0.085, 0.105), 0.005
    g = palette.glaze(rng)
    profile = [(0, 0), (r, 0), (r, h), (r - t, h), (r - t, 0.01), (0, 0.01)]
    a = np.linspace(-np.pi / 2, np.pi / 2, 9)
    handle = [(r - 0.002 + 0.028 * np.cos(x), 0, h / 2 + 0.3 * h * np.sin(x)) for x in a]
    return Model("mug", (lathe(profile, (0, 0, 0), g), tube(handle, 0.006, g)))


def bowl(rng: Rng) -> Model:
    """A round bowl."""
    r, h = rng.uniform(0.085, 0.13), rng.uniform(0.06, 0.085)
    a = np.linspace(0, np.pi / 2, 9)
    outer = [(0.4 * r + 0.6 * r * np.sin(x), 0.01 + (h - 0.01) * (1 - np.cos(x))) for x in a]
    inner = [(max(x - 0.006, 0.0), z + 0.006) for x, z in outer[::-1]]
    profile = [(0, 0), (0.4 * r, 0), *outer, *inner, (0, 0.016)]
    return Model("bowl", (lathe(profile, (0, 0, 0), palette.glaze(rng), 36),))


def bottle(rng: Rng) -> Model:
    """A bottle with a label and a cap."""
    r, h = rng.uniform(0.032, 0.042), rng.uniform(0.22, 0.31)
    glass = Texture(
        0, palette.pick(rng, ((0.1, 0.25, 0.12), (0.25, 0.12, 0.06), (0.75, 0.8, 0.8), (0.9, 0.75, 0.1))), gloss=0.7
    )
    s = 0.62 * h
    profile = [
        (0, 0),
        (r, 0),
        (r, s),
        (0.85 * r, s + 0.12 * h),
        (0.4 * r, 0.82 * h),
        (0.36 * r, h - 0.02),
        (0, h - 0.02),
    ]
    parts = (
        lathe(profile, (0, 0, 0), glass),
        lathe([(r + 0.001, 0), (r + 0.001, 0.36 * h)], (0, 0, 0.14 * h), _print(rng, wrapped=True)),
        cylinder(0.42 * r, 0.025, (0, 0, h - 0.025), palette.glaze(rng)),
    )
    return Model("bottle", parts)


def can(rng: Rng) -> Model:
    """A tin with a printed label."""
    r, h = rng.uniform(0.036, 0.05), rng.uniform(0.1, 0.14)
    metal = plain(palette.STEEL, gloss=0.6)
    return Model(
        "can",
        (
            cylinder(r, h, (0, 0, 0), metal),
            lathe([(r + 0.001, 0), (r + 0.001, h - 0.012)], (0, 0, 0.006), _print(rng, True)),
        ),
    )


def vase(rng: Rng) -> Model:
    """A bellied vase, often banded."""
    h, r = rng.uniform(0.2, 0.34), rng.uniform(0.07, 0.11)
    z = np.linspace(0, 1, 17)
    radius = r * (0.45 + 0.55 * np.sin(np.pi * np.clip(z * 1.15, 0, 1)) ** 1.2 + 0.1 * z**6)
    outer = list(zip(radius, z * h, strict=True))
    profile = [(0, 0), *outer, (radius[-1] - 0.008, h), (radius[-4] * 0.8, 0.8 * h), (0, 0.75 * h)]
    color, other = palette.pick(rng, palette.BRIGHTS), palette.pick(rng, palette.PAINTS)
    t = (
        Texture(BANDS, color, other, scale=rng.uniform(0.06, 0.15), gloss=0.5)
        if rng.random() < 0.5
        else palette.glaze(rng)
    )
    return Model("vase", (lathe(profile, (0, 0, 0), t, 36),))


def table_lamp(rng: Rng) -> Model:
    """A lamp with a turned foot and a cloth shade."""
    h, r = rng.uniform(0.38, 0.5), rng.uniform(0.12, 0.16)
    foot = palette.glaze(rng) if rng.random() < 0.5 else palette.timber(rng)
    body = [
        (0, 0),
        (0.07, 0),
        (0.075, 0.015),
        (0.03, 0.04),
        (0.055, 0.1),
        (0.05, 0.15),
        (0.018, 0.2),
        (0.012, 0.5 * h),
        (0, 0.5 * h),
    ]
    shade = fabric(
        palette.pick(rng, ((0.93, 0.88, 0.76), (0.85, 0.55, 0.40), (0.60, 0.70, 0.75))), palette.seed_of(rng)
    )
    return Model(
        "table_lamp",
        (
            lathe(body, (0, 0, 0), foot),
            lathe([(r, 0), (0.62 * r, 0.45 * h), (0.01, 0.46 * h)], (0, 0, 0.54 * h), shade, 36),
        ),
    )


def plant(rng: Rng, scale: float = 1.0) -> Model:
    """A plant in a pot."""
    r, h = scale * rng.uniform(0.06, 0.075), scale * rng.uniform(0.1, 0.13)
    pot = lathe(
        [(0, 0), (0.75 * r, 0), (r, h), (0.9 * r, h), (0.85 * r, 0.88 * h), (0, 0.88 * h)],
        (0, 0, 0),
        palette.glaze(rng),
    )
    blades = []
    for k in range(int(rng.integers(14, 22))):
        angle, length, lift = 2.4 * k + rng.uniform(-0.3, 0.3), scale * rng.uniform(0.14, 0.24), rng.uniform(0.5, 1.35)
        s = np.linspace(0, 1, 7)
        out = length * (np.cos(lift) * s + 0.35 * s**2 * np.sin(lift))
        up = length * (np.sin(lift) * s * 1.25 - 0.55 * s**2)
        width = 0.17 * length * np.sin(np.pi * np.clip(s * 0.93 + 0.05, 0, 1))
        along, side = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
        middle = out[:, None] * along + np.maximum(up, -0.5 * h)[:, None] * [0, 0, 1]
        blades.append(np.stack([middle - width[:, None] * side, middle + width[:, None] * side], axis=1))
    green = plain(
        palette.pick(rng, ((0.16, 0.42, 0.16), (0.25, 0.5, 0.2), (0.3, 0.45, 0.25))), seed=palette.seed_of(rng)
    )
    stem = plain((0.35, 0.28, 0.15))
    return Model(
        "plant",
        (
            pot,
            leaves(blades, green).moved((0, 0, h + 0.02 * scale)),
            cylinder(0.012 * scale, 0.15 * h, (0, 0, 0.88 * h), stem),
        ),
    )


def floor_plant(rng: Rng) -> Model:
    """A large plant in a floor pot."""
    return Model("floor_plant", plant(rng, rng.uniform(2.2, 2.8)).parts)


def book(rng: Rng) -> Model:
    """A book lying on its back."""
    size = (rng.uniform(0.15, 0.2), rng.uniform(0.21, 0.27), rng.uniform(0.025, 0.05))
    return Model("book", (box(size, (0, 0, 0), _print(rng)),))


def book_row(rng: Rng, height: float = 0.27) -> Model:
    """A row of books standing upright, their backs to the front: one thing."""
    parts, x = [], 0.0
    width = rng.uniform(0.22, 0.42)
    while x < width:
        t, h, d = rng.uniform(0.02, 0.05), rng.uniform(0.7, 0.95) * height, rng.uniform(0.14, 0.19)
        colors = [palette.BRIGHTS[k] for k in rng.permutation(len(palette.BRIGHTS))[:2]]
        cover = Texture(SPINE, colors[0], colors[1], seed=palette.seed_of(rng), gloss=0.1)
        parts.append(box((t - 0.001, d, h), (x + t / 2, -0.095 + d / 2, 0), cover))
        x += t
    return Model("books", tuple(p.moved((-x / 2, 0, 0)) for p in parts))


def laptop(rng: Rng) -> Model:
    """An open laptop."""
    w, d, tilt = rng.uniform(0.31, 0.36), rng.uniform(0.22, 0.24), rng.uniform(0.2, 0.4)
    shell = palette.pick(rng, ((0.7, 0.7, 0.72), (0.2, 0.2, 0.22)))
    lid = Texture(
        SCREEN, shell, (0.15, 0.3, 0.5), palette.pick(rng, palette.BRIGHTS), seed=palette.seed_of(rng), gloss=0.5
    )
    base = box((w, d, 0.016), (0, 0, 0), Texture(KEYS, shell, palette.BLACK, gloss=0.2))
    return Model("laptop", (base, box((w, 0.008, d), (0, 0, 0.0), lid).moved((0, d / 2 - 0.004, 0.018), roll=-tilt)))


def monitor(rng: Rng) -> Model:
    """A computer's monitor."""
    w = rng.uniform(0.5, 0.6)
    h = 0.6 * w
    case = plain(palette.pick(rng, (palette.BLACK, (0.75, 0.75, 0.76))), gloss=0.3)
    colors = (palette.pick(rng, ((0.15, 0.3, 0.5), (0.3, 0.2, 0.4))), palette.pick(rng, palette.BRIGHTS))
    front = Texture(SCREEN, palette.BLACK, colors[0], colors[1], seed=palette.seed_of(rng), gloss=0.5)
    parts = (
        box((w, 0.04, h), (0, -0.02, 0.12), front),
        box((0.06, 0.03, 0.22), (0, 0.015, 0.012), case),
        cylinder(0.11, 0.012, (0, 0, 0), case),
    )
    return Model("monitor", parts)


def keyboard(rng: Rng) -> Model:
    """A keyboard."""
    t = Texture(
        KEYS,
        palette.pick(rng, ((0.15, 0.15, 0.16), (0.8, 0.8, 0.8))),
        palette.pick(rng, ((0.3, 0.3, 0.32), (0.55, 0.55, 0.57))),
    )
    return Model("keyboard", (box((rng.uniform(0.38, 0.44), 0.14, 0.025), (0, 0, 0), t),))


def toy_ball(rng: Rng) -> Model:
    """A ball with bands."""
    t = Texture(BANDS, palette.pick(rng, palette.BRIGHTS), palette.WHITE, scale=rng.uniform(0.06, 0.12), gloss=0.3)
    return Model("ball", (ball(rng.uniform(0.06, 0.12), (0, 0, 0), t),))


def speaker(rng: Rng) -> Model:
    """A loudspeaker."""
    w, d, h = rng.uniform(0.14, 0.2), rng.uniform(0.16, 0.22), rng.uniform(0.25, 0.38)
    cone = plain((0.3, 0.3, 0.32), gloss=0.3)
    discs: list[Part] = [
        cylinder(r, 0.008, (0, 0, 0), cone, top=0.8 * r).moved((0, -d / 2, z), roll=np.pi / 2)
        for r, z in ((0.36 * w, 0.36 * h), (0.2 * w, 0.75 * h))
    ]
    return Model("speaker", (box((w, d, h), (0, 0, 0), palette.timber(rng)), *discs))


def toaster(rng: Rng) -> Model:
    """A toaster."""
    body = palette.glaze(rng)
    w = rng.uniform(0.27, 0.31)
    slot = plain(palette.BLACK)
    parts = [rounded_box((w, 0.17, 0.18), (0, 0, 0.012), body, 0.04), box((w - 0.04, 0.13, 0.012), (0, 0, 0), slot)]
    parts += [box((w - 0.1, 0.028, 0.004), (0, sy * 0.035, 0.19), slot) for sy in (-1, 1)]
    parts.append(box((0.03, 0.03, 0.02), (w / 2 + 0.01, 0, 0.12), slot))
    return Model("toaster", tuple(parts))


def cushion(rng: Rng) -> Model:
    """A cushion lying flat."""
    s = rng.uniform(0.34, 0.42)
    return Model("cushion", (rounded_box((s, s, 0.12), (0, 0, 0), palette.upholstery(rng), 0.06),))


def carton(rng: Rng) -> Model:
    """A cardboard box with a strip of tape."""
    w, d, h = rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.4), rng.uniform(0.2, 0.38)
    board = wood((0.72, 0.55, 0.36), (0.66, 0.49, 0.31), palette.seed_of(rng), 0.3)
    tape = plain((0.80, 0.70, 0.50), gloss=0.4)
    return Model("carton", (box((w, d, h), (0, 0, 0), board), box((w, 0.05, 0.001), (0, 0, h), tape)))


def bin_(rng: Rng) -> Model:
    """A waste bin, open at the top."""
    r, h = rng.uniform(0.12, 0.15), rng.uniform(0.28, 0.36)
    profile = [(0, 0), (0.8 * r, 0), (r, h), (r - 0.008, h), (0.8 * r - 0.008, 0.01), (0, 0.01)]
    return Model("bin", (lathe(profile, (0, 0, 0), plain(palette.pick(rng, palette.BRIGHTS), gloss=0.3), 36),))


def suitcase(rng: Rng) -> Model:
    """A standing suitcase with a handle."""
    shell = palette.glaze(rng)
    w, h = rng.uniform(0.36, 0.42), rng.uniform(0.5, 0.6)
    metal = plain(palette.STEEL, gloss=0.5)
    handle = [(-0.08, 0, h + 0.03), (-0.08, 0, h + 0.1), (0.08, 0, h + 0.1), (0.08, 0, h + 0.03)]
    wheel = plain(palette.BLACK)
    wheels = [cylinder(0.022, 0.035, (sx * (w / 2 - 0.07), sy * 0.06, 0), wheel) for sx in (-1, 1) for sy in (-1, 1)]
    return Model(
        "suitcase", (*wheels, rounded_box((w, 0.23, h), (0, 0, 0.03), shell, 0.05), tube(handle, 0.008, metal))
    )

"""Colours and materials that furniture and crockery come in."""

from __future__ import annotations

import numpy as np

from benchmarks.rooms.textures import Color, Texture, fabric, plain, striped, wood

WOODS: tuple[tuple[Color, Color], ...] = (
    ((0.80, 0.62, 0.42), (0.62, 0.43, 0.25)),  # oak
    ((0.88, 0.75, 0.55), (0.76, 0.59, 0.38)),  # birch
    ((0.58, 0.36, 0.20), (0.40, 0.22, 0.11)),  # walnut
    ((0.66, 0.34, 0.17), (0.47, 0.20, 0.09)),  # cherry
    ((0.38, 0.28, 0.22), (0.25, 0.17, 0.13)),  # wenge
)
CLOTHS: tuple[Color, ...] = (
    (0.56, 0.50, 0.44),
    (0.34, 0.40, 0.50),
    (0.62, 0.25, 0.22),
    (0.30, 0.42, 0.32),
    (0.78, 0.72, 0.62),
    (0.80, 0.62, 0.20),
    (0.28, 0.28, 0.32),
    (0.50, 0.34, 0.50),
    (0.25, 0.48, 0.55),
)
PAINTS: tuple[Color, ...] = (
    (0.92, 0.91, 0.88),
    (0.86, 0.84, 0.78),
    (0.55, 0.62, 0.60),
    (0.30, 0.38, 0.48),
    (0.70, 0.30, 0.24),
    (0.20, 0.21, 0.23),
)
BRIGHTS: tuple[Color, ...] = (
    (0.82, 0.16, 0.14),
    (0.14, 0.36, 0.74),
    (0.95, 0.75, 0.12),
    (0.18, 0.56, 0.28),
    (0.92, 0.48, 0.12),
    (0.90, 0.90, 0.88),
    (0.45, 0.20, 0.55),
    (0.10, 0.58, 0.62),
    (0.88, 0.42, 0.55),
    (0.16, 0.16, 0.18),
)
WALLS: tuple[Color, ...] = (
    (0.86, 0.85, 0.81),
    (0.76, 0.82, 0.84),
    (0.88, 0.82, 0.70),
    (0.74, 0.79, 0.71),
    (0.85, 0.77, 0.74),
)
STEEL: Color = (0.62, 0.63, 0.65)
BLACK: Color = (0.09, 0.09, 0.10)
WHITE: Color = (0.90, 0.90, 0.88)


def pick(rng: np.random.Generator, colors: tuple[Color, ...], jitter: float = 0.04) -> Color:
    """Return one of `colors`, slightly changed so that no two things match exactly."""
    r, g, b = np.clip(np.array(colors[int(rng.integers(len(colors)))]) + rng.uniform(-jitter, jitter, 3), 0.03, 0.97)
    return float(r), float(g), float(b)


def seed_of(rng: np.random.Generator) -> int:
    """Return a seed for a texture."""
    return int(rng.integers(1, 60000))


def timber(rng: np.random.Generator) -> Texture:
    """Return some wood."""
    light, dark = WOODS[int(rng.integers(len(WOODS)))]
    return wood(light, dark, seed_of(rng), float(rng.uniform(0.03, 0.08)))


def carcass(rng: np.random.Generator) -> Texture:
    """Return what a cabinet is made of: wood, or paint."""
    return timber(rng) if rng.random() < 0.65 else plain(pick(rng, PAINTS), seed=seed_of(rng))


def upholstery(rng: np.random.Generator) -> Texture:
    """Return a cloth, sometimes a striped one."""
    cloth = pick(rng, CLOTHS)
    if rng.random() < 0.25:
        return striped(cloth, pick(rng, ((0.85, 0.80, 0.70), (0.9, 0.85, 0.6))), float(rng.uniform(0.08, 0.16)))
    return fabric(cloth, seed_of(rng))


def glaze(rng: np.random.Generator) -> Texture:
    """Return a glossy bright colour."""
    return Texture(0, pick(rng, BRIGHTS), scale=0.15, seed=seed_of(rng), gloss=0.5)

"""Procedural textures: what a surface is made of, as a function of the point on it.

A :class:`Texture` is data (kind, three colours, a scale); :func:`albedo` evaluates it at a point in the part's own
coordinates (metres), so a texture sticks to its object and needs no image. Colours are sRGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from benchmarks.rooms import patterns

Color = tuple[float, float, float]

PLAIN, WOOD, PLANKS, TILES, CHECKER, STRIPES, FABRIC, PRINT, WRAPPED_PRINT, SPINE, KEYS, SCREEN, PICTURE, BANDS = range(
    14
)


@dataclass(frozen=True)
class Texture:
    """What :func:`albedo` needs: `kind`, colours `a`, `b`, `c`, `scale` in metres, `seed`, `gloss` 0..1."""

    kind: int
    a: Color
    b: Color = (0.0, 0.0, 0.0)
    c: Color = (1.0, 1.0, 1.0)
    scale: float = 0.1
    seed: int = 0
    gloss: float = 0.1

    def row(self) -> list[float]:
        """Return the numbers of one row of the table that the renderer indexes by part."""
        return [self.kind, *self.a, *self.b, *self.c, self.scale, self.seed, self.gloss]


def plain(a: Color, gloss: float = 0.15, seed: int = 0) -> Texture:
    """Paint, plastic or metal with a faint mottle."""
    return Texture(PLAIN, a, scale=0.15, gloss=gloss, seed=seed)


def wood(light: Color, dark: Color, seed: int, scale: float = 0.05) -> Texture:
    """Grain along the part's longest side; `scale` is the distance between rings."""
    return Texture(WOOD, light, dark, scale=scale, seed=seed, gloss=0.2)


def fabric(a: Color, seed: int, scale: float = 0.006) -> Texture:
    """Woven cloth with threads `scale` apart."""
    return Texture(FABRIC, a, scale=scale, seed=seed, gloss=0.0)


def striped(a: Color, b: Color, scale: float, seed: int = 0) -> Texture:
    """Stripes across the part's longest side."""
    return Texture(STRIPES, a, b, scale=scale, seed=seed, gloss=0.05)


def printed(a: Color, b: Color, c: Color, seed: int, wrapped: bool = False) -> Texture:
    """A package: background `a`, heading `b`, picture `c`, lines of print; `wrapped` around a bottle or a can."""
    return Texture(WRAPPED_PRINT if wrapped else PRINT, a, b, c, seed=seed, gloss=0.25)


FIBRE_M = 0.006  # what the fibres of wood measure across


@njit(cache=True)
def albedo(
    row: np.ndarray, p: np.ndarray, n: np.ndarray, low: np.ndarray, high: np.ndarray, footprint: float, out: np.ndarray
) -> None:
    """Write the sRGB colour (0..1) of point `p` with local normal `n` on a part of bounds `low`, `high` into `out`.

    `footprint` is the width of a pixel on the surface, metres: patterns finer than it fade to their mean.
    """
    kind, seed, scale = int(row[0]), int(row[11]), row[10]
    a, b, c = row[1:4], row[4:7], row[7:10]
    along = 0
    for k in range(1, 3):
        if high[k] - low[k] > high[along] - low[along]:
            along = k
    thread = scale if kind == FABRIC else FIBRE_M
    fine = min(1.0, (0.25 * thread / max(footprint, 1e-6)) ** 2)  # below four pixels a period it would alias
    if kind == PLAIN:
        m = 0.97 + 0.06 * patterns.fractal(p[0] / scale, p[1] / scale, p[2] / scale, seed, 2)
        for k in range(3):
            out[k] = a[k] * m
        return
    if kind == WOOD:
        t = patterns.grain(p, along, scale, seed, fine)
        patterns.mix(a, b, t, out)
        return
    if kind == FABRIC:
        m = 0.93 + 0.1 * patterns.fractal(p[0] * 12, p[1] * 12, p[2] * 12, seed, 3)
        m += 0.16 * fine * (patterns.weave(p, scale) - 0.5)
        for k in range(3):
            out[k] = a[k] * m
        return
    if kind == BANDS:
        t = 0.5 + 0.5 * np.tanh(6 * np.sin(2 * np.pi * p[2] / scale))
        patterns.mix(a, b, t, out)
        return
    axis = 0
    for k in range(1, 3):
        if abs(n[k]) > abs(n[axis]):
            axis = k
    iu, iv = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    w, h = max(high[iu] - low[iu], 1e-3), max(high[iv] - low[iv], 1e-3)
    u, v = (p[iu] - low[iu]) / w, (p[iv] - low[iv]) / h
    if kind == WRAPPED_PRINT:
        h = high[2] - low[2]
        w = np.pi * (high[0] - low[0])
        u, v = np.arctan2(p[1], p[0]) / (2 * np.pi) + 0.5, (p[2] - low[2]) / h
        u = (2 * u) % 1.0
        w *= 0.5
    if kind == PLANKS:
        patterns.planks(p[0], p[1], scale, seed, a, b, fine, out)
    elif kind == TILES:
        patterns.tiles(u * w, v * h, scale, seed, a, b, footprint, out)
    elif kind == CHECKER:
        odd = (int(np.floor(u * w / scale)) + int(np.floor(v * h / scale))) % 2
        patterns.mix(a, b, float(odd), out)
    elif kind == STRIPES:
        s = p[along] / scale
        patterns.mix(a, b, 1.0 if s % 1.0 > 0.5 else 0.0, out)
    elif kind in (PRINT, WRAPPED_PRINT):
        patterns.package(u, v, w, h, seed, a, b, c, out)
    elif kind == SPINE:
        patterns.spine(u, v, axis, seed, a, b, out)
    elif kind == KEYS:
        patterns.keys(u, v, w, h, a, b, axis, out)
    elif kind == SCREEN:
        patterns.screen(u, v, axis, seed, a, b, c, out)
    elif kind == PICTURE:
        patterns.picture(u, v, seed, a, b, c, out)

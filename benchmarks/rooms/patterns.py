"""The arithmetic of the procedural textures: hashed value noise and the patterns drawn with it."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def chance(i: int, j: int, k: int, seed: int) -> float:
    """Return a number in [0, 1) that depends on the lattice point alone (integer hash after Wang and Jenkins)."""
    h = np.uint32(i * 73856093) ^ np.uint32(j * 19349663) ^ np.uint32(k * 83492791) ^ np.uint32(seed * 2654435761)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x45D9F3B))
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x45D9F3B))
    h = np.uint32(h ^ (h >> np.uint32(16)))
    return float(h & np.uint32(0xFFFFFF)) / 16777216.0


@njit(cache=True)
def value_noise(x: float, y: float, z: float, seed: int) -> float:
    """Return smooth noise in 0..1 with lattice spacing 1."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    x, y, z = x - fx, y - fy, z - fz
    x, y, z = x * x * (3 - 2 * x), y * y * (3 - 2 * y), z * z * (3 - 2 * z)
    total = 0.0
    for dz in range(2):
        for dy in range(2):
            for dx in range(2):
                weight = (x if dx else 1 - x) * (y if dy else 1 - y) * (z if dz else 1 - z)
                total += weight * chance(i + dx, j + dy, k + dz, seed)
    return total


@njit(cache=True)
def fractal(x: float, y: float, z: float, seed: int, octaves: int) -> float:
    """Return noise of several octaves in 0..1."""
    total, weight, norm = 0.0, 1.0, 0.0
    for o in range(octaves):
        total += weight * value_noise(x, y, z, seed + 17 * o)
        norm += weight
        weight *= 0.5
        x, y, z = 2.03 * x, 2.03 * y, 2.03 * z
    return total / norm


@njit(cache=True)
def mix(a: np.ndarray, b: np.ndarray, t: float, out: np.ndarray) -> None:
    """Write a (1 - t) + b t into `out`."""
    for k in range(3):
        out[k] = a[k] * (1 - t) + b[k] * t


@njit(cache=True)
def grain(p: np.ndarray, along: int, scale: float, seed: int, fine: float) -> float:
    """Return how dark wood is at `p` (0..1): wavering rings about an axis outside the board, and fine fibres."""
    x, y, z = p[along], p[(along + 1) % 3], p[(along + 2) % 3]
    waver = value_noise(x * 1.7, y * 6, z * 6, seed)
    ring = (y + 0.35 * z + 0.06 * waver) / scale
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (ring + 0.8 * value_noise(x * 0.9, y * 3, z * 3, seed + 5)))
    fibre = value_noise(x * 9, y * 260, z * 260, seed + 9) - 0.5
    return min(1.0, max(0.0, 0.15 + 0.28 * rings * rings + 0.3 * waver + 0.35 * fine * fibre))


@njit(cache=True)
def weave(p: np.ndarray, scale: float) -> float:
    """Return the height of woven threads at `p`, 0..1."""
    s = 2 * np.pi / scale
    return 0.5 + 0.17 * (np.sin(p[0] * s) + np.sin(p[1] * s) + np.sin(p[2] * s))


@njit(cache=True)
def planks(
    x: float, y: float, width: float, seed: int, a: np.ndarray, b: np.ndarray, fine: float, out: np.ndarray
) -> None:
    """Draw a floor of staggered boards along x, each of its own shade, with dark joints."""
    row = int(np.floor(y / width))
    length = 7 * width
    shifted = x + length * chance(row, 3, 7, seed)
    board = int(np.floor(shifted / length))
    p = np.array([x, y - row * width, 0.0])
    t = 0.5 * grain(p, 0, 0.07, seed + 31 * row + board, fine) + 0.35 * chance(row, board, 1, seed)
    mix(a, b, t, out)
    dy = min(y - row * width, (row + 1) * width - y)
    dx = min(shifted - board * length, (board + 1) * length - shifted)
    if min(dx, dy) < 0.002 + 0.002 * (1 - fine):
        for k in range(3):
            out[k] *= 0.55


@njit(cache=True)
def tiles(
    x: float, y: float, size: float, seed: int, a: np.ndarray, b: np.ndarray, footprint: float, out: np.ndarray
) -> None:
    """Draw square tiles with joints of colour `b`."""
    i, j = int(np.floor(x / size)), int(np.floor(y / size))
    shade = 0.94 + 0.08 * chance(i, j, 2, seed) + 0.06 * (fractal(x * 9, y * 9, 0.5, seed, 3) - 0.5)
    dx = min(x - i * size, (i + 1) * size - x)
    dy = min(y - j * size, (j + 1) * size - y)
    joint = min(1.0, 0.004 / max(footprint, 1e-6)) if min(dx, dy) < max(0.004, 0.5 * footprint) else 0.0
    for k in range(3):
        out[k] = (a[k] * (1 - joint) + b[k] * joint) * shade


@njit(cache=True)
def package(
    u: float, v: float, w: float, h: float, seed: int, a: np.ndarray, b: np.ndarray, c: np.ndarray, out: np.ndarray
) -> None:
    """Draw a package's face: a heading of block letters, a round picture, a few lines of small print."""
    out[:] = a
    if 0.70 < v < 0.90 and 0.08 < u < 0.92:
        cell = (u - 0.08) / 0.84 * 6
        ink = chance(int(cell * 3), int((v - 0.7) * 30), 1, seed) > 0.35 and cell % 1.0 < 0.8
        if ink:
            out[:] = b
        return
    size = min(0.36 * w, 0.24 * h)
    dx, dy = (u - 0.5) * w, (v - 0.40) * h
    distance = np.sqrt(dx * dx + dy * dy) / max(size, 1e-6)
    if distance < 1:
        mix(c, b, 0.7 if fractal(u * 5, v * 5, 0.3, seed + 3, 2) > 0.52 else 0.0, out)
    elif v < 0.13 and 0.1 < u < 0.9 and (v * 30) % 1.0 > 0.45:
        if chance(int(u * 40), int(v * 30), 5, seed) > 0.3:
            mix(a, b, 0.7, out)
    elif u < 0.04 or u > 0.96:
        mix(a, b, 0.5, out)


@njit(cache=True)
def spine(u: float, v: float, axis: int, seed: int, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Draw a book: bands and a title on the spine and the covers, paper on the top."""
    if axis == 2:
        for k in range(3):
            out[k] = 0.86 - 0.12 * ((u * 24) % 1.0) * (1 if k < 2 else 1.2)
        return
    out[:] = a
    if (
        0.10 < v < 0.13
        or 0.86 < v < 0.89
        or (0.35 < v < 0.75 and 0.3 < u < 0.7 and chance(int(v * 40), int(u * 5), 3, seed) > 0.35)
    ):
        out[:] = b


@njit(cache=True)
def keys(u: float, v: float, w: float, h: float, a: np.ndarray, b: np.ndarray, axis: int, out: np.ndarray) -> None:
    """Draw rows of keys of colour `b` on the top of a board of colour `a`."""
    out[:] = a
    if axis == 2 and 0.03 < u < 0.97 and 0.06 < v < 0.94:
        pitch = 0.019
        if (u * w / pitch) % 1.0 < 0.82 and (v * h / pitch) % 1.0 < 0.8:
            out[:] = b


@njit(cache=True)
def screen(
    u: float, v: float, axis: int, seed: int, a: np.ndarray, b: np.ndarray, c: np.ndarray, out: np.ndarray
) -> None:
    """Draw a desktop with two windows on the face towards -y of a panel of colour `a`."""
    if axis != 1 or u < 0.03 or u > 0.97 or v < 0.05 or v > 0.95:
        out[:] = a
        return
    mix(b, c, 0.6 * v, out)
    if 0.1 < u < 0.55 and 0.2 < v < 0.85:
        out[:] = 0.93
        if v < 0.75 and (v * 25) % 1.0 > 0.5 and chance(int(u * 60), int(v * 25), 1, seed) > 0.35:
            out[:] = 0.25
    elif 0.6 < u < 0.92 and 0.35 < v < 0.9:
        mix(c, b, 1.0 if fractal(u * 9, v * 9, 0.1, seed, 2) > 0.5 else 0.0, out)


@njit(cache=True)
def picture(u: float, v: float, seed: int, a: np.ndarray, b: np.ndarray, c: np.ndarray, out: np.ndarray) -> None:
    """Draw a landscape: sky `a`, hills `b`, a field `c`."""
    hills = 0.5 + 0.25 * (fractal(u * 4, 0.7, 0.2, seed, 3) - 0.4)
    if v > hills:
        mix(a, np.ones(3), 0.5 * (1 - v) + 0.3 * (fractal(u * 5, v * 9, 0.6, seed + 1, 3) - 0.4), out)
    elif v > 0.55 * hills + 0.1 * np.sin(5 * u + seed % 7):
        mix(b, np.zeros(3), 0.5 * fractal(u * 14, v * 14, 0.4, seed + 2, 2), out)
    else:
        mix(c, b, 0.6 * fractal(u * 20, v * 30, 0.8, seed + 3, 2), out)

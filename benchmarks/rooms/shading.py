"""The renderer's arithmetic over pixels: rays, hit points, soft light, colour. N is the number of pixels, H·W."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from benchmarks.rooms.images import sample
from benchmarks.rooms.textures import albedo

AMBIENT = 0.62  # of the light that reaches an upward surface in the open


@njit(cache=True, parallel=True, nogil=True)
def rays(width: int, height: int, K: NDArray[np.float64], T: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return N×6 float32 rays through the pixel centres, scaled so that the distance along a ray is depth along z."""
    rays = np.empty((height * width, 6), np.float32)
    for v in prange(height):
        for u in range(width):
            x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
            i = v * width + u
            for k in range(3):
                rays[i, k] = T[k, 3]
                rays[i, 3 + k] = T[k, 0] * x + T[k, 1] * y + T[k, 2]
    return rays


@njit(cache=True, parallel=True, nogil=True)
def surface(
    rays: NDArray[np.float32],
    depth: NDArray[np.float32],
    primitive: NDArray[np.uint32],
    uv: NDArray[np.float32],
    normals: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return hit points, interpolated normals turned to the camera, and the cosine of incidence."""
    n = len(depth)
    point, normal, cosine = np.zeros((n, 3), np.float32), np.zeros((n, 3), np.float32), np.zeros(n, np.float32)
    for i in prange(n):
        if depth[i] <= 0:
            continue
        t, a, b = primitive[i], uv[i, 0], uv[i, 1]
        dot, size, length = 0.0, 0.0, 0.0
        for k in range(3):
            point[i, k] = rays[i, k] + depth[i] * rays[i, 3 + k]
            normal[i, k] = (1 - a - b) * normals[t, 0, k] + a * normals[t, 1, k] + b * normals[t, 2, k]
            size += normal[i, k] ** 2
            length += rays[i, 3 + k] ** 2
            dot -= normal[i, k] * rays[i, 3 + k]
        scale = (1.0 if dot >= 0 else -1.0) / max(np.sqrt(size), 1e-9)
        for k in range(3):
            normal[i, k] *= scale
        cosine[i] = abs(dot) / max(np.sqrt(size * length), 1e-9)
    return point, normal, cosine


@njit(cache=True, parallel=True, nogil=True)
def lamp_rays(
    point: NDArray[np.float32], normal: NDArray[np.float32], lights: NDArray[np.float64], width: int, radius: float
) -> NDArray[np.float32]:
    """Return rays of length 1 to a jittered point of one of the lamps; which one, and where, follows a 4×4 pattern."""
    rays = np.empty((len(point), 6), np.float32)
    for i in prange(len(point)):
        cell = (i // width % 4) * 4 + i % width % 4
        cell = cell * 7 % 16
        lamp = lights[cell % len(lights)]
        a, r = 2.399963 * cell, radius * np.sqrt((cell + 0.5) / 16)
        target = (lamp[0] + r * np.cos(a), lamp[1] + r * np.sin(a), lamp[2])
        for k in range(3):
            rays[i, k] = point[i, k] + 2e-3 * normal[i, k]
            rays[i, 3 + k] = target[k] - rays[i, k]
    return rays


@njit(cache=True, parallel=True, nogil=True)
def sky_rays(point: NDArray[np.float32], normal: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return unit rays spread over the hemisphere (cosine-weighted) in a 4×4 pattern."""
    rays = np.empty((len(point), 6), np.float32)
    for i in prange(len(point)):
        cell = ((i // width % 4) * 4 + i % width % 4) * 11 % 16
        r, a = np.sqrt((cell + 0.5) / 16), 2.399963 * cell
        n0, n1, n2 = normal[i, 0], normal[i, 1], normal[i, 2]
        # An orthonormal basis without branches on the length (Duff et al. 2017).
        s = 1.0 if n2 >= 0 else -1.0
        q = -1.0 / (s + n2)
        c = n0 * n1 * q
        x, y, z = r * np.cos(a), r * np.sin(a), np.sqrt(1 - r * r)
        direction = (
            x * (1 + s * n0 * n0 * q) + y * c + z * n0,
            x * s * c + y * (s + n1 * n1 * q) + z * n1,
            -x * s * n0 - y * n1 + z * n2,
        )
        for k in range(3):
            rays[i, k] = point[i, k] + 2e-3 * normal[i, k]
            rays[i, 3 + k] = direction[k]
    return rays


@njit(cache=True, parallel=True, nogil=True)
def smoothed(light: NDArray[np.float32], part: NDArray[np.int32], depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `light` (H×W×2) averaged over 4×4 pixels of the same part at about the same depth."""
    h, w = part.shape
    out = np.empty_like(light)
    for v in prange(h):
        for u in range(w):
            lamp, sky, count = 0.0, 0.0, 0
            for y in range(max(v - 2, 0), min(v + 2, h)):
                for x in range(max(u - 2, 0), min(u + 2, w)):
                    if part[y, x] == part[v, u] and abs(depth[y, x] - depth[v, u]) < 0.03 * depth[v, u]:
                        lamp += light[y, x, 0]
                        sky += light[y, x, 1]
                        count += 1
            out[v, u, 0] = lamp / max(count, 1)
            out[v, u, 1] = sky / max(count, 1)
    return out


@njit(cache=True, parallel=True, nogil=True)
def shade(
    point: NDArray[np.float32],
    normal: NDArray[np.float32],
    rays: NDArray[np.float32],
    depth: NDArray[np.float32],
    part: NDArray[np.int32],
    light: NDArray[np.float32],
    lights: NDArray[np.float64],
    T_part_room: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rows: NDArray[np.float64],
    primitive: NDArray[np.uint32],
    hit_uv: NDArray[np.float32],
    uv: NDArray[np.float32],
    texels: NDArray[np.uint8],
    place: NDArray[np.int64],
    focal: float,
) -> NDArray[np.float32]:
    """Return N×3 float32 sRGB: Lambert and Blinn-Phong under the lamps, ambient light from above."""
    out = np.zeros((len(depth), 3), np.float32)
    lit = light.reshape(-1, 2)
    for i in prange(len(depth)):
        j = part[i]
        if j < 0:
            continue
        p, n, color = np.empty(3), np.empty(3), np.empty(3)
        for k in range(3):
            p[k], n[k] = T_part_room[j, k, 3], 0.0
            for m in range(3):
                p[k] += T_part_room[j, k, m] * point[i, m]
                n[k] += T_part_room[j, k, m] * normal[i, m]
        if place[j, 0] >= 0:
            corner, a, b = uv[primitive[i]], hit_uv[i, 0], hit_uv[i, 1]
            s = (1 - a - b) * corner[0, 0] + a * corner[1, 0] + b * corner[2, 0]
            t = (1 - a - b) * corner[0, 1] + a * corner[1, 1] + b * corner[2, 1]
            sample(texels, place[j], s, t, color)
        else:
            albedo(rows[j], p, n, low[j], high[j], depth[i] / focal, color)
        diffuse, shine = 0.0, 0.0
        view = -1.0 / np.sqrt(rays[i, 3] ** 2 + rays[i, 4] ** 2 + rays[i, 5] ** 2)
        for lamp in range(len(lights)):
            d0, d1, d2 = lights[lamp, 0] - point[i, 0], lights[lamp, 1] - point[i, 1], lights[lamp, 2] - point[i, 2]
            r = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2) + 1e-6
            lambert = max(0.0, (d0 * normal[i, 0] + d1 * normal[i, 1] + d2 * normal[i, 2]) / r)
            diffuse += lambert / (0.6 + 0.22 * r * r) / len(lights)
            h0, h1, h2 = d0 / r + rays[i, 3] * view, d1 / r + rays[i, 4] * view, d2 / r + rays[i, 5] * view
            half = (h0 * normal[i, 0] + h1 * normal[i, 1] + h2 * normal[i, 2]) / (
                np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-6
            )
            half = max(0.0, half)
            half *= half  # the 32nd power by squaring: the shader's time is spent in such lines
            half *= half
            half *= half
            half *= half
            shine += half * half / len(lights)
        ambient = AMBIENT * (0.8 + 0.2 * normal[i, 2]) * (0.25 + 0.75 * lit[i, 1])
        for k in range(3):
            base = color[k] * color[k]  # gamma 2: near enough to sRGB, and a root is cheaper than a power
            linear = base * (ambient + 0.85 * diffuse * lit[i, 0]) + 0.35 * rows[j, 12] * shine * lit[i, 0]
            out[i, k] = min(1.0, np.sqrt(linear))
    return out

"""Triangle primitives, metres, z up: what furniture is built of.

A primitive is a :class:`Part` in the frame of its model; its `local` coordinates carry the texture, its axis-aligned
bounds in the model frame carry the collision test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.rooms.images import Image
from benchmarks.rooms.textures import Texture

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Vec = Sequence[float]


@dataclass(frozen=True)
class Part:
    """One textured surface: `local` N×3 float64 metres, `triangles` M×3 int32 counter-clockwise seen from outside.

    Where there is an `image`, it takes the place of the texture's colours.
    """

    local: Floats
    triangles: Ints
    texture: Texture
    T_model_part: Floats = field(default_factory=lambda: np.eye(4))
    image: Image | None = None

    @property
    def vertices(self) -> Floats:
        """N×3 float64, metres, in the model's frame."""
        return self.local @ self.T_model_part[:3, :3].T + self.T_model_part[:3, 3]

    @property
    def bounds(self) -> Floats:
        """2×3 float64: lowest and highest corner in the model's frame."""
        v = self.vertices
        return np.stack([v.min(0), v.max(0)])

    def moved(self, at: Vec = (0, 0, 0), roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Part:
        """Return the part turned about its model's axes (radians; x, then y, then z) and then shifted by `at`."""
        return replace(self, T_model_part=transform(at, roll, pitch, yaw) @ self.T_model_part)


def transform(at: Vec = (0, 0, 0), roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Floats:
    """Return the 4×4 rigid transform Rz(yaw) Ry(pitch) Rx(roll), then `at`."""
    cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    T = np.eye(4)
    T[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    T[:3, 3] = at
    return T


def box(size: Vec, at: Vec, texture: Texture) -> Part:
    """Return a box of `size` whose bottom centre stands at `at`."""
    half = np.asarray(size, float) / 2
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float) * half
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    centre = (at[0], at[1], at[2] + half[2])
    return Part(corners, _triangles(quads), texture, transform(centre))


def rounded_box(size: Vec, at: Vec, texture: Texture, radius: float) -> Part:
    """Return a box with rounded edges (a cushion), its bottom centre at `at`."""
    half = np.asarray(size, float) / 2
    radius = float(min(radius, half.min()))
    rim = np.linspace(0.8, 1.0, 4)  # the outer fifth of every edge is the arc, whatever the proportions
    ticks = np.concatenate([-rim[::-1], [-0.4, 0.0, 0.4], rim])
    n = len(ticks)
    vertices: list[Floats] = []
    quads: list[tuple[int, ...]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            start = len(vertices)
            for b in ticks:
                for a in ticks:
                    p = np.empty(3)
                    p[axis], p[(axis + 1) % 3], p[(axis + 2) % 3] = sign, a, b
                    vertices.append(p)
            for j in range(n - 1):
                for i in range(n - 1):
                    q = start + j * n + i
                    quad = (q, q + 1, q + n + 1, q + n)
                    quads.append(quad if sign > 0 else quad[::-1])
    cube = np.array(vertices)
    flat = cube / 0.8 * (half - radius)
    arc = np.sign(cube) * (half - radius + radius * (np.abs(cube) - 0.8) / 0.2)
    scaled = np.where(np.abs(cube) < 0.8, flat, arc)
    inner = np.clip(scaled, -(half - radius), half - radius)
    out = scaled - inner
    length = np.linalg.norm(out, axis=1, keepdims=True)
    local = inner + out / np.maximum(length, 1e-9) * radius
    return Part(local, _triangles(quads), texture, transform((at[0], at[1], at[2] + half[2])))


def lathe(profile: Sequence[Vec], at: Vec, texture: Texture, segments: int = 28) -> Part:
    """Return the surface of revolution of `profile` (radius, height), from its bottom up on the outside."""
    rings = np.asarray(profile, float)
    angle = np.arange(segments) * 2 * np.pi / segments
    local = np.stack(
        [
            rings[:, :1] * np.cos(angle),
            rings[:, :1] * np.sin(angle),
            np.repeat(rings[:, 1:2], segments, axis=1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    quads = []
    for k in range(len(rings) - 1):
        for i in range(segments):
            j = (i + 1) % segments
            quads.append((k * segments + i, k * segments + j, (k + 1) * segments + j, (k + 1) * segments + i))
    return Part(local, _triangles(quads), texture, transform(at))


def cylinder(radius: float, height: float, at: Vec, texture: Texture, top: float | None = None) -> Part:
    """Return a closed cylinder, or a cone's frustum where the radius at the `top` differs."""
    upper = radius if top is None else top
    return lathe([(0, 0), (radius, 0), (upper, height), (0, height)], at, texture)


def ball(radius: float, at: Vec, texture: Texture) -> Part:
    """Return a sphere that rests on `at`."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 19)
    profile = np.stack([radius * np.cos(angle), radius * (1 + np.sin(angle))], axis=1)
    profile[[0, -1], 0] = 0
    return lathe(profile.tolist(), at, texture)


def tube(path: Sequence[Vec], radius: float, texture: Texture, segments: int = 10) -> Part:
    """Return a round bar along the polyline `path` (points in the model's frame)."""
    points = np.asarray(path, float)
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    reference = np.array([0.0, 0.0, 1.0]) if np.abs(tangent[:, 2]).max() < 0.95 else np.array([0.13, 0.99, 0.05])
    side = np.cross(tangent, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, tangent)
    angle = np.arange(segments) * 2 * np.pi / segments
    rings = points[:, None] + radius * (
        np.cos(angle)[None, :, None] * up[:, None] + np.sin(angle)[None, :, None] * side[:, None]
    )
    vertices = np.concatenate([rings.reshape(-1, 3), points[[0]], points[[-1]]])
    first, last = len(vertices) - 2, len(vertices) - 1
    quads: list[tuple[int, ...]] = []
    for i in range(segments):
        j = (i + 1) % segments
        for k in range(len(points) - 1):
            quads.append((k * segments + i, (k + 1) * segments + i, (k + 1) * segments + j, k * segments + j))
        end = (len(points) - 1) * segments
        quads += [(first, i, j), (last, end + j, end + i)]
    return Part(vertices, _triangles(quads), texture)


def sheet(corners: Floats, texture: Texture) -> Part:
    """Return a flat quadrilateral of 4×3 `corners` (walls, floor)."""
    return Part(np.asarray(corners, float), _triangles([(0, 1, 2, 3)]), texture)


def leaves(blades: Sequence[Floats], texture: Texture) -> Part:
    """Return several leaf blades (each K×2×3: left and right rim along its length) as one part."""
    vertices, quads, start = [], [], 0
    for blade in blades:
        vertices.append(np.asarray(blade, float).reshape(-1, 3))
        quads += [
            (start + 2 * k, start + 2 * k + 1, start + 2 * k + 3, start + 2 * k + 2) for k in range(len(blade) - 1)
        ]
        start += 2 * len(blade)
    return Part(np.concatenate(vertices), _triangles(quads), texture)


def _triangles(polygons: Sequence[Sequence[int]]) -> Ints:
    fans = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    return np.array(fans, np.int32)


@njit(cache=True)
def corner_normals(vertices: Floats, triangles: Ints, crease_cos: float) -> NDArray[np.float32]:
    """Return M×3×3 float32 unit normals at the corners: faces meeting below the crease angle are smoothed together."""
    n, m = len(vertices), len(triangles)
    face = np.zeros((m, 3))
    start = np.zeros(n + 1, np.int64)
    for t in range(m):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        face[t] = np.cross(b - a, c - a)
        for k in range(3):
            start[triangles[t, k] + 1] += 1
    start = np.cumsum(start)
    fill = start.copy()
    incident = np.empty(3 * m, np.int64)
    for t in range(m):
        for k in range(3):
            incident[fill[triangles[t, k]]] = t
            fill[triangles[t, k]] += 1
    out = np.zeros((m, 3, 3), np.float32)
    for t in range(m):
        own = np.sqrt((face[t] ** 2).sum())
        for k in range(3):
            v = triangles[t, k]
            total = np.zeros(3)
            for s in range(start[v], start[v + 1]):
                other = face[incident[s]]
                size = np.sqrt((other**2).sum())
                if (other * face[t]).sum() >= crease_cos * own * size:
                    total += other
            length = np.sqrt((total**2).sum())
            if length > 0:
                out[t, k] = (total / length).astype(np.float32)
    return out

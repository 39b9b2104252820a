"""The map as a surface: normals, and a graph that joins neighbouring points."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import SuperpointConfig
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.mapping import MapCloud
from any3dis_ros.scene.neighbours import nearest_points

_TOGETHER = 64  # points that look for the nearest viewpoint among the same ones


@dataclass(frozen=True)
class Surface:
    """Points that know their neighbours.

    Attributes:
        points: N×3 float32, metres, map frame.
        colors: N×3 uint8, RGB.
        normals: N×3 float32 unit vectors, facing the cameras where these are known.
        edges: E×2 int32, pairs of neighbouring points, each once.
        spacing: metres, median distance of a point to its nearest neighbour; positive.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    normals: NDArray[np.float32]
    edges: NDArray[np.int32]
    spacing: float


def build_surface(
    cloud: MapCloud,
    config: SuperpointConfig,
    viewpoints: NDArray[np.float64] | None = None,
    progress: Progress = silent,
) -> Surface:
    """Find normals and neighbours of the map's points; its own normals and mesh edges are used where it has them.

    Args:
        cloud: the map.
        config: numbers of neighbours, longest edge.
        viewpoints: V×3 metres, map frame, camera centres; fitted normals are turned to the nearest.
        progress: told between blocks of points.

    Raises:
        InputError: fewer than 4 points, or heaps of copies.
        Cancelled: raised by `progress`.
    """
    n = len(cloud)
    if n < 4:
        raise InputError(f"the map has {n} points; expected at least 4")
    k = min(max(config.normal_neighbours, config.edge_neighbours + 1), n)
    distance, neighbour = nearest_points(cloud.points, k, progress)
    spacing = float(np.median(distance[:, 1])) or float(np.median(distance[:, -1]))  # where points are doubled
    if spacing == 0:
        raise InputError(f"most of the map's {n} points stand {k} times or more; remove the copies")
    normals = cloud.normals
    if normals is None:
        normals = estimate_normals(cloud.points, neighbour[:, : config.normal_neighbours], viewpoints)
    edges = cloud.edges
    if edges is None:
        near = slice(1, config.edge_neighbours + 1)
        edges = _neighbour_edges(neighbour[:, near], distance[:, near], config.max_edge_voxels * spacing)
    return Surface(cloud.points, cloud.colors, normals.astype(np.float32), edges, spacing)


def estimate_normals(
    points: NDArray[np.float32], neighbour: NDArray[np.integer], viewpoints: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """Fit a plane to each point's neighbours; return N×3 float32 unit normals that face the nearest viewpoint.

    Args:
        points: N×3 float32, metres, map frame.
        neighbour: N×k, indices of the nearest points, each point's own included.
        viewpoints: V×3, metres, map frame; None = normals face the centroid of the points.
    """
    target = points.astype(np.float64).mean(0, keepdims=True) if viewpoints is None else viewpoints
    return np.asarray(_plane_normals(points, neighbour, target[_nearest_viewpoint(points, target)]))


@numba.njit(cache=True, nogil=True, parallel=True)
def _neighbour_edges(neighbour, distance, longest):  # type: ignore[no-untyped-def]
    """Return each pair of neighbours up to `longest` metres apart once, E×2 int32, the lower index first."""
    n, k = neighbour.shape
    told, start = np.empty((n, k), np.bool_), np.zeros(n + 1, np.int64)
    for i in numba.prange(n):
        for j in range(k):
            told[i, j] = _tells(neighbour, distance, longest, i, j)
            start[i + 1] += told[i, j]
    start = np.cumsum(start)
    edges = np.empty((start[-1], 2), np.int32)
    for i in numba.prange(n):
        e = start[i]
        for j in range(k):
            if told[i, j]:
                edges[e, 0], edges[e, 1] = min(i, neighbour[i, j]), max(i, neighbour[i, j])
                e += 1
    return edges


@numba.njit(cache=True, nogil=True)
def _tells(neighbour, distance, longest, i, j):  # type: ignore[no-untyped-def]
    """Return whether the pair of `i` and its `j`-th neighbour is short enough, and not told by its lower point."""
    other = neighbour[i, j]
    if other == i or distance[i, j] > longest:
        return False
    if i < other:
        return True
    for back in range(neighbour.shape[1]):
        if neighbour[other, back] == i:
            return distance[other, back] > longest
    return True


@numba.njit(cache=True, nogil=True, parallel=True)
def _nearest_viewpoint(points, viewpoints):  # type: ignore[no-untyped-def]
    """Return the index of the viewpoint nearest to each point, the first of those equally near.

    Points that follow each other lie near each other in a map: what is not nearest to their middle, give or take how
    far they stand from it, is nearest to none of them.
    """
    nearest = np.zeros(len(points), np.int32)
    for block in numba.prange((len(points) + _TOGETHER - 1) // _TOGETHER):
        own, who = points[block * _TOGETHER : (block + 1) * _TOGETHER], nearest[block * _TOGETHER :]
        n, place = len(own), np.empty((3, _TOGETHER))
        middle, reach = np.empty(3), 0.0
        for axis in range(3):
            low, high = np.inf, -np.inf
            for i in range(n):
                place[axis, i] = own[i, axis]
                low, high = min(low, place[axis, i]), max(high, place[axis, i])
            middle[axis] = (low + high) / 2
            reach += (high - low) ** 2  # squared, twice the radius
        away = np.empty(len(viewpoints))
        for v in range(len(viewpoints)):
            dx, dy, dz = viewpoints[v, 0] - middle[0], viewpoints[v, 1] - middle[1], viewpoints[v, 2] - middle[2]
            away[v] = np.sqrt(dx * dx + dy * dy + dz * dz)
        best, x, y, z = np.full(n, np.inf), place[0], place[1], place[2]
        for v in np.flatnonzero(away <= (away.min() + np.sqrt(reach)) * (1 + 1e-9)):
            vx, vy, vz = viewpoints[v, 0], viewpoints[v, 1], viewpoints[v, 2]
            for i in range(n):  # without a branch: several at once
                d = (vx - x[i]) ** 2 + (vy - y[i]) ** 2 + (vz - z[i]) ** 2
                closer = d < best[i]
                best[i] = d if closer else best[i]
                who[i] = v if closer else who[i]
    return nearest


@numba.njit(cache=True, nogil=True, parallel=True)
def _plane_normals(points, neighbour, viewpoint):  # type: ignore[no-untyped-def]
    n, k = neighbour.shape
    normals = np.zeros((n, 3), np.float32)
    for i in numba.prange(n):
        mx = my = mz = 0.0
        for j in range(k):
            p = points[neighbour[i, j]]
            mx += p[0]
            my += p[1]
            mz += p[2]
        mx, my, mz = mx / k, my / k, mz / k
        xx = xy = xz = yy = yz = zz = 0.0
        for j in range(k):
            p = points[neighbour[i, j]]
            dx, dy, dz = p[0] - mx, p[1] - my, p[2] - mz
            xx += dx * dx
            xy += dx * dy
            xz += dx * dz
            yy += dy * dy
            yz += dy * dz
            zz += dz * dz
        x, y, z = _flattest_direction(xx, xy, xz, yy, yz, zz)
        facing = x * (viewpoint[i, 0] - mx) + y * (viewpoint[i, 1] - my) + z * (viewpoint[i, 2] - mz)
        sign = 1.0 if facing >= 0 else -1.0
        normals[i, 0], normals[i, 1], normals[i, 2] = sign * x, sign * y, sign * z
    return normals


@numba.njit(cache=True, nogil=True)
def _flattest_direction(xx, xy, xz, yy, yz, zz):  # type: ignore[no-untyped-def]
    """Return the unit eigenvector of the smallest eigenvalue of a symmetric 3×3 matrix, in closed form (Smith 1961)."""
    scale = max(xx, yy, zz)
    if scale <= 0:
        return 0.0, 0.0, 1.0
    xx, xy, xz, yy, yz, zz = xx / scale, xy / scale, xz / scale, yy / scale, yz / scale, zz / scale
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    spread = np.sqrt((a * a + b * b + c * c + 2 * (xy * xy + xz * xz + yz * yz)) / 6)
    if spread < 1e-12:
        return 0.0, 0.0, 1.0
    det = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    cosine = min(max(det / (2 * spread**3), -1.0), 1.0)
    smallest = mean + 2 * spread * np.cos(np.arccos(cosine) / 3 + 2 * np.pi / 3)
    a, b, c = xx - smallest, yy - smallest, zz - smallest
    # the rows of the shifted matrix span the plane: the longest of their cross products is its normal
    x1, y1, z1 = xy * yz - xz * b, xz * xy - a * yz, a * b - xy * xy
    x2, y2, z2 = xy * c - xz * yz, xz * xz - a * c, a * yz - xy * xz
    x3, y3, z3 = b * c - yz * yz, yz * xz - xy * c, xy * yz - b * xz
    n1, n2, n3 = x1 * x1 + y1 * y1 + z1 * z1, x2 * x2 + y2 * y2 + z2 * z2, x3 * x3 + y3 * y3 + z3 * z3
    if n2 > n1 and n2 >= n3:
        x1, y1, z1, n1 = x2, y2, z2, n2
    elif n3 > n1:
        x1, y1, z1, n1 = x3, y3, z3, n3
    if n1 < 1e-12 * spread**4:  # as flat in two directions, a line at the extreme: any direction across it serves
        return _across(a, xy, xz, b, yz, c)
    norm = np.sqrt(n1)
    return x1 / norm, y1 / norm, z1 / norm


@numba.njit(cache=True, nogil=True)
def _across(xx, xy, xz, yy, yz, zz):  # type: ignore[no-untyped-def]
    """Return a unit vector across the direction of a symmetric matrix of rank one."""
    if xx >= yy and xx >= zz:
        x, y, z = xx, xy, xz
    elif yy >= zz:
        x, y, z = xy, yy, yz
    else:
        x, y, z = xz, yz, zz
    if abs(x) <= abs(z):
        x, y, z = 0.0, z, -y
    else:
        x, y, z = y, -x, 0.0
    norm = np.sqrt(x * x + y * y + z * z)
    return x / norm, y / norm, z / norm

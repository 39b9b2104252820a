"""A map cloud or mesh from a file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud_header import CLOUD_SUFFIXES, check_whole
from any3dis_ros.scene.mapping import MapCloud

log = logging.getLogger(__name__)

GREY = 128
"""Each channel of a cloud without colours."""


def read_cloud(path: Path, max_points: int) -> MapCloud:
    """Read a PLY or PCD file in the map frame, metres; faces of a PLY become edges.

    Points that are NaN or infinite are left out with a counted warning; a cloud without colours is grey. Where fewer
    than half of the points belong to a face the faces are not used, again with a warning.

    Args:
        path: the file.
        max_points: a larger cloud is refused (map.max_points).

    Raises:
        InputError: an unknown kind of file, one that cannot be read, is cut off, holds no points or too many.
    """
    if path.suffix.lower() not in CLOUD_SUFFIXES:
        raise InputError(f"the map {path} is no cloud; expected one of {', '.join(CLOUD_SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"the map {path} does not exist")
    check_whole(path)
    import open3d as o3d

    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        source: Any = o3d.io.read_triangle_mesh(str(path)) if path.suffix.lower() == ".ply" else None
        has_faces = source is not None and len(source.triangles) > 0
        if not has_faces:
            source = o3d.io.read_point_cloud(str(path))
    points = np.asarray(source.vertices if has_faces else source.points, np.float64)
    if len(points) == 0:
        raise InputError(f"the map {path} holds no points, or is no valid {path.suffix[1:].upper()} file")
    if len(points) > max_points:
        raise InputError(f"the map {path} holds {len(points)} points; at most {max_points} (map.max_points) are taken")

    colors = _colors(source.vertex_colors if has_faces else source.colors, len(points))
    normals = _normals(source.vertex_normals if has_faces else source.normals, len(points))
    edges = _edges(np.asarray(source.triangles, np.int32)) if has_faces else None
    if edges is not None and (joined := len(np.unique(edges))) < len(points) / 2:
        log.warning("%s: only %d of %d points belong to a face; the faces are not used", path, joined, len(points))
        edges = None
    finite = np.all(np.abs(points) < np.finfo(np.float32).max, axis=1)  # False for NaN
    if not np.all(finite):
        log.warning("%s: %d of %d points are not finite and left out", path, int(np.sum(~finite)), len(points))
        index = np.where(finite, np.cumsum(finite) - 1, -1).astype(np.int32)
        points, colors = points[finite], colors[finite]
        normals = None if normals is None else normals[finite]
        edges = None if edges is None else index[edges][finite[edges].all(axis=1)]
        if len(points) == 0:
            raise InputError(f"none of the points of the map {path} is finite")
    return MapCloud(points.astype(np.float32), colors, normals, edges)


def _colors(values: Any, count: int) -> NDArray[np.uint8]:
    colors = np.asarray(values, np.float64)
    if colors.shape != (count, 3):
        return np.full((count, 3), GREY, np.uint8)
    return np.rint(np.clip(np.nan_to_num(colors), 0, 1) * 255).astype(np.uint8)


def _normals(values: Any, count: int) -> NDArray[np.float32] | None:
    """Return unit normals, or None where the file has none, or holds any that have no direction."""
    normals = np.asarray(values, np.float64)
    if normals.shape != (count, 3):
        return None
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    if not np.isfinite(length).all() or length.min() < 1e-6:
        return None
    return (normals / length).astype(np.float32)


def _edges(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the E×2 sides of the triangles, each once."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return np.unique(sides[sides[:, 0] != sides[:, 1]], axis=0).astype(np.int32)

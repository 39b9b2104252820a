"""ScanNet++'s instance ground truth on the vertices of `scans/mesh_aligned_0.05.ply`, by the rules of its toolkit."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.annotations import (
    Annotated,
    Group,
    numbered_from_zero,
    paint,
    read_groups,
    read_segments,
    read_vertices,
)
from any3dis_ros.io.datasets.scannetpp_dslr import MESH
from any3dis_ros.objects.overlap import GroundTruth

MASK = "mesh_aligned_0.05_mask.txt"


def load_scannetpp(scene: Path, things: Collection[str], semantic: Collection[str] | None = None) -> Annotated:
    """Load the annotation of one scene folder.

    Of several objects at one vertex the one of fewest vertices counts. Vertices that were made anonymous
    (`mesh_aligned_0.05_mask.txt`, indices) do not count at all. An object's id is its place in the file + 1.

    Args:
        scene: the folder that holds `scans`.
        things: classes whose objects count; every other vertex is void.
        semantic: classes that are considered at all, as in the toolkit; None = every label.

    Raises:
        InputError: a file is missing, damaged, or does not fit the others.
    """
    folder = scene / MESH.parent
    segments = read_segments(folder / "segments.json")
    groups = read_groups(folder / "segments_anno.json")
    points = read_vertices(scene / MESH, segments)
    vertices = np.bincount(segments)
    considered = [(k, g) for k, g in enumerate(groups, 1) if semantic is None or g.label in semantic]
    considered.sort(key=lambda item: -_size(item[1], vertices))  # the smallest is painted last; equal ones as they come
    instance = paint(segments, [g for _, g in considered], [k for k, _ in considered])
    valid = np.intersect1d([k for k, g in considered if g.label in things], instance).astype(np.int64)
    kept = _kept(folder / MASK, len(points))
    truth = GroundTruth(points[kept], instance[kept], np.intersect1d(valid, instance[kept]))
    return Annotated(scene / MESH, truth, numbered_from_zero(segments))


def _size(group: Group, vertices: NDArray[np.int64]) -> int:
    known = np.unique(group.segments[(group.segments >= 0) & (group.segments < len(vertices))])
    return int(vertices[known].sum())


def _kept(path: Path, count: int) -> NDArray[np.bool_]:
    """Return which of `count` vertices are not masked."""
    kept = np.ones(count, bool)
    if not path.is_file():
        return kept
    try:
        masked = np.array(path.read_text(encoding="utf-8").split(), np.int64)
        kept[masked] = False
    except (OSError, ValueError, OverflowError, IndexError) as error:
        raise InputError(f"{path} does not list vertices of a mesh of {count} ({error})") from error
    return kept

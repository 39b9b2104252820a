"""Instance annotations of ScanNet and ScanNet++: segments of a mesh's vertices, grouped into labelled objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.views import read_json
from any3dis_ros.io.ground_truth import read_points
from any3dis_ros.objects.overlap import GroundTruth

_MOST_SEGMENTS = 1 << 27  # segments are numbered by a vertex of theirs


@dataclass(frozen=True)
class Annotated:
    """A mesh whose vertices are annotated.

    Attributes:
        mesh: its file.
        truth: the vertices that count, with their object; in the frame of the poses, metres.
        segment: N int32, segment of every vertex of `mesh`, 0..L-1; None where the data set has none.
    """

    mesh: Path
    truth: GroundTruth
    segment: NDArray[np.int32] | None


@dataclass(frozen=True)
class Group:
    """An annotated object: its id (not negative), its label, and its segments."""

    id: int
    label: str
    segments: NDArray[np.int64]


def read_segments(path: Path) -> NDArray[np.int64]:
    """Read `segIndices`, the segment of each vertex; N int64.

    Raises:
        InputError: the file is missing, damaged, or of another form.
    """
    data = read_json(path)
    try:
        indices = np.array(data["segIndices"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has no list segIndices ({error})") from error
    whole = indices.ndim == 1 and len(indices) and indices.dtype.kind in "iu"
    if not whole or indices.min() < 0 or indices.max() >= _MOST_SEGMENTS:
        raise InputError(
            f"{path}: segIndices are {indices.dtype} {indices.shape}; expected one segment for each vertex"
        )
    return indices.astype(np.int64)


def read_groups(path: Path) -> list[Group]:
    """Read `segGroups`, the annotated objects, in the order of the file.

    Raises:
        InputError: the file is missing, damaged, or of another form; two objects have one id.
    """
    data = read_json(path)
    try:
        groups = [
            Group(int(g["objectId"]), str(g["label"]), np.array(g["segments"], np.int64).reshape(-1))
            for g in data["segGroups"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has no list segGroups of objectId, label, segments ({error})") from error
    ids = [g.id for g in groups]
    if len(set(ids)) < len(ids) or min(ids, default=0) < 0:
        raise InputError(f"{path}: the objectId of its {len(ids)} objects are not distinct and positive")
    return groups


def read_vertices(mesh: Path, segments: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the N×3 vertices of a mesh, one for each of its `segments`.

    Raises:
        InputError: the mesh cannot be read, or is not the one that was annotated.
    """
    points = read_points(mesh)
    if len(points) != len(segments):
        raise InputError(f"{mesh} has {len(points)} vertices, its segments are of {len(segments)}; fetch both anew")
    return points.astype(np.float32)


def numbered_from_zero(segments: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the same segments as 0..L-1."""
    return np.unique(segments, return_inverse=True)[1].astype(np.int32)


def read_names(path: Path, what: str) -> list[str]:
    """Read a list of `what`, one a line.

    Raises:
        InputError: it is missing, unreadable or empty.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the {what} {path}: {error}") from error
    if not any(names):
        raise InputError(f"{path} lists no {what}")
    return [name for name in names if name]


def paint(segments: NDArray[np.int64], groups: Sequence[Group], values: Sequence[int]) -> NDArray[np.int32]:
    """Return for each vertex the value of the last group that has its segment, 0 where none has; N int32."""
    of_segment = np.zeros(int(segments.max()) + 1, np.int32)
    for group, value in zip(groups, values, strict=True):
        known = group.segments[(group.segments >= 0) & (group.segments < len(of_segment))]
        of_segment[known] = value
    return of_segment[segments]

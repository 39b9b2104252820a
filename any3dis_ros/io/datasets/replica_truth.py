"""Replica's instance ground truth (Straub et al. 2019): `habitat/mesh_semantic.ply`, each of whose faces has an object.

The names of the objects' classes are in `habitat/info_semantic.json`. Vertices belong to the object of most of their
faces, as ScanNet's rules count vertices.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud_header import PLY_TYPES, check_whole
from any3dis_ros.io.datasets.annotations import Annotated
from any3dis_ros.io.datasets.views import read_json
from any3dis_ros.io.ground_truth import read_points
from any3dis_ros.objects.overlap import GroundTruth

STUFF = ("wall", "floor", "ceiling", "undefined", "anonymize_picture", "anonymize_text")
"""Classes that are no things: the room itself, and what was not annotated. The choice is ours, Replica makes none."""


def load_replica(scene: Path, stuff: Collection[str] = STUFF) -> Annotated:
    """Load the annotation of one scene of the data set's own release, a folder that holds `habitat`.

    Raises:
        InputError: a file is missing, damaged, or of another form.
    """
    mesh = scene / "habitat" / "mesh_semantic.ply"
    names = _class_names(scene / "habitat" / "info_semantic.json")
    points = read_points(mesh).astype(np.float32)
    faces, objects = read_faces(mesh)
    if faces.min() < 0 or faces.max() >= len(points) or objects.min() < 0:
        raise InputError(f"{mesh}: a face names vertex {faces.max()} of {len(points)}, or object {objects.min()}")
    instance = (majority(faces, objects, len(points)) + 1).astype(np.int32)  # 0 = of no face
    things = [number + 1 for number, name in names.items() if name not in stuff]
    truth = GroundTruth(points, instance, np.intersect1d(things, instance).astype(np.int64))
    return Annotated(mesh, truth, None)


def read_faces(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the corners (F×k vertices) and the `object_id` (F) of the faces of a binary PLY, all with k corners.

    Raises:
        InputError: no binary PLY of that form, or one that is cut off.
    """
    check_whole(path)
    with path.open("rb") as file:
        data = file.read()
    try:
        end = data.index(b"end_header\n") + len(b"end_header\n")
        elements = _elements(data[:end].decode("ascii").splitlines())
        offset = end
        for name, count, properties in elements:
            row = _row_type(properties, data[offset : offset + 8])
            if name == "face":
                rows = np.frombuffer(data, row, count, offset)
                corners = next(n for n in ("vertex_indices", "vertex_index") if n in (row.names or ()))
                if (rows[f"{corners} count"] != rows[f"{corners} count"][0]).any():
                    raise ValueError("faces of different numbers of corners")
                return rows[corners].astype(np.int64), rows["object_id"].astype(np.int64)
            offset += row.itemsize * count
    except (ValueError, KeyError, IndexError, StopIteration) as error:
        raise InputError(f"{path} is no binary PLY whose faces have an object_id ({error})") from error
    raise InputError(f"{path} has no faces")


def majority(faces: NDArray[np.int64], objects: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return for each of `count` vertices the object of most of its faces, the lowest of equal ones, -1 of none."""
    pairs = np.stack([faces.reshape(-1), np.repeat(objects, faces.shape[1])], 1)
    key, votes = np.unique(pairs[:, 0] * (int(objects.max()) + 1) + pairs[:, 1], return_counts=True)
    vertex, candidate = np.divmod(key, int(objects.max()) + 1)
    order = np.lexsort((candidate, -votes, vertex))
    first = order[np.unique(vertex[order], return_index=True)[1]]
    out = np.full(count, -1, np.int64)
    out[vertex[first]] = candidate[first]
    return out


def _class_names(path: Path) -> dict[int, str]:
    data = read_json(path)
    try:
        return {int(o["id"]): str(o["class_name"]) for o in data["objects"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has no list objects of id and class_name ({error})") from error


def _elements(header: list[str]) -> list[tuple[str, int, list[list[str]]]]:
    """Return name, rows and properties (words behind `property`) of each element."""
    if "format binary_little_endian 1.0" not in header:
        raise ValueError("not binary_little_endian")
    out: list[tuple[str, int, list[list[str]]]] = []
    for words in (line.split() for line in header):
        if words[:1] == ["element"]:
            out.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            out[-1][2].append(words[1:])
    return out


def _row_type(properties: list[list[str]], start: bytes) -> np.dtype[np.void]:
    """Return the type of a row that begins with `start`; a list may come first, and is as long in every row."""
    fields: list[tuple[str, object]] = []
    for words in properties:
        if words[0] != "list":
            fields.append((words[1], PLY_TYPES[words[0]]))
            continue
        if fields:
            raise ValueError(f"the list {words[3]} is not the first property")
        length = int(np.frombuffer(start, PLY_TYPES[words[1]], 1)[0])
        fields += [(f"{words[3]} count", PLY_TYPES[words[1]]), (words[3], (PLY_TYPES[words[2]], (length,)))]
    return np.dtype(fields)

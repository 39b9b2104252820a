"""Annotations of tiny scenes, as public data sets write them: labels, segments, objects, meshes with objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dataset_scenes import write_box_mesh
from numpy.typing import NDArray

LABELS = {"floor": 3, "crate": 8, "post": 39, "cat": 9999}  # two of ScanNet200's things, a category that is none of it


def write_label_map(path: Path) -> Path:
    """ScanNet's label map with a few of its columns; `crate` is there twice, the first counts."""
    rows = ["id\traw_category\tcategory\tcount\tnyu40id"]
    rows += [f"{number}\t{name}\t{name}\t1\t40" for name, number in [*LABELS.items(), ("crate", 3)]]
    path.write_text("\n".join(rows) + "\n")
    return path


def groups_json(objects: Sequence[tuple[str, Sequence[int]]]) -> str:
    """segGroups of (label, segments); objectIds from 0 on."""
    groups = [{"id": k, "objectId": k, "segments": list(s), "label": name} for k, (name, s) in enumerate(objects)]
    return json.dumps({"sceneId": "s", "appId": "a", "segGroups": groups})


def segments_json(counts: Sequence[int], numbers: Sequence[int]) -> str:
    """segIndices of runs of vertices."""
    return json.dumps({"params": {}, "sceneId": "s", "segIndices": np.repeat(numbers, counts).tolist()})


def annotate_scannet(
    scene: Path, boxes: Sequence[tuple[NDArray, NDArray]], halvings: Sequence[int], objects: Sequence[tuple[str, Any]]
) -> list[int]:
    """Mesh, segments (one a box, numbered 3, 10, 17, …) and objects of a ScanNet scene; returns vertices a box."""
    name = scene.name
    counts = write_box_mesh(scene / f"{name}_vh_clean_2.ply", boxes, halvings)
    segments = segments_json(counts, [3 + 7 * k for k in range(len(boxes))])
    (scene / f"{name}_vh_clean_2.0.010000.segs.json").write_text(segments)
    (scene / f"{name}.aggregation.json").write_text(groups_json(objects))
    return counts


def annotate_scannetpp(
    scene: Path, boxes: Sequence[tuple[NDArray, NDArray]], halvings: Sequence[int], objects: Sequence[tuple[str, Any]]
) -> list[int]:
    """The same of a ScanNet++ scene."""
    counts = write_box_mesh(scene / "scans" / "mesh_aligned_0.05.ply", boxes, halvings)
    segments = segments_json(counts, [3 + 7 * k for k in range(len(boxes))])
    (scene / "scans" / "segments.json").write_text(segments)
    (scene / "scans" / "segments_anno.json").write_text(groups_json(objects))
    return counts


def write_replica_release(
    scene: Path, boxes: Sequence[tuple[NDArray, NDArray]], cells: int, names: Sequence[str]
) -> list[int]:
    """The habitat folder of a scene: each side of each box as a grid of quads, object k the box k of class `names[k]`.

    Returns the vertices a box; sides have vertices of their own.
    """
    (scene / "habitat").mkdir(parents=True)
    points, quads, objects = [], [], []
    a, b = (g.ravel() for g in np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1)))
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    side = np.stack([corner, corner + 1, corner + cells + 2, corner + cells + 1], 1)
    for k, (low, high) in enumerate(boxes):
        for axis in range(3):
            for end in (0.0, 1.0):
                unit = np.insert(np.stack([a, b], 1), axis, end, axis=1)
                quads.append(side + sum(map(len, points)))
                points.append(low + unit * (high - low))
                objects.append(np.full(len(side), k))
    vertices, faces, ids = np.concatenate(points), np.concatenate(quads), np.concatenate(objects)
    row = np.zeros(len(vertices), [("p", "<f4", 3), ("n", "<f4", 3), ("c", "u1", 3)])
    row["p"], row["c"] = vertices, 128
    face = np.zeros(len(faces), [("n", "u1"), ("v", "<i4", 4), ("o", "<i4")])
    face["n"], face["v"], face["o"] = 4, faces, ids
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(row)}"]
    header += [f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")]
    header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    header += [f"element face {len(face)}", "property list uchar int vertex_indices", "property int object_id"]
    text = "\n".join([*header, "end_header"]) + "\n"
    (scene / "habitat" / "mesh_semantic.ply").write_bytes(text.encode() + row.tobytes() + face.tobytes())
    info = {"objects": [{"id": k, "class_id": k, "class_name": name} for k, name in enumerate(names)]}
    (scene / "habitat" / "info_semantic.json").write_text(json.dumps(info))
    return [6 * len(a)] * len(boxes)

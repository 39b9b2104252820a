"""ScanNet200's instance ground truth (Rozenberszki et al. 2022) on the vertices of `<scene>_vh_clean_2.ply`."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.annotations import (
    Annotated,
    numbered_from_zero,
    paint,
    read_groups,
    read_segments,
    read_vertices,
)
from any3dis_ros.objects.overlap import GroundTruth

log = logging.getLogger(__name__)

LABEL_MAP = "scannetv2-labels.combined.tsv"

WALL, FLOOR = 1, 3

# the 200 categories by their id in the label map, which does not tell them from its others
# fmt: off
CATEGORY_IDS = frozenset((
    *range(1, 12), *range(13, 20), *range(21, 25), *range(26, 30), *range(31, 37), *range(38, 43), *range(44, 53),
    *range(54, 60), *range(62, 81), 82, 84, *range(86, 91), 93, *range(95, 108), 110, 112, 115, 116, 118, 120, 121, 122,
    125, 128, 130, 131, 132, 134, 136, 138, 139, 140, 141, 145, 148, 154, 155, 156, 157, 159, 161, 163, 165, 166, 168,
    169, 170, 177, 180, 185, 188, 191, 193, 195, 202, 208, 213, 214, 221, 229, 230, 232, 233, 242, 250, 261, 264, 276,
    283, 286, 300, 304, 312, 323, 325, 331, 342, 356, 370, 392, 395, 399, 408, 417, 488, 540, 562, 570, 572, 581, 609,
    748, 776, 1156, *range(1163, 1177), *range(1178, 1192),
))
# fmt: on

INSTANCE_IDS = CATEGORY_IDS - {WALL, FLOOR}
"""The 198 categories of things."""


def read_label_map(path: Path) -> dict[str, int]:
    """Read ScanNet's label map: the category id of each raw label; of several rows the first counts.

    Raises:
        InputError: the file is missing, or no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the label map {path}: {error}") from error
    found: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        try:
            found.setdefault(str(row["raw_category"]), int(row["id"]))
        except KeyError as error:
            raise InputError(f"{path} has no column {error}; expected ScanNet's {LABEL_MAP}") from None
        except (TypeError, ValueError):
            raise InputError(f"{path}, line {number}: the id {row['id']!r} is no number") from None
    if not found:
        raise InputError(f"{path} holds no labels; expected ScanNet's {LABEL_MAP}")
    if missing := len(CATEGORY_IDS - set(found.values())):
        log.warning("%s lacks %d of ScanNet200's 200 categories; is it from before ScanNet200?", path, missing)
    return found


def load_scannet200(scene: Path, label_map: Mapping[str, int]) -> Annotated:
    """Load the annotation of one scene folder; things are the objects of 198 categories, all else is void.

    Where objects share a segment the later one of the file has it, as in ScanNet200's own preprocessing. An object's
    id is its objectId + 1.

    Raises:
        InputError: a file is missing, damaged, or does not fit the others.
    """
    name = scene.resolve().name
    mesh = scene / f"{name}_vh_clean_2.ply"
    segments = read_segments(scene / f"{name}_vh_clean_2.0.010000.segs.json")
    groups = read_groups(scene / f"{name}.aggregation.json")
    points = read_vertices(mesh, segments)
    instance = paint(segments, groups, [g.id + 1 for g in groups])
    if unknown := sorted({g.label for g in groups if g.label not in label_map}):
        log.warning("%s: labels that the label map lacks are no things: %s", name, ", ".join(unknown))
    things = [g.id + 1 for g in groups if label_map.get(g.label) in INSTANCE_IDS]
    truth = GroundTruth(points, instance, np.intersect1d(things, instance).astype(np.int64))
    return Annotated(mesh, truth, numbered_from_zero(segments))

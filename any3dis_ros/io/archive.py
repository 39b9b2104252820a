"""instances.npz: a whole segmentation in one file, and back.

Ragged fields are stored flat with their offsets (rows `a[offsets[i] : offsets[i + 1]]`); nothing is pickled.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances
from any3dis_ros.tracking.masks import PackedMask

SCHEMA = 1
"""Version of the archive; raised when a field changes its meaning."""


def save_archive(path: Path, instances: Instances) -> None:
    """Write a segmentation to a compressed NPZ.

    The arrays are those of :class:`Instances` (`points` N×3 metres, `colors` N×3, `superpoint` N, `scores` Q), `labels`
    N as ids (0 = none), `proposal_ids` Q, `proposals` packed along L (`numpy.packbits`, with `superpoints` = L), per
    object that owns points its `ids`, `centroids` K×3, `box_centers` K×3, `box_sizes` K×3, `box_yaws` K and `aabbs`
    K×2×3, then the views and 2D masks.
    """
    found = instances.instances
    arrays: dict[str, Any] = dict(
        schema=SCHEMA,
        points=instances.points,
        colors=instances.colors,
        superpoint=instances.superpoint,
        superpoints=instances.proposals.shape[1],
        proposals=np.packbits(instances.proposals, axis=1),
        scores=instances.scores,
        labels=instances.point_ids,
        proposal_ids=instances.ids,
        ids=np.array([i.id for i in found], np.int32),
        centroids=np.array([i.centroid for i in found]).reshape(-1, 3),
        box_centers=np.array([i.box.center for i in found]).reshape(-1, 3),
        box_sizes=np.array([i.box.size for i in found]).reshape(-1, 3),
        box_yaws=np.array([i.box.yaw for i in found], np.float64),
        aabbs=np.array([i.aabb for i in found]).reshape(-1, 2, 3),
        from_network=instances.from_network,
        **_views(instances),
        **_masks(instances),
        statistics=np.array(json.dumps(plain(instances.statistics))),
    )
    np.savez_compressed(path, **arrays)


def load_archive(path: Path) -> Instances:
    """Read what :func:`save_archive` wrote.

    Raises:
        InputError: the file is missing, damaged, or of another schema.
    """
    data = read_arrays(path, "segmentation written by any3dis")
    if "schema" in data and data["schema"] != SCHEMA:
        raise InputError(f"{path} has schema {data['schema']}; this version reads {SCHEMA}")
    try:
        ids, labels = _load_ids(data)
        return Instances(
            points=data["points"],
            colors=data["colors"],
            superpoint=data["superpoint"],
            proposals=np.unpackbits(data["proposals"], axis=1, count=int(data["superpoints"])).astype(bool),
            scores=data["scores"],
            labels=labels,
            ids=ids,
            best_views=_load_views(data),
            masks=_load_masks(data),
            from_network=data.get("from_network", np.zeros(0, bool)),
            statistics=json.loads(str(data["statistics"])),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is no segmentation written by any3dis ({error})") from error


def read_arrays(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an NPZ that should be a `what`.

    Raises:
        InputError: the file is missing, damaged, or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no {what}, or is damaged ({error})") from error


def plain(value: object) -> object:
    """Return `value` with NumPy's scalars and arrays, tuples and paths as what JSON knows; NaN becomes null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _load_ids(data: dict[str, NDArray[Any]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the ids of the proposals (rank + 1 in files from before they had their own), and labels by rank."""
    count = len(data["scores"])
    ids = data["proposal_ids"] if "proposal_ids" in data else np.arange(1, count + 1, dtype=np.int32)
    ids = ids.astype(np.int32)
    if ids.shape != (count,) or len(np.unique(ids)) != count or (ids <= 0).any():
        raise ValueError(f"the {count} proposals have no positive, distinct ids")
    known, order = np.concatenate([[0], ids]), np.argsort(np.concatenate([[0], ids]))
    place = np.minimum(np.searchsorted(known, data["labels"], sorter=order), count)
    labels = order[place].astype(np.int32)
    if (known[labels] != data["labels"]).any():
        raise ValueError("a point belongs to an object that is not there")
    return ids, labels


def _views(instances: Instances) -> dict[str, NDArray[np.int32]]:
    counts = [len(views) for views in instances.best_views]
    flat = [frame for views in instances.best_views for frame in views]
    return {"view_offsets": np.cumsum([0, *counts]).astype(np.int32), "views": np.array(flat, np.int32)}


def _load_views(data: dict[str, NDArray[Any]]) -> tuple[tuple[int, ...], ...]:
    views = data["views"].tolist()
    return tuple(tuple(views[a:b]) for a, b in pairwise(data["view_offsets"].tolist()))


def _masks(instances: Instances) -> dict[str, NDArray[np.generic]]:
    """Return the 2D masks: a row (proposal, keyframe, H, W, h, w, row, column, rows, columns) each, and their bits."""
    pairs = [(q, t, mask) for q, masks in enumerate(instances.masks) for t, mask in masks.items()]
    rows = [(q, t, *m.frame_shape, *m.shape, *m.corner, *m.box_shape) for q, t, m in pairs]
    return {
        "mask_sets": np.array(len(instances.masks)),
        "mask_rows": np.array(rows, np.int32).reshape(-1, 10),
        "mask_offsets": np.cumsum([0, *(len(m.bits) for _, _, m in pairs)]).astype(np.int64),
        "mask_bits": np.concatenate([np.zeros(0, np.uint8), *(m.bits for _, _, m in pairs)]),
    }


def _load_masks(data: dict[str, NDArray[Any]]) -> tuple[dict[int, PackedMask], ...]:
    sets: tuple[dict[int, PackedMask], ...] = tuple({} for _ in range(int(data["mask_sets"])))
    bits = data["mask_bits"].astype(np.uint8)
    for row, (a, b) in zip(data["mask_rows"].tolist(), pairwise(data["mask_offsets"].tolist()), strict=True):
        q, t, H, W, h, w, r, c, rows, columns = row
        sets[q][t] = PackedMask((H, W), (h, w), (r, c), (rows, columns), bits[a:b])
    return sets

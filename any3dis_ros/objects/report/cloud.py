"""The map cloud and the table of objects, small enough for a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.objects.instances import Instances, colors_of
from any3dis_ros.scene.frames import Frame

BYTES_PER_POINT = 10 * 4 / 3
"""Of a drawn point: three positions, colour and rank of 16 bits each, in base64."""

_KEPT_OF_EACH = 200  # points of an object that thinning spares, so that small objects stay visible


@dataclass(frozen=True)
class Legend:
    """How the page names objects: rank k = 1..K among those that own points (0 = none), id, and colour.

    Attributes:
        ids: K+1 int64, id of each rank.
        colors: K+1×3 uint8, RGB.
        rank: Q+1 int64, rank of each label, 0 where a label has no points.
    """

    ids: NDArray[np.int64]
    colors: NDArray[np.uint8]
    rank: NDArray[np.int64]

    @classmethod
    def of(cls, instances: Instances) -> Legend:
        """Number the objects that own points, best first."""
        ids = np.array([0, *(i.id for i in instances.instances)])
        present = np.bincount(instances.labels, minlength=len(instances.scores) + 1) > 0
        present[0] = False
        return cls(ids, colors_of(ids), np.where(present, np.cumsum(present), 0))

    def hex(self, rank: int) -> str:
        """Return a colour as the page writes it."""
        return "#" + bytes(self.colors[rank]).hex()


def encode(array: NDArray[np.generic]) -> str:
    """Return the little-endian bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def thin(labels: NDArray[np.int32], limit: int) -> NDArray[np.int64]:
    """Return at most `limit` ascending point indices, evenly chosen after the first points of every object."""
    if len(labels) <= limit:
        return np.arange(len(labels))
    order = np.random.default_rng(0).permutation(len(labels))
    group = labels[order]
    by_group = np.argsort(group, kind="stable")
    place = np.empty(len(order), np.int64)  # how many of its object come before a point
    place[by_group] = np.arange(len(order)) - np.searchsorted(group[by_group], group[by_group])
    spared = (group > 0) & (place < _KEPT_OF_EACH)
    return np.sort(np.concatenate([order[spared], order[~spared]])[:limit])


def cloud_payload(instances: Instances, legend: Legend, limit: int) -> dict[str, object]:
    """Return the drawn points: 16-bit positions between two corners, 12-bit colours, ranks."""
    finite = np.flatnonzero(np.isfinite(instances.points).all(1))
    keep = finite[thin(instances.labels[finite], limit)]
    xyz = instances.points[keep].astype(np.float64)
    low = xyz.min(0) if len(xyz) else np.zeros(3)
    step = (xyz.max(0) - low) / 65535 if len(xyz) else np.zeros(3)
    rgb = instances.colors[keep].astype(np.uint16) >> 4
    return {
        "total": len(instances.points),
        "shown": len(keep),
        "low": low.tolist(),
        "step": step.tolist(),
        "xyz": encode(np.round((xyz - low) / np.where(step > 0, step, 1)).astype(np.uint16)),
        "rgb": encode(rgb[:, 0] << 8 | rgb[:, 1] << 4 | rgb[:, 2]),
        "rank": encode(legend.rank[instances.labels[keep]].astype(np.uint16)),
    }


def table_rows(instances: Instances, legend: Legend, frames: Sequence[Frame]) -> list[dict[str, object]]:
    """Return what the page says of each object: metres, map frame; sizes in centimetres, the longer side first."""
    rows: list[dict[str, object]] = []
    for rank, instance in enumerate(instances.instances, start=1):
        a, b, height = (100 * instance.box.size).tolist()
        view = next((t for t in instance.best_views if t < len(frames)), None)
        rows.append(
            {
                "id": instance.id,
                "color": legend.hex(rank),
                "score": round(instance.score, 3),
                "source": instance.source,
                "points": len(instance.points),
                "size": [round(max(a, b)), round(min(a, b)), round(height)],
                "volume": a * b * height,
                "centroid": [round(float(v), 2) for v in instance.centroid],
                "center": instance.box.center.tolist(),
                "corners": np.round(instance.box.corners, 4).tolist(),
                "eye": None if view is None else frames[view].T_map_camera[:3, 3].tolist(),
                "view": "" if view is None else frames[view].name or str(view),
            }
        )
    return rows

"""The keyframes with what was found in them: small images, one object a pixel, thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import VisibilityConfig
from any3dis_ros.objects.instances import Instances
from any3dis_ros.objects.report.cloud import Legend, encode
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.visibility import compute_visibility

P = TypeVar("P", np.uint8, np.uint16)

_THUMBNAIL = (96, 72)
_MOST_THUMBNAILS = 300


@dataclass(frozen=True)
class View:
    """A keyframe as the report draws it.

    Attributes:
        name: what the source calls it.
        color: H×W×3 uint8, RGB.
        rank: H×W uint16, rank of the object at each pixel, 0 = none.
    """

    name: str
    color: NDArray[np.uint8]
    rank: NDArray[np.uint16]


def choose(count: int, limit: int) -> list[int]:
    """Return at most `limit` of `count` keyframes, evenly spread, first and last among them."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, limit)).round()})


def make_views(
    instances: Instances, legend: Legend, frames: Sequence[Frame], config: VisibilityConfig, limit: int, width: int
) -> tuple[list[View], dict[int, str]]:
    """Return at most `limit` views of at most `width` pixels, and thumbnails (JPEG in base64) by rank.

    An object is drawn by its tracked mask where one is kept for that keyframe, else by its projected points.
    """
    shown = set(choose(len(frames), limit))
    best: dict[int, list[int]] = {}
    for rank, instance in enumerate(instances.instances[:_MOST_THUMBNAILS], start=1):
        for t in instance.best_views[:1]:
            if t < len(frames):
                best.setdefault(t, []).append(rank)
    spacing = point_spacing(instances.points)
    views: list[View] = []
    thumbnails: dict[int, str] = {}
    for t in sorted(shown | set(best)):
        frame = frames[t]
        projected = legend.rank[project_labels(instances, frame, config, spacing)]
        regions = _regions(instances, projected, t)
        if t in shown:
            views.append(_view(frame, t, regions, width))
        for rank in best.get(t, []):
            if rank in regions:
                thumbnails[rank] = _thumbnail(frame.color, regions[rank], legend.colors[rank])
    return views, thumbnails


def view_payload(view: View, width: int, quality: int) -> dict[str, object]:
    """Return a view as the page reads it: JPEG, run lengths of ranks, and (rank, x, y) where each object is named."""
    H, W = view.rank.shape
    width = min(width, W)
    height = max(round(H * width / W), 1)
    rank = _resized(view.rank, (width, height), cv2.INTER_NEAREST)
    color = _resized(view.color, (width, height), cv2.INTER_AREA)
    present = [int(k) for k in np.unique(rank) if k]
    return {
        "name": view.name,
        "width": width,
        "height": height,
        "jpeg": jpeg(color, quality),
        "runs": encode(run_lengths(rank.ravel())),
        "tags": [[k, *_inmost(rank == k)] for k in present],
    }


def project_labels(instances: Instances, frame: Frame, config: VisibilityConfig, spacing: float) -> NDArray[np.int32]:
    """Return the label of the map at every pixel of a keyframe, H×W int32, 0 where there is none.

    Pixels between the projected points take the nearest one's label, if it is as near as `spacing` (metres) between
    points appears at that depth and lies at a similar depth.
    """
    H, W = frame.depth.shape
    visible = compute_visibility(instances.points, instances.superpoint, [frame], config).keyframes[0]
    label = np.zeros(H * W, np.int32)
    pixel = visible.pixel
    label[pixel] = instances.labels[visible.point]
    if not len(pixel):
        return label.reshape(H, W)
    empty = np.ones((H, W), np.uint8)
    empty.reshape(-1)[pixel] = 0
    distance, cell = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    source = np.zeros(int(cell.max()) + 1, np.int64)
    source[cell.reshape(-1)[pixel]] = pixel
    nearest = source[cell.reshape(-1)]
    depth = frame.depth.reshape(-1).astype(np.float32) / 1000
    near = distance.reshape(-1) * depth <= 1.5 * spacing * frame.camera.K[0, 0]
    flat = np.abs(depth - depth[nearest]) <= 3 * spacing
    return np.where(near & flat & (depth > 0), label[nearest], 0).reshape(H, W)


def point_spacing(points: NDArray[np.float32]) -> float:
    """Return the median distance between neighbouring points, metres."""
    points = points[np.isfinite(points).all(1)]
    if len(points) < 2:
        return 0.0
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    distance, _ = tree.query(points[:: max(len(points) // 2000, 1)], k=2)
    return float(np.median(distance[:, 1]))


def run_lengths(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return (value, count) pairs, R×2 uint16; a run over 65535 is split."""
    edges = np.flatnonzero(np.diff(values)) + 1
    start = np.unique(np.concatenate([[0], edges, np.arange(0, len(values), 65535)]))
    return np.stack([values[start], np.diff(start, append=len(values))], 1).astype(np.uint16)


def _resized(image: NDArray[P], shape: tuple[int, int], interpolation: int) -> NDArray[P]:
    """Return an image of (width, height) pixels."""
    return np.asarray(cv2.resize(image, shape, interpolation=interpolation), image.dtype)


def jpeg(color: NDArray[np.uint8], quality: int) -> str:
    """Return an RGB image as JPEG in base64."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(color, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return base64.b64encode(data.tobytes()).decode()


def _regions(instances: Instances, projected: NDArray[np.int64], t: int) -> dict[int, NDArray[np.bool_]]:
    """Return where each object is in keyframe `t`, H×W bool by rank; `projected` holds the rank at each pixel."""
    H, W = projected.shape
    present = set(np.unique(projected).tolist()) - {0}
    out: dict[int, NDArray[np.bool_]] = {}
    for rank, instance in enumerate(instances.instances, start=1):
        mask = instance.masks.get(t)
        if mask is not None and not mask.empty:
            out[rank] = _resized(mask.dense().astype(np.uint8), (W, H), cv2.INTER_NEAREST) > 0
        elif rank in present:
            out[rank] = projected == rank
    return out


def _view(frame: Frame, t: int, regions: Mapping[int, NDArray[np.bool_]], width: int) -> View:
    H, W = frame.depth.shape
    rank = np.zeros((H, W), np.uint16)
    for k, region in sorted(regions.items(), key=lambda item: -int(item[1].sum())):  # small objects lie on large ones
        rank[region] = k
    scale = min(width / W, 1.0)
    shape = (max(round(W * scale), 1), max(round(H * scale), 1))
    return View(
        frame.name or str(t),
        _resized(frame.color, shape, cv2.INTER_AREA),
        _resized(np.asarray(cv2.medianBlur(rank, 5), np.uint16), shape, cv2.INTER_NEAREST),
    )


def _inmost(region: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the (x, y) pixel of a region that is farthest from its edge."""
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(x) - 1, int(y) - 1


def _thumbnail(color: NDArray[np.uint8], region: NDArray[np.bool_], tint: NDArray[np.uint8]) -> str:
    """Return a crop about a region, its outline drawn."""
    H, W = region.shape
    ys, xs = np.nonzero(region)
    w, h = _THUMBNAIL
    scale = min(max((np.ptp(xs) + 1) * 1.4 / w, (np.ptp(ys) + 1) * 1.4 / h, 0.5), W / w, H / h)
    width, height = int(scale * w), int(scale * h)
    x = int(np.clip((xs.min() + xs.max() - width) // 2, 0, W - width))
    y = int(np.clip((ys.min() + ys.max() - height) // 2, 0, H - height))
    crop = _resized(color[y : y + height, x : x + width], _THUMBNAIL, cv2.INTER_AREA)
    mask = _resized(region[y : y + height, x : x + width].astype(np.uint8), _THUMBNAIL, cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(crop, outlines, -1, tuple(int(v) for v in tint), 2)
    return jpeg(crop, 80)

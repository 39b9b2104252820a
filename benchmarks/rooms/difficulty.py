"""Measures, on the exact scene, of what makes each of its things hard to find (see `tags.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.scene.frames import Camera, invert
from benchmarks.rooms import shading
from benchmarks.rooms.ground_truth import GroundTruth
from benchmarks.rooms.layout import Placed
from benchmarks.rooms.models import Model
from benchmarks.rooms.room import FIRST_THING, Room
from benchmarks.rooms.solids import surface_points
from benchmarks.rooms.tags import NEAR_M, THIN_M, TOUCH_M, Measures

Floats = NDArray[np.float64]
COARSE = 160  # columns of the images in which hidden pixels are counted
BEST_VIEWS = 3  # of a thing's outline
SAMPLE_M = 0.004  # between the points whose distance to another thing is taken


@dataclass(frozen=True)
class Seen:
    """One keyframe: the true T_room_camera (4×4) and the instance ids of every `step`-th pixel, from the first on."""

    T_room_camera: Floats
    instance: NDArray[np.int32]


def step_of(camera: Camera) -> int:
    """Return how many pixels apart the rays are that count hidden pixels."""
    return max(1, camera.width // COARSE)


def thinned(instance: NDArray[np.int32], camera: Camera) -> NDArray[np.int32]:
    """Return the instance image (H×W) at the pixels that are compared."""
    step = step_of(camera)
    return instance[::step, ::step].copy()


@dataclass(frozen=True)
class _Thing:
    """One thing alone: its id, place, vertices and triangles in the room, and a scene that holds nothing else."""

    id: int
    placed: Placed
    vertices: Floats
    triangles: NDArray[np.int64]
    scene: o3d.t.geometry.RaycastingScene

    @cached_property
    def low(self) -> Floats:
        return np.asarray(self.vertices.min(0), np.float64)

    @cached_property
    def high(self) -> Floats:
        return np.asarray(self.vertices.max(0), np.float64)


def measure(room: Room, camera: Camera, seen: Sequence[Seen], truth: GroundTruth) -> dict[int, Measures]:
    """Return the measures of every thing by its id."""
    things = [_alone(room, FIRST_THING + k, placed) for k, placed in enumerate(room.things)]
    neighbours = _neighbours(truth, [t.id for t in things])
    gaps = _gaps(things)
    out = {}
    for thing in things:
        hidden, narrow = _in_views(thing, camera, seen)
        sides = thing.placed.model.high - thing.placed.model.low
        out[thing.id] = Measures(
            neighbours=neighbours[thing.id],
            hidden=round(hidden, 4),
            narrow=round(narrow, 4),
            shortest_m=round(float(sides.min()), 4),
            longest_m=round(float(sides.max()), 4),
            gap_m=round(gaps[thing.id], 4),
            copies=sum(alike(thing.placed.model, o.placed.model) for o in things if o is not thing),
        )
    return out


def alike(a: Model, b: Model) -> bool:
    """Return whether two models are the same: of one source, or of the same boxes and materials."""
    if a is b:
        return True
    if a.source or b.source:
        return a.source == b.source
    same_boxes = a.boxes.shape == b.boxes.shape and np.allclose(a.boxes, b.boxes, atol=1e-6)
    return same_boxes and [p.texture for p in a.parts] == [p.texture for p in b.parts]


def _alone(room: Room, id_: int, placed: Placed) -> _Thing:
    mesh = room.mesh
    faces = mesh.triangles[mesh.instance[mesh.part] == id_]
    used, triangles = np.unique(faces, return_inverse=True)
    vertices, triangles = mesh.vertices[used].astype(np.float64), triangles.reshape(-1, 3)
    return _Thing(id_, placed, vertices, triangles.astype(np.int64), _scene(vertices, triangles))


def _scene(vertices: Floats, triangles: NDArray[np.integer]) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    return scene


def _in_views(thing: _Thing, camera: Camera, seen: Sequence[Seen]) -> tuple[float, float]:
    """Return the share of its pixels that is hidden, and the share of its outline that is narrow."""
    step = step_of(camera)
    alone, visible, best = 0, 0, []
    for view in seen:
        crop = _crop(thing, camera, view.T_room_camera)
        if crop is None:
            continue
        v0, v1, u0, u1 = (-(-edge // step) * step for edge in crop)
        depth = _cast(thing, camera, view.T_room_camera, (v0, v1, u0, u1), step)
        hit = depth > 0
        alone += int(hit.sum())
        same = view.instance[v0 // step :, u0 // step :][: hit.shape[0], : hit.shape[1]] == thing.id
        visible += int((same & hit).sum())
        if hit.any():
            best.append((int(hit.sum()), float(np.median(depth[hit])), view, crop))
    best.sort(key=lambda b: -b[0])
    narrow, whole = 0.0, 0.0
    for _, z, view, crop in best[:BEST_VIEWS]:
        fine = max(1, int(THIN_M / 4 * camera.K[0, 0] / z))
        outline = _cast(thing, camera, view.T_room_camera, crop, fine) > 0
        narrow += narrow_area(outline, THIN_M * camera.K[0, 0] / z / fine)
        whole += outline.sum()
    return (1 - visible / alone if alone else 0.0), (float(narrow / whole) if whole else 0.0)


def _crop(thing: _Thing, camera: Camera, T_room_camera: Floats) -> tuple[int, int, int, int] | None:
    """Return rows and columns (v0, v1, u0, u1) that hold the thing's image, None where it is out of view."""
    corners = np.stack(np.meshgrid(*np.stack([thing.low, thing.high]).T, indexing="ij"), axis=-1).reshape(-1, 3)
    T = invert(T_room_camera)
    p = corners @ T[:3, :3].T + T[:3, 3]
    if (p[:, 2] < 0.05).all():
        return None
    if (p[:, 2] < 0.05).any():
        return 0, camera.height, 0, camera.width
    u = p[:, 0] / p[:, 2] * camera.K[0, 0] + camera.K[0, 2]
    v = p[:, 1] / p[:, 2] * camera.K[1, 1] + camera.K[1, 2]
    v0, v1 = np.clip([np.floor(v.min()), np.ceil(v.max()) + 1], 0, camera.height).astype(int)
    u0, u1 = np.clip([np.floor(u.min()), np.ceil(u.max()) + 1], 0, camera.width).astype(int)
    return (int(v0), int(v1), int(u0), int(u1)) if v1 > v0 and u1 > u0 else None


def _cast(
    thing: _Thing, camera: Camera, T_room_camera: Floats, crop: tuple[int, int, int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of the thing alone at every `step`-th pixel of `crop`, 0 where it is not."""
    v0, v1, u0, u1 = crop
    height, width = max(0, -(-(v1 - v0) // step)), max(0, -(-(u1 - u0) // step))
    if not height or not width:
        return np.zeros((height, width), np.float32)
    K = camera.K.copy()
    K[0, 0], K[1, 1] = K[0, 0] / step, K[1, 1] / step
    K[0, 2], K[1, 2] = (K[0, 2] - u0) / step, (K[1, 2] - v0) / step
    t = thing.scene.cast_rays(o3d.core.Tensor(shading.rays(width, height, K, T_room_camera)))["t_hit"].numpy()
    return np.where(np.isfinite(t), t, 0).reshape(height, width).astype(np.float32)


def narrow_area(outline: NDArray[np.bool_], across: float) -> int:
    """Return how many pixels of `outline` no disc of `across` pixels that fits into it covers."""
    padded = np.pad(outline, 1).astype(np.uint8)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    centres = inside >= across / 2 + 0.5 - 1e-3
    if not centres.any():
        return int(outline.sum())
    away = cv2.distanceTransform((~centres).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return int((padded.astype(bool) & (away > across / 2 + 0.5)).sum())


def _neighbours(truth: GroundTruth, ids: Sequence[int]) -> dict[int, int]:
    """Return for each thing how many others have visible surface within NEAR_M of its own."""
    points = {i: truth.xyz[truth.instance == i].astype(np.float64) for i in ids}
    trees = {i: cKDTree(p) for i, p in points.items() if len(p)}
    out = dict.fromkeys(ids, 0)
    for i, tree in trees.items():
        for j in trees:
            if j > i and np.isfinite(tree.query(points[j], distance_upper_bound=NEAR_M)[0]).any():
                out[i] += 1
                out[j] += 1
    return out


def _gaps(things: Sequence[_Thing]) -> dict[int, float]:
    """Return for each thing the distance to the nearest other, more than TOUCH_M above where either stands."""
    out = dict.fromkeys((t.id for t in things), NEAR_M)
    for k, a in enumerate(things):
        for b in things[k + 1 :]:
            gap = min(_gap(a, b), _gap(b, a))
            out[a.id], out[b.id] = min(out[a.id], gap), min(out[b.id], gap)
    return out


def _gap(a: _Thing, b: _Thing) -> float:
    """Return the distance of a's surface from b's, at most NEAR_M; only what is near b's box is looked at.

    Of both, only what is more than TOUCH_M above where either stands: a table's top is no neighbour of its cups.
    """
    low, high = b.low - NEAR_M, b.high + NEAR_M
    above = max(a.low[2], b.low[2]) + TOUCH_M
    low[2] = max(low[2], above)
    if (a.high < low).any() or (a.low > high).any():
        return NEAR_M
    corner = a.vertices[a.triangles]
    near = ((corner.max(1) >= low) & (corner.min(1) <= high)).all(axis=1)
    if not near.any():
        return NEAR_M
    points = surface_points(a.vertices, a.triangles[near], SAMPLE_M)
    points = points[((points >= low) & (points <= high)).all(axis=1)]
    upper = b.triangles[b.vertices[b.triangles, 2].max(axis=1) > above]
    if not len(points) or not len(upper):
        return NEAR_M
    cell = np.rint((points - low) / SAMPLE_M).astype(np.int64)  # small triangles give many points in one place
    points = points[np.unique((cell[:, 0] << 40) | (cell[:, 1] << 20) | cell[:, 2], return_index=True)[1]]
    distance = _scene(b.vertices, upper).compute_distance(o3d.core.Tensor(points.astype(np.float32))).numpy()
    return float(min(distance.min(), NEAR_M))

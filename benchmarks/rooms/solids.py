"""What a triangle mesh fills and what it carries, found from its triangles alone, whichever way they face.

Meshes from elsewhere are open, doubled, and wound both ways. So a mesh is sampled into cells, what the cells enclose is
filled, and boxes are laid over them; surfaces that carry things are those with room above that can be reached.
"""

from __future__ import annotations

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.rooms.models import Support

Floats = NDArray[np.float64]
Cells = NDArray[np.bool_]
Block = tuple[tuple[int, ...], tuple[int, ...]]  # first and last cell

CELLS = 14  # along the longest side, to begin with
MAX_BOXES = 30
PITCH_M = 0.02  # between the rays that look for surfaces
LEVEL_M = 0.012  # a surface is as even as this
MIN_SUPPORT_M, MIN_CLEARANCE_M, OPEN_M = 0.14, 0.12, 2.0
MAX_SUPPORTS = 6


def surface_points(vertices: Floats, triangles: NDArray[np.integer], spacing: float) -> Floats:
    """Return K×3 points on all triangles, no farther than about `spacing` metres from each other."""
    corner = vertices[triangles]
    edge = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    steps = np.clip(np.ceil(edge / spacing), 1, 200).astype(int)
    out = []
    for n in np.unique(steps):
        i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        inside = i + j <= n
        a, b = i[inside] / n, j[inside] / n
        weights = np.stack([1 - a - b, a, b], axis=1)
        out.append(np.einsum("kc,mcd->mkd", weights, corner[steps == n]).reshape(-1, 3))
    return np.concatenate(out)


def boxes_of(vertices: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return B×2×3 boxes, B ≤ MAX_BOXES, that together hold the mesh and what it encloses; cells grow until they do.

    The outside is exact; between two boxes up to half a cell of surface may be left out.
    """
    low, high = vertices[np.unique(triangles)].min(0), vertices[np.unique(triangles)].max(0)
    longest = float((high - low).max())
    fine = surface_points(vertices, triangles, longest / CELLS / 2)
    pitch = longest / CELLS
    while True:
        cell = np.minimum((fine - low) // pitch, np.ceil((high - low) / pitch) - 1).clip(0).astype(int)
        shape = tuple(np.maximum(np.ceil((high - low) / pitch), 1).astype(int))
        cells = np.zeros(shape, bool)
        cells[tuple(cell.T)] = True
        laid = cover(filled(cells), MAX_BOXES)
        if laid is not None:
            break
        pitch *= 1.25
    flat = np.ravel_multi_index(tuple(cell.T), shape)
    order = np.argsort(flat, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(flat[order]) != 0])
    reach = np.stack([np.minimum.reduceat(fine[order], starts), np.maximum.reduceat(fine[order], starts)], axis=1)
    return np.stack([_tight(block, cell[order][starts], reach, low, high, pitch) for block in laid])


def filled(cells: Cells) -> Cells:
    """Return the cells with what they enclose; the floor under them closes what is open below."""
    on_floor = np.concatenate([np.ones((*cells.shape[:2], 1), bool), cells], axis=2)
    padded = np.pad(on_floor, ((1, 1), (1, 1), (0, 1)))
    return np.asarray(ndimage.binary_fill_holes(padded)[1:-1, 1:-1, 1:-1], bool)


def cover(cells: Cells, most: int) -> list[Block] | None:
    """Return first and last cells of disjoint blocks that make up `cells`, None where `most` do not suffice.

    Greedy: from the first free cell a block grows along x, then y, then z as far as all its cells are taken.
    """
    left = cells.copy()
    out: list[Block] = []
    while left.any():
        if len(out) == most:
            return None
        first = tuple(int(k[0]) for k in np.nonzero(left))
        last = list(first)
        for axis in range(3):
            while last[axis] + 1 < cells.shape[axis]:
                face = [slice(f, t + 1) for f, t in zip(first, last, strict=True)]
                face[axis] = slice(last[axis] + 1, last[axis] + 2)
                if not left[tuple(face)].all():
                    break
                last[axis] += 1
        left[tuple(slice(f, t + 1) for f, t in zip(first, last, strict=True))] = False
        out.append((first, tuple(last)))
    return out


def _tight(block: Block, cell: NDArray[np.int64], reach: Floats, low: Floats, high: Floats, pitch: float) -> Floats:
    """Return the block's box in metres, its faces drawn in to the surface where that passes through its outer cells.

    `cell` (C×3) are the cells that hold surface, `reach` (C×2×3) how far it reaches in them.
    """
    first, last = block
    lo, hi = low + np.array(first) * pitch, np.minimum(low + (np.array(last) + 1) * pitch, high)
    within = ((cell >= first) & (cell <= last)).all(axis=1)
    for axis in range(3):
        at_first, at_last = within & (cell[:, axis] == first[axis]), within & (cell[:, axis] == last[axis])
        if at_first.any():
            lo[axis] = reach[at_first, 0, axis].min()
        if at_last.any():
            hi[axis] = reach[at_last, 1, axis].max()
    return np.stack([lo, np.maximum(hi, lo + 1e-4)])


def pieces(vertices: Floats, triangles: NDArray[np.integer], gap: float) -> float:
    """Return the share of the mesh's cells of `gap` metres that its largest connected piece has: 1 = all of it."""
    points = surface_points(vertices, triangles, gap / 2)
    index = ((points - points.min(0)) // gap).astype(int)
    cells = np.zeros(index.max(0) + 1, bool)
    cells[tuple(index.T)] = True
    label, _ = ndimage.label(cells, np.ones((3, 3, 3)))
    return float(np.bincount(label[cells]).max() / cells.sum())


def stands(vertices: Floats, triangles: NDArray[np.integer]) -> bool:
    """Return whether the middle of the surface is above what touches the ground, so that the thing would not fall."""
    low, high = vertices.min(0), vertices.max(0)
    points = surface_points(vertices, triangles, float((high - low).max()) / 50)
    foot = points[points[:, 2] < low[2] + 0.005 + 0.02 * (high[2] - low[2]), :2]
    middle = points.mean(axis=0)[:2]
    # Of all directions, none may have the whole foot on the far side of the middle.
    angle = np.arange(0, 2 * np.pi, np.pi / 18)
    beyond = (foot - middle) @ np.stack([np.cos(angle), np.sin(angle)])
    return bool((beyond.max(axis=0) > -0.005).all())


def supports_of(vertices: Floats, triangles: NDArray[np.integer]) -> tuple[Support, ...]:
    """Return the level surfaces of a mesh that things can be put on: tops, seats, the boards of open shelves.

    Vertical rays on a grid list all heights at which the mesh is met. Heights that many columns share and that have
    room above are levels; the largest rectangle of each is a support if it is large enough and can be reached from the
    front (-y) or from above.
    """
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    low, high = vertices.min(0), vertices.max(0)
    x, y = (np.arange(low[k] + PITCH_M / 2, high[k], PITCH_M) for k in range(2))
    column, height, room = _heights(scene, x, y, float(high[2]))
    keep = room >= MIN_CLEARANCE_M
    column, height, room = column[keep], height[keep], room[keep]
    out: list[Support] = []
    least = int(np.ceil(MIN_SUPPORT_M / PITCH_M))
    for level in _levels(height, least * least):
        at = np.abs(height - level) <= LEVEL_M / 2
        flat = np.zeros((len(x), len(y)), bool)
        flat.reshape(-1)[column[at]] = True
        i0, i1, j0, j1 = largest_rectangle(flat)
        if min(i1 - i0, j1 - j0) < least:
            continue
        inside = np.zeros_like(flat)
        inside[i0:i1, j0:j1] = True
        chosen = at & inside.reshape(-1)[column]
        z = float(height[chosen].max())
        clearance = float(room[chosen].min())
        width, depth = (i1 - i0) * PITCH_M, (j1 - j0) * PITCH_M
        support = Support(x[i0] + (width - PITCH_M) / 2, y[j0] + (depth - PITCH_M) / 2, z, width, depth, clearance)
        if clearance >= OPEN_M or _reachable(scene, support):
            out.append(support)
    return tuple(sorted(out, key=lambda s: -s.width * s.depth)[:MAX_SUPPORTS])


def _heights(
    scene: o3d.t.geometry.RaycastingScene, x: Floats, y: Floats, top: float
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return, for each meeting of a vertical ray and the mesh, its column, its height and the room above it."""
    gx, gy = np.meshgrid(x, y, indexing="ij")
    rays = np.zeros((gx.size, 6), np.float32)
    rays[:, 0], rays[:, 1], rays[:, 2], rays[:, 5] = gx.ravel(), gy.ravel(), top + 0.1, -1
    met = scene.list_intersections(o3d.core.Tensor(rays))
    column, t = met["ray_ids"].numpy().astype(np.int64), met["t_hit"].numpy().astype(np.float64)
    order = np.lexsort((t, column))
    column, height = column[order], top + 0.1 - t[order]
    above = np.r_[np.inf, height[:-1]]
    first = np.r_[True, np.diff(column) != 0]
    return column, height, np.where(first, OPEN_M, np.minimum(above - height, OPEN_M))


def _levels(height: Floats, least: int) -> list[float]:
    """Return heights that at least `least` columns share, the commonest first, no two closer than LEVEL_M."""
    bins = np.floor(height / (LEVEL_M / 2)).astype(int)
    values, counts = np.unique(bins, return_counts=True)
    out: list[float] = []
    for k in np.argsort(-counts, kind="stable"):
        level = float(np.median(height[bins == values[k]]))
        enough = (np.abs(height - level) <= LEVEL_M / 2).sum() >= least
        if enough and all(abs(level - other) > LEVEL_M for other in out):
            out.append(level)
    return out


def largest_rectangle(flat: Cells) -> tuple[int, int, int, int]:
    """Return i0, i1, j0, j1 of the rectangle flat[i0:i1, j0:j1] of the largest area that is all true; zeros: none."""
    best, found = 0, (0, 0, 0, 0)
    run = np.zeros(flat.shape[1], int)
    for i, row in enumerate(flat):
        run = np.where(row, run + 1, 0)
        stack: list[tuple[int, int]] = []  # start and height of what may still grow to the right
        for j, height in enumerate((*run.tolist(), 0)):
            start = j
            while stack and stack[-1][1] >= height:
                start, tall = stack.pop()
                if tall * (j - start) > best:
                    best, found = tall * (j - start), (i + 1 - tall, i + 1, start, j)
            stack.append((start, height))
    return found


def _reachable(scene: o3d.t.geometry.RaycastingScene, support: Support) -> bool:
    """Return whether most of the support is open to the front."""
    u, v = np.meshgrid((-0.35, 0.0, 0.35), (-0.4, 0.0), indexing="ij")
    rays = np.zeros((u.size, 6), np.float32)
    rays[:, 0] = support.x + u.ravel() * support.width
    rays[:, 1] = support.y + v.ravel() * support.depth
    rays[:, 2] = support.z + min(0.06, support.clearance / 2)
    rays[:, 4] = -1
    return bool((~scene.test_occlusions(o3d.core.Tensor(rays)).numpy()).mean() > 0.6)

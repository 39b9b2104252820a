"""A whole room as arrays: floor, ceiling, walls and things, merged into one triangle mesh with one id a triangle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rooms import palette
from benchmarks.rooms.catalogue_layout import catalogue_room, catalogue_tabletop
from benchmarks.rooms.furnish import furnish
from benchmarks.rooms.images import Atlas
from benchmarks.rooms.layout import Floorplan, Placed
from benchmarks.rooms.meshes import Part, box, corner_normals, sheet, transform
from benchmarks.rooms.tabletop import lay_table
from benchmarks.rooms.textures import PLANKS, TILES, Texture, plain

KINDS = ("room", "tabletop")
PROCEDURAL, CATALOGUE = "procedural", "sweethome3d"  # where models come from
LAYOUTS: dict[tuple[str, str], Callable[[np.random.Generator], Floorplan]] = {
    ("room", PROCEDURAL): furnish,
    ("tabletop", PROCEDURAL): lay_table,
    ("room", CATALOGUE): catalogue_room,
    ("tabletop", CATALOGUE): catalogue_tabletop,
}
FLOOR, CEILING, FIRST_WALL, FIRST_THING = 1, 2, 3, 7
CREASE_COS = float(np.cos(np.radians(40)))


@dataclass(frozen=True)
class Mesh:
    """The arrays that the renderer takes.

    Attributes:
        vertices: V×3 float32 metres, room frame.
        triangles: M×3 uint32.
        normals: M×3×3 float32, unit, one a corner.
        part: M int32, which of P parts a triangle belongs to.
        instance: P int32.
        T_part_room: P×4×4 float64.
        low, high: P×3 float64, bounds in the part's own frame, metres.
        row: P×13 float64, the part's texture (see `Texture.row`).
        uv: M×3×2 float32, where a triangle's corners are in the part's image, if it has one.
        atlas: the images.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    normals: NDArray[np.float32]
    part: NDArray[np.int32]
    instance: NDArray[np.int32]
    T_part_room: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    row: NDArray[np.float64]
    uv: NDArray[np.float32]
    atlas: Atlas


@dataclass(frozen=True)
class Room:
    """A furnished room: `size` (x, y, z) metres from its corner at the origin; `things` have ids from FIRST_THING."""

    size: tuple[float, float, float]
    things: tuple[Placed, ...]
    mesh: Mesh

    @property
    def names(self) -> dict[int, str]:
        """What every instance id is."""
        walls = {FIRST_WALL + k: f"wall_{side}" for k, side in enumerate("nesw")}
        things = {FIRST_THING + k: p.model.name for k, p in enumerate(self.things)}
        return {FLOOR: "floor", CEILING: "ceiling", **walls, **things}

    def is_thing(self, instance: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which ids are things, not floor, ceiling or walls."""
        return np.asarray(instance) >= FIRST_THING


def build_room(seed: int, kind: str = "room", furniture: str = PROCEDURAL, attempt: int = 0) -> Room:
    """Return the room of `seed`, of a kind in `KINDS`, with models from PROCEDURAL or CATALOGUE.

    Where no camera gets through a room of the catalogue's furniture, the next `attempt` is another room.

    Raises:
        InputError: the catalogue's package is absent and cannot be installed.
    """
    # Of the catalogue, a room and a tabletop of one seed must not hold the same things.
    rng = np.random.default_rng([seed, 1] if furniture == PROCEDURAL else [seed, 1, KINDS.index(kind), attempt])
    plan = LAYOUTS[kind, furniture](rng)
    size = (plan.width, plan.depth, plan.height)
    bare = [k for k in range(4) if not any(_hangs_on(p, k) for p in plan.placed)]
    pieces = shell(size, bare, rng)
    for k, thing in enumerate(plan.placed):
        pieces += [(FIRST_THING + k, part, thing.T_room_model) for part in thing.model.parts]
    return Room(size, tuple(plan.placed), merge(pieces))


def _hangs_on(thing: Placed, wall: int) -> bool:
    """Return whether `thing` hangs on the wall of that number (north, east, south, west)."""
    return thing.model.name == "picture" and bool(np.isclose(thing.yaw, (0.0, -np.pi / 2, np.pi, np.pi / 2)[wall]))


Piece = tuple[int, Part, NDArray[np.float64]]  # instance, part, T_room_model


def shell(size: tuple[float, float, float], bare: list[int], rng: np.random.Generator) -> list[Piece]:
    """Return floor, ceiling and walls with skirting, and a door and a window in `bare` walls."""
    w, d, h = size
    seed = palette.seed_of(rng)
    light, dark = palette.WOODS[int(rng.integers(3))]
    gray = palette.pick(rng, ((0.62, 0.60, 0.57), (0.52, 0.47, 0.42), (0.70, 0.66, 0.60)))
    floor = (
        Texture(PLANKS, light, dark, scale=0.14, seed=seed, gloss=0.2),
        Texture(TILES, gray, (0.42, 0.41, 0.40), scale=0.33, seed=seed, gloss=0.2),
        Texture(PLANKS, gray, (0.45, 0.41, 0.37), scale=0.18, seed=seed, gloss=0.15),
    )[int(rng.integers(3))]
    paint = plain(palette.pick(rng, palette.WALLS, 0.02), gloss=0.0, seed=seed)
    white = plain((0.93, 0.93, 0.92), gloss=0.1)
    origin = np.eye(4)
    pieces: list[Piece] = [
        (FLOOR, sheet(np.array([(0, 0, 0), (w, 0, 0), (w, d, 0), (0, d, 0)]), floor), origin),
        (CEILING, sheet(np.array([(0, 0, h), (0, d, h), (w, d, h), (w, 0, h)]), white), origin),
    ]
    ends = [((w, d), (0, d)), ((w, 0), (w, d)), ((0, 0), (w, 0)), ((0, d), (0, 0))]
    door, window = (int(k) for k in rng.permutation(bare)[:2])
    for k, ((ax, ay), (bx, by)) in enumerate(ends):
        corners = np.array([(ax, ay, 0), (ax, ay, h), (bx, by, h), (bx, by, 0)])
        pieces.append((FIRST_WALL + k, sheet(corners, paint), origin))
        length = abs(bx - ax) + abs(by - ay)
        # The wall's frame: x along it, y into the room (the walls run anticlockwise seen from above), z up.
        T = transform((ax, ay, 0), yaw=float(np.arctan2(by - ay, bx - ax)))
        details = [box((length, 0.012, 0.07), (length / 2, 0.006, 0), white)]
        at = float(rng.uniform(0.9, length - 0.9))
        if k == door:
            leaf = plain(palette.pick(rng, palette.PAINTS[:2]), gloss=0.2, seed=seed)
            details = [
                box((0.86, 0.02, 2.05), (at, 0.01, 0), leaf),
                box((0.11, 0.035, 0.02), (at + 0.33, 0.02, 1.02), white),
            ]
        if k == window:
            sky = plain((0.80, 0.88, 0.95), gloss=0.3)
            details += [
                box((1.1, 0.03, 1.1), (at, 0.015, 0.95), white),
                box((0.98, 0.034, 0.98), (at, 0.017, 1.01), sky),
            ]
        pieces += [(FIRST_WALL + k, part, T) for part in details]
    return pieces


def merge(pieces: list[Piece]) -> Mesh:
    """Return the mesh of (instance, part, T_room_model) pieces."""
    vertices, triangles, normals, owner, start = [], [], [], [], 0
    inverse, low, high, rows, uvs = [], [], [], [], []
    for k, (_, part, T_room_model) in enumerate(pieces):
        T = T_room_model @ part.T_model_part
        # Seams between a primitive's faces are welded so that smooth shading crosses them.
        _, first, welded = np.unique(np.round(part.local, 6), axis=0, return_index=True, return_inverse=True)
        local = part.local[first]
        tri = welded.reshape(-1)[part.triangles]
        whole = (tri[:, 0] != tri[:, 1]) & (tri[:, 1] != tri[:, 2]) & (tri[:, 2] != tri[:, 0])
        tri = tri[whole]
        uvs.append(part.image.uv[whole] if part.image else np.zeros((len(tri), 3, 2), np.float32))
        v = local @ T[:3, :3].T + T[:3, 3]
        vertices.append(v)
        triangles.append(tri + start)
        normals.append(corner_normals(v, tri.astype(np.int32), CREASE_COS))
        owner.append(np.full(len(tri), k, np.int32))
        start += len(v)
        inverse.append(np.linalg.inv(T))
        low.append(local.min(0))
        high.append(local.max(0))
        rows.append(part.texture.row())
    return Mesh(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(triangles).astype(np.uint32),
        np.concatenate(normals),
        np.concatenate(owner),
        np.array([i for i, _, _ in pieces], np.int32),
        np.array(inverse),
        np.array(low),
        np.array(high),
        np.array(rows, np.float64),
        np.concatenate(uvs),
        Atlas.of([part.image for _, part, _ in pieces]),
    )

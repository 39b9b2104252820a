"""Where the things of a room stand: furniture along the walls and in the middle, small things on what carries them.

Placement is by rejection: a thing stays where none of its parts' boxes meets another thing's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.rooms.meshes import transform
from benchmarks.rooms.models import Model, Support

Floats = NDArray[np.float64]
TOUCH = 1e-3  # metres; boxes that overlap by less merely touch


@dataclass(frozen=True)
class Placed:
    """A model standing in the room at (`x`, `y`, `z`), turned by `yaw` radians."""

    model: Model
    x: float
    y: float
    z: float
    yaw: float

    @property
    def T_room_model(self) -> Floats:
        """4×4 float64, model to room."""
        return transform((self.x, self.y, self.z), yaw=self.yaw)

    @cached_property
    def boxes(self) -> Floats:
        """P×7 float64: centre x, y, z, half sizes along the turned axes, yaw; one row a part."""
        low, high = self.model.boxes[:, 0], self.model.boxes[:, 1]
        centre, half = (low + high) / 2, (high - low) / 2
        T = self.T_room_model
        return np.column_stack([centre @ T[:3, :3].T + T[:3, 3], half, np.full(len(half), self.yaw)])

    def at(self, x: float, y: float, z: float) -> Floats:
        """Return the room coordinates of the point (x, y, z) of the model."""
        T = self.T_room_model
        return np.asarray(T[:3, :3] @ (x, y, z) + T[:3, 3], np.float64)


def overlaps(a: Floats, b: Floats, tolerance: float = TOUCH) -> NDArray[np.bool_]:
    """Return which pairs of boxes (P×7 and Q×7, turned about z alone) share volume deeper than `tolerance`: P×Q.

    Separating axes (Gottschalk 1996): z and the two horizontal axes of either box.
    """
    delta = b[None, :, :3] - a[:, None, :3]
    hit = np.abs(delta[..., 2]) < a[:, None, 5] + b[None, :, 5] - tolerance
    for yaw in (a[:, None, 6], b[None, :, 6]):
        for quarter in (0.0, np.pi / 2):
            c, s = np.cos(yaw + quarter), np.sin(yaw + quarter)
            reach = -tolerance
            for box in (a[:, None], b[None, :]):
                bc, bs = np.cos(box[..., 6]), np.sin(box[..., 6])
                reach = reach + box[..., 3] * np.abs(c * bc + s * bs) + box[..., 4] * np.abs(s * bc - c * bs)
            hit &= np.abs(delta[..., 0] * c + delta[..., 1] * s) < reach
    return hit


class Floorplan:
    """A room of `width` × `depth` × `height` metres (x, y, z from its corner) that is being furnished."""

    def __init__(self, width: float, depth: float, height: float, rng: np.random.Generator) -> None:
        self.width, self.depth, self.height = width, depth, height
        self.placed: list[Placed] = []
        self._rng = rng
        self._boxes = np.empty((0, 7))
        self._owner = np.empty(0, int)

    def fits(self, thing: Placed, margin: float = 0.0, besides: Placed | None = None) -> bool:
        """Return whether `thing` is inside the room and meets nothing (`besides` apart), `margin` metres around it."""
        corners = _corners(thing.boxes)
        inside = corners.min(0) >= (0.01, 0.01, -TOUCH)
        beyond = corners.max(0) <= (self.width - 0.01, self.depth - 0.01, self.height)
        if not (inside.all() and beyond.all()):
            return False
        grown = thing.boxes.copy()
        grown[:, 3:5] += margin
        others = self._boxes
        if besides is not None:
            others = others[self._owner != next(k for k, p in enumerate(self.placed) if p is besides)]
        return not overlaps(grown, others).any()

    def add(self, thing: Placed) -> Placed:
        """Put `thing` where it is."""
        self._owner = np.concatenate([self._owner, np.full(len(thing.boxes), len(self.placed))])
        self.placed.append(thing)
        self._boxes = np.concatenate([self._boxes, thing.boxes])
        return thing

    def along_wall(self, model: Model, margin: float = 0.03, tries: int = 60) -> Placed | None:
        """Stand `model` with its back to a random wall; None where no place is left."""
        rng = self._rng
        for _ in range(tries):
            wall = int(rng.integers(4))
            yaw = (0.0, -np.pi / 2, np.pi, np.pi / 2)[wall]
            back = float(model.high[1]) + rng.uniform(0.045, 0.08)
            run = self.width if wall % 2 == 0 else self.depth
            half = float(max(model.high[0], -model.low[0])) + 0.02
            if run < 2 * half:
                continue
            s = rng.uniform(half, run - half)
            x, y = ((s, self.depth - back), (self.width - back, s), (s, back), (back, s))[wall]
            thing = Placed(model, x, y, 0.0, yaw)
            if self.fits(thing, margin):
                return self.add(thing)
        return None

    def on_floor(
        self, model: Model, centre: Sequence[float], spread: float, turn: float, tries: int = 60
    ) -> Placed | None:
        """Stand `model` within `spread` metres of `centre` (x, y), turned by up to `turn` radians."""
        rng = self._rng
        for _ in range(tries):
            x, y = np.asarray(centre) + rng.uniform(-spread, spread, 2)
            thing = Placed(model, float(x), float(y), 0.0, float(rng.uniform(-turn, turn)))
            if self.fits(thing, 0.02):
                return self.add(thing)
        return None

    def in_front(self, model: Model, host: Placed, x: float, side: float) -> Placed | None:
        """Stand a chair at `host`, pushed in as it fits: `side` 0 is the host's front; pi/2, pi, -pi/2 go round it."""
        rng = self._rng
        edge = abs(float(host.model.low[1])) if side in (0.0, np.pi) else float(host.model.high[0])
        turn = side + rng.uniform(-0.15, 0.15)
        c, s = np.cos(side), np.sin(side)
        for pushed in np.arange(rng.uniform(0.0, 0.2), -0.35, -0.04):
            away = -(edge + float(model.high[1]) - pushed)
            p = host.at(x * c - away * s, x * s + away * c, 0)
            thing = Placed(model, float(p[0]), float(p[1]), 0.0, host.yaw + np.pi + turn)
            if self.fits(thing, 0.005):
                return self.add(thing)
        return None

    def on_support(self, model: Model, host: Placed, support: Support, turn: float, tries: int = 25) -> Placed | None:
        """Stand `model` on a surface of `host`, sometimes against what stands there already."""
        rng = self._rng
        if model.high[2] > support.clearance:
            return None
        z = float(host.at(0, 0, support.z)[2]) + 1e-4
        reach = np.maximum(np.abs(model.low[:2]), np.abs(model.high[:2])).min()
        room = np.array([support.width, support.depth]) / 2 - reach
        if (room < 0).any():
            return None
        # An imported host's boxes are coarser than its shelves; the support itself says how much room there is.
        inside = host if host.model.solid is not None else None
        for attempt in range(tries):
            p = host.at(support.x + rng.uniform(-room[0], room[0]), support.y + rng.uniform(-room[1], room[1]), 0)
            thing = Placed(model, float(p[0]), float(p[1]), z, host.yaw + rng.uniform(-turn, turn))
            if not self._carried(thing, host, support) or not self.fits(thing, besides=inside):
                continue
            if attempt % 2 == 0 and rng.random() < 0.5:
                thing = self._against(thing, host, support, inside)
            return self.add(thing)
        return None

    def _carried(self, thing: Placed, host: Placed, support: Support) -> bool:
        """Return whether the base of `thing` lies within the support."""
        low, high = thing.model.low, thing.model.high
        base = np.array([thing.at(x, y, 0) for x in (low[0], high[0]) for y in (low[1], high[1])])
        T = host.T_room_model
        local = (base - T[:3, 3]) @ T[:3, :3]
        out = np.abs(local[:, :2] - (support.x, support.y)) - (support.width / 2 + 0.02, support.depth / 2 + 0.02)
        return bool((out <= 0).all())

    def _against(self, thing: Placed, host: Placed, support: Support, inside: Placed | None) -> Placed:
        """Push `thing` towards its nearest neighbour on the same height until they are 4 mm apart or less."""
        near = [p for p in self.placed if abs(p.z - thing.z) < 0.005 and p is not host]
        if not near:
            return thing
        other = min(near, key=lambda p: (p.x - thing.x) ** 2 + (p.y - thing.y) ** 2)
        step = np.array([other.x - thing.x, other.y - thing.y])
        step *= 0.004 / max(float(np.linalg.norm(step)), 1e-6)
        while True:
            moved = Placed(thing.model, thing.x + float(step[0]), thing.y + float(step[1]), thing.z, thing.yaw)
            if not self.fits(moved, besides=inside) or not self._carried(moved, host, support):
                return thing
            thing = moved


def _corners(boxes: Floats) -> Floats:
    """Return the 8·P corners of P×7 boxes."""
    c, s = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    out = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            for sz in (-1, 1):
                dx, dy = sx * boxes[:, 3], sy * boxes[:, 4]
                out.append(boxes[:, :3] + np.stack([c * dx - s * dy, s * dx + c * dy, sz * boxes[:, 5]], axis=1))
    return np.concatenate(out)

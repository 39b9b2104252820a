"""What a model of a thing is: its parts, the collision boxes they fill, the surfaces that carry other things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.rooms.meshes import Part


@dataclass(frozen=True)
class Support:
    """A horizontal rectangle that carries things: centre `x`, `y` and `width` × `depth`, at height `z`, metres."""

    x: float
    y: float
    z: float
    width: float
    depth: float
    clearance: float = 1.0


@dataclass(frozen=True)
class Model:
    """A thing in its own frame: metres, z up, standing on z = 0, its front towards -y.

    Attributes:
        name: the type of thing.
        parts: its surfaces.
        supports: where other things stand on it.
        solid: B×2×3 float64, boxes (lowest and highest corner) that it fills; None = those round its parts.
        source: the key of the catalogue's model; empty where it is procedural.
    """

    name: str
    parts: tuple[Part, ...]
    supports: tuple[Support, ...] = ()
    solid: NDArray[np.float64] | None = None
    source: str = ""

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """P×2×3 float64: lowest and highest corner of every box that it fills."""
        if self.solid is not None:
            return self.solid
        return np.stack([p.bounds for p in self.parts])

    @cached_property
    def low(self) -> NDArray[np.float64]:
        """Lowest corner of the whole."""
        return np.asarray(self.boxes[:, 0].min(0), np.float64)

    @cached_property
    def high(self) -> NDArray[np.float64]:
        """Highest corner of the whole."""
        return np.asarray(self.boxes[:, 1].max(0), np.float64)


Maker = Callable[[np.random.Generator], Model]

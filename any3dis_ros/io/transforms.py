"""The TF tree of a recording: rigid transforms between frames at a stamp, interpolated, never extrapolated."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import invert

_WIDTH = 7  # x y z, qx qy qz qw


class TransformError(LookupError):
    """A transform cannot be had at a stamp; `reason` is a short phrase to count by."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class _Edge:
    """Samples of one parent → child transform; sorted by stamp on first use."""

    static: bool
    stamps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    table: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None

    def sorted(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return stamps N and values N×7 by stamp; of equal stamps the one that came last."""
        if self.table is None:
            stamps = np.array(self.stamps, np.int64)
            values = np.array(self.values, np.float64).reshape(-1, _WIDTH)
            stamps, last = np.unique(stamps[::-1], return_index=True)
            self.table = stamps, values[::-1][last]
        return self.table


class TransformTree:
    """Static and dynamic transforms by frame; ``lookup(target, source, stamp)`` gives ``T_target_source``.

    A frame has one parent at a time, as in tf2; where its parent changes during a recording, the one that is known at
    the stamp is taken. Transforms farther apart in time than `max_gap_ns` are not interpolated between.
    """

    def __init__(self, max_gap_ns: int) -> None:
        self._max_gap_ns = max_gap_ns
        self._parents: dict[str, dict[str, _Edge]] = {}

    @property
    def frames(self) -> set[str]:
        """All frames named by a transform."""
        return set(self._parents) | {p for parents in self._parents.values() for p in parents}

    def add(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        translation: tuple[float, float, float],
        rotation: tuple[float, float, float, float],
        static: bool = False,
    ) -> bool:
        """Add ``T_parent_child`` (metres; quaternion x y z w); return whether it is finite and a rotation."""
        value = np.array([*translation, *rotation], np.float64)
        norm = float(np.linalg.norm(value[3:]))
        if parent == child or not np.isfinite(value).all() or abs(norm - 1) > 1e-2:
            return False
        value[3:] /= norm
        edge = self._parents.setdefault(child, {}).setdefault(parent, _Edge(static))
        if static:
            edge.static = True
            edge.stamps, edge.values = array("q"), array("d")
        elif edge.static:
            return True  # a latched transform holds at every stamp
        edge.stamps.append(stamp_ns)
        edge.values.extend(value.tolist())
        edge.table = None
        return True

    def forget(self, parent: str, child: str) -> None:
        """Drop the samples of one moving transform."""
        parents = self._parents.get(child, {})
        if parent in parents and not parents[parent].static:
            del parents[parent]
            if not parents:
                del self._parents[child]

    def lookup(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """Return 4×4 ``T_target_source`` at `stamp_ns`.

        Raises:
            TransformError: an unknown frame, frames without a common ancestor, a stamp outside the recorded
                transforms, or within a gap that is longer than the bound.
        """
        if target == source:
            return np.eye(4)
        for frame in (target, source):
            if frame not in self.frames:
                raise TransformError("unknown frame", f"no transform names frame '{frame}'")
        up_source, up_target = self.ancestors(source, stamp_ns), self.ancestors(target, stamp_ns)
        common = next((f for f in up_source if f in up_target), None)
        if common is None:
            roots = f"their roots are '{up_target[-1]}' and '{up_source[-1]}'"
            raise TransformError("frames not connected", f"no transforms connect '{target}' to '{source}': {roots}")
        T_common_source = self._climb(up_source[: up_source.index(common) + 1], stamp_ns)
        T_common_target = self._climb(up_target[: up_target.index(common) + 1], stamp_ns)
        return invert(T_common_target) @ T_common_source

    def ancestors(self, frame: str, stamp_ns: int | None = None) -> list[str]:
        """Return `frame`, its parent (the one known at `stamp_ns`, where given), and so on up to the root.

        Raises:
            TransformError: the frames form a loop.
        """
        chain = [frame]
        while parents := self._parents.get(chain[-1]):
            parent = self._parent_at(parents, stamp_ns)
            if parent in chain:
                raise TransformError("loop in TF", f"frames {' → '.join([*chain, parent])} form a loop")
            chain.append(parent)
        return chain

    def is_static(self, chain: list[str]) -> bool:
        """Return whether every transform along `chain` (child first) is static."""
        return all(self._parents[child][parent].static for child, parent in pairwise(chain))

    def _parent_at(self, parents: dict[str, _Edge], stamp_ns: int | None) -> str:
        if stamp_ns is not None and len(parents) > 1:
            for name, edge in parents.items():
                stamps = edge.sorted()[0]
                if edge.static or stamps[0] <= stamp_ns <= stamps[-1]:
                    return name
        return next(iter(parents))

    def _climb(self, chain: list[str], stamp_ns: int) -> NDArray[np.float64]:
        """Return ``T_last_first`` of a chain of children and their parents."""
        T = np.eye(4)
        for child, parent in pairwise(chain):
            T = self._at(child, parent, stamp_ns) @ T
        return T

    def _at(self, child: str, parent: str, stamp_ns: int) -> NDArray[np.float64]:
        edge = self._parents[child][parent]
        stamps, values = edge.sorted()
        if edge.static:
            return matrix(values[-1])
        after = int(np.searchsorted(stamps, stamp_ns))
        if after < len(stamps) and stamps[after] == stamp_ns:
            return matrix(values[after])
        what = f"'{parent}' → '{child}' at {stamp_ns / 1e9:.3f} s"
        if after == 0 or after == len(stamps):
            nearest = stamps[0] if after == 0 else stamps[-1]
            side = "before its first" if after == 0 else "after its last"
            raise TransformError(
                "stamp outside TF",
                f"{what} would be extrapolated: {abs(stamp_ns - int(nearest)) / 1e9:.3f} s {side} transform",
            )
        gap = int(stamps[after] - stamps[after - 1])
        if gap > self._max_gap_ns:
            raise TransformError(
                "gap in TF",
                f"{what} lies in a gap of {gap / 1e9:.3f} s; at most {self._max_gap_ns / 1e9:g} s are interpolated",
            )
        return matrix(interpolate(values[after - 1], values[after], float(stamp_ns - int(stamps[after - 1])) / gap))


def interpolate(a: NDArray[np.float64], b: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the pose `share` (0-1) of the way from `a` to `b`: linear, and slerp (Shoemake 1985).

    Poses are 7 float64: x y z in metres, qx qy qz qw of a unit quaternion.
    """
    out = (1 - share) * a + share * b
    p, q = a[3:], b[3:]
    dot = float(p @ q)
    if dot < 0:  # q and -q are one rotation: take the short way
        q, dot = -q, -dot
    if dot > 1 - 1e-9:
        rotation = (1 - share) * p + share * q
    else:
        angle = np.arccos(dot)
        rotation = (np.sin((1 - share) * angle) * p + np.sin(share * angle) * q) / np.sin(angle)
    out[3:] = rotation / np.linalg.norm(rotation)
    return out


def matrix(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 4×4 transform of x y z qx qy qz qw (unit quaternion)."""
    x, y, z, w = value[3:]
    T = np.eye(4)
    T[:3, :3] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    T[:3, 3] = value[:3]
    return T

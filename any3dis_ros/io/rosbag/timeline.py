"""Stamps and transforms of a bag in the order of their recording, parted where time runs backwards."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.io.transforms import TransformTree

Translation = tuple[float, float, float]
Rotation = tuple[float, float, float, float]
_MAX_WAITING = 10_000  # transforms from before a jump of the images' clock; more is a publisher with a wrong clock


@dataclass
class Stream:
    """One image topic: stamps and log times in nanoseconds, in the order of recording."""

    stamps: array[int] = field(default_factory=lambda: array("q"))
    logs: array[int] = field(default_factory=lambda: array("q"))
    newest_ns: int | None = None

    def stamps_ns(self) -> NDArray[np.int64]:
        """Return the stamps as N int64."""
        return np.array(self.stamps, np.int64)


@dataclass
class Epoch:
    """A stretch of the recording in which time runs forward."""

    color: Stream
    depth: Stream
    tree: TransformTree


@dataclass(frozen=True)
class _Moving:
    parent: str
    child: str
    stamp_ns: int
    translation: Translation
    rotation: Rotation


class Timeline:
    """Sorts stamps and transforms into epochs.

    A jump is seen on the images' stamps. A transform that falls back by as much waits until the images have jumped as
    well, so that the new time does not enter the old tree; one of the old time that arrives after the jump is
    forgotten when the new time reaches its frame.

    Attributes:
        epochs: stretches between jumps, at least one.
        counts: what was left out, by a short reason.
    """

    def __init__(self, max_gap_ns: int, jump_ns: int) -> None:
        self._max_gap_ns, self._jump_ns = max_gap_ns, jump_ns
        self._static: dict[tuple[str, str], tuple[Translation, Rotation]] = {}
        self._waiting: deque[_Moving] = deque(maxlen=_MAX_WAITING)
        self._newest_tf: dict[tuple[str, str], int] = {}
        self._seen: dict[str, set[int]] = {"color": set(), "depth": set()}
        self.counts: Counter[str] = Counter()
        self.epochs: list[Epoch] = []
        self._begin()

    def add_image(self, kind: str, stamp_ns: int, log_ns: int) -> None:
        """Add an image of `kind` color or depth."""
        stream: Stream = getattr(self.epochs[-1], kind)
        if stream.newest_ns is not None and stamp_ns < stream.newest_ns - self._jump_ns:
            self.counts["time ran backwards"] += 1
            self._begin()
            stream = getattr(self.epochs[-1], kind)
        stream.newest_ns = stamp_ns if stream.newest_ns is None else max(stream.newest_ns, stamp_ns)
        if stamp_ns in self._seen[kind]:
            self.counts[f"{'colour' if kind == 'color' else kind} stamp duplicated"] += 1
            return
        self._seen[kind].add(stamp_ns)
        stream.stamps.append(stamp_ns)
        stream.logs.append(log_ns)

    def add_transform(
        self, parent: str, child: str, stamp_ns: int, translation: Translation, rotation: Rotation
    ) -> None:
        """Add a moving transform."""
        newest = self._newest_tf.get((parent, child))
        if newest is not None and stamp_ns < newest - self._jump_ns:
            now = self._now()
            if now is None or abs(stamp_ns - now) > self._jump_ns:
                self._waiting.append(_Moving(parent, child, stamp_ns, translation, rotation))
                return
            self.epochs[-1].tree.forget(parent, child)
            newest = None
        self._newest_tf[parent, child] = stamp_ns if newest is None else max(newest, stamp_ns)
        self._insert(self.epochs[-1].tree, parent, child, stamp_ns, translation, rotation, static=False)

    def add_static(self, parent: str, child: str, translation: Translation, rotation: Rotation) -> None:
        """Add a latched transform, which holds in every epoch."""
        self._static[parent, child] = translation, rotation
        for epoch in self.epochs:
            self._insert(epoch.tree, parent, child, 0, translation, rotation, static=True)

    def _begin(self) -> None:
        tree = TransformTree(self._max_gap_ns)
        self.epochs.append(Epoch(Stream(), Stream(), tree))
        for (parent, child), (translation, rotation) in self._static.items():
            tree.add(parent, child, 0, translation, rotation, static=True)
        waiting, self._waiting = self._waiting, deque(maxlen=_MAX_WAITING)
        self._newest_tf.clear()
        for w in waiting:
            self.add_transform(w.parent, w.child, w.stamp_ns, w.translation, w.rotation)

    def _now(self) -> int | None:
        newest = [s.newest_ns for s in (self.epochs[-1].color, self.epochs[-1].depth) if s.newest_ns is not None]
        return max(newest, default=None)

    def _insert(
        self,
        tree: TransformTree,
        parent: str,
        child: str,
        stamp_ns: int,
        translation: Translation,
        rotation: Rotation,
        static: bool,
    ) -> None:
        if not tree.add(parent, child, stamp_ns, translation, rotation, static):
            self.counts["transform not finite or not a rotation"] += 1

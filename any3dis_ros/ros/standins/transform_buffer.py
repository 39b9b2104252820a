"""The tree of transforms of the last seconds, as tf2 keeps it; nanoseconds and arrays, no ROS.

The rules are tf2's: per frame a bounded past, one parent at a time, interpolation between two samples of one parent,
no extrapolation, static transforms for ever, quaternions of any length normalised on entry. Other than there, infinite
translations are refused like NaN, and of more than two samples of one stamp the first and the last are kept.
"""

from __future__ import annotations

import logging
import math
import threading
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.io.transforms import interpolate, matrix
from any3dis_ros.scene.frames import invert

log = logging.getLogger(__name__)

_MAX_DEPTH = 1000  # tf2's bound of a chain: more is a loop


class TransformException(Exception):  # noqa: N818 - the names are tf2's
    """No transform can be had."""


class LookupException(TransformException):
    """A frame is not known, or the frames form a loop."""


class ConnectivityException(TransformException):
    """Two frames have no common ancestor."""


class ExtrapolationException(TransformException):
    """The stamp lies outside what is known."""


class InvalidArgumentException(TransformException):
    """A frame name that tf2 does not allow: empty, or with a leading slash."""


class Sample(NamedTuple):
    """A transform to `parent`: x y z in metres, qx qy qz qw of a unit quaternion."""

    parent: str
    value: tuple[float, ...]


class _Static:
    """A transform that holds at every stamp."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def at(self, stamp_ns: int) -> Sample:  # noqa: ARG002 - holds at all
        return self.sample

    def latest(self) -> tuple[int, Sample]:
        return 0, self.sample


class _Moving:
    """Samples of one frame over time, at most two of one stamp: lookups never see those between."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.samples: list[Sample] = []

    def insert(self, stamp_ns: int, sample: Sample, horizon_ns: int) -> bool:
        """Return False for a stamp beyond the horizon."""
        if self.stamps:
            oldest = self.stamps[-1] - horizon_ns
            expired = next(i for i, stamp in enumerate(self.stamps) if stamp >= oldest)
            del self.stamps[:expired], self.samples[:expired]
            if stamp_ns < oldest:
                return False
        i = bisect_right(self.stamps, stamp_ns)
        same = [k for k in (i - 2, i - 1) if k >= 0 and self.stamps[k] == stamp_ns]
        if any(self.samples[k] == sample for k in same):
            return True
        if len(same) == 2:
            self.samples[i - 1] = sample
        else:
            self.stamps.insert(i, stamp_ns)
            self.samples.insert(i, sample)
        return True

    def at(self, stamp_ns: int) -> Sample:
        """Return the sample at a stamp; 0 = the latest."""
        if not self.stamps:
            raise ExtrapolationException("nothing is known since the buffer was cleared")
        first, last = self.stamps[0], self.stamps[-1]
        if stamp_ns in (0, last):
            return self.samples[-1]
        if stamp_ns == first:
            return self.samples[0]
        if not first < stamp_ns < last:
            nearest, side = (first, "before its first") if stamp_ns < first else (last, "after its last")
            raise ExtrapolationException(
                f"{stamp_ns / 1e9:.3f} s is {abs(stamp_ns - nearest) / 1e9:.3f} s {side} sample ({nearest / 1e9:.3f} s)"
            )
        i = bisect_right(self.stamps, stamp_ns)
        older, newer = self.samples[i - 1], self.samples[i]
        if older.parent != newer.parent:
            return older
        share = (stamp_ns - self.stamps[i - 1]) / (self.stamps[i] - self.stamps[i - 1])
        between = interpolate(np.array(older.value), np.array(newer.value), share)
        return Sample(older.parent, tuple(between.tolist()))

    def latest(self) -> tuple[int, Sample] | None:
        return (self.stamps[-1], self.samples[-1]) if self.stamps else None


class TransformBuffer:
    """Transforms between frames over the last `cache_time_ns` nanoseconds of each frame; safe to share by threads.

    Attributes:
        ignored: transforms that were not taken, by a short reason.
        changed: notified when transforms were added.
    """

    def __init__(self, cache_time_ns: int) -> None:
        self._horizon_ns = cache_time_ns
        self._frames: set[str] = set()
        self._caches: dict[str, _Static | _Moving] = {}
        self.ignored: Counter[str] = Counter()
        self.changed = threading.Condition()

    def set(self, parent: str, child: str, stamp_ns: int, value: tuple[float, ...], static: bool) -> bool:
        """Add ``T_parent_child`` (x y z in metres, qx qy qz qw); return whether it was taken."""
        parent, child = parent.removeprefix("/"), child.removeprefix("/")
        norm = math.hypot(*value[3:])
        if not parent or not child or parent == child:
            return self._ignore("frame names missing or the same", parent, child)
        if not all(map(math.isfinite, value)) or norm == 0:
            return self._ignore("not finite or not a rotation", parent, child)
        sample = Sample(parent, (*value[:3], *(q / norm for q in value[3:])))
        with self.changed:
            self._frames |= {parent, child}
            if static:
                self._caches[child] = _Static(sample)
            else:
                cache = self._caches.get(child)
                if not isinstance(cache, _Moving):
                    cache = self._caches[child] = _Moving()
                if not cache.insert(stamp_ns, sample, self._horizon_ns):
                    return self._ignore("older than the buffer", parent, child)
            self.changed.notify_all()
        return True

    def lookup(self, target: str, source: str, stamp_ns: int) -> tuple[NDArray[np.float64], int]:
        """Return 4×4 ``T_target_source`` at a stamp, and that stamp; 0 = the latest that all parts have in common.

        Raises:
            TransformException: one of its kinds above.
        """
        with self.changed:
            if target == source:
                cache = self._caches.get(target)
                latest = cache.latest() if cache and not stamp_ns else None
                return np.eye(4), latest[0] if latest else stamp_ns
            for frame in (target, source):
                self._check(frame)
            try:
                stamp_ns = stamp_ns or self._latest_common(target, source)
                return self._walk(target, source, stamp_ns), stamp_ns
            except ExtrapolationException as error:
                raise ExtrapolationException(f"'{target}' from '{source}': {error}") from None

    def clear(self) -> None:
        """Forget all moving transforms; static ones and the names of frames stay."""
        with self.changed:
            for cache in self._caches.values():
                if isinstance(cache, _Moving):
                    cache.stamps.clear()
                    cache.samples.clear()

    def _check(self, frame: str) -> None:
        if not frame or frame.startswith("/"):
            raise InvalidArgumentException(f"frame '{frame}' is no name in tf2; expected one without a leading '/'")
        if frame not in self._frames:
            raise LookupException(f"frame '{frame}' does not exist")

    def _walk(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """Climb from the source as far as it goes, then from the target until the two meet."""
        T_top_source, T_top_target = np.eye(4), np.eye(4)
        frame, missing = source, None
        for _ in range(_MAX_DEPTH):
            if frame == target:
                return T_top_source
            if (cache := self._caches.get(frame)) is None:
                break
            try:
                sample = cache.at(stamp_ns)
            except ExtrapolationException as error:  # the target may still be below
                missing = ExtrapolationException(f"'{frame}' at {error}")
                break
            T_top_source, frame = matrix(np.array(sample.value)) @ T_top_source, sample.parent
        else:
            raise LookupException(f"the frames above '{source}' form a loop")
        top, frame = frame, target
        for _ in range(_MAX_DEPTH):
            if frame in (top, source):
                break
            if (cache := self._caches.get(frame)) is None:
                raise missing or self._unconnected(target, source)
            sample = cache.at(stamp_ns)
            T_top_target, frame = matrix(np.array(sample.value)) @ T_top_target, sample.parent
        else:
            raise LookupException(f"the frames above '{target}' form a loop")
        return invert(T_top_target) @ (T_top_source if frame == top else np.eye(4))

    def _latest_common(self, target: str, source: str) -> int:
        """Return the least of the latest stamps between two frames, 0 where all are static."""
        above_source, above_target = self._latest_above(source), self._latest_above(target)
        parents = [source, *(parent for _, parent in above_source)]
        joint = next((k for k, f in enumerate([target, *(p for _, p in above_target)]) if f in parents), None)
        if joint is None:
            raise self._unconnected(target, source)
        common = ([target] + [parent for _, parent in above_target])[joint]
        used = above_source[: parents.index(common)] + above_target[:joint]
        return min((stamp for stamp, _ in used if stamp), default=0)

    def _latest_above(self, frame: str) -> list[tuple[int, str]]:
        """Return latest stamp and parent of a frame, of its parent, and so on."""
        chain: list[tuple[int, str]] = []
        while (cache := self._caches.get(frame)) and (latest := cache.latest()):
            stamp, sample = latest
            chain.append((stamp, sample.parent))
            frame = sample.parent
            if len(chain) > _MAX_DEPTH:
                raise LookupException(f"the frames above '{frame}' form a loop")
        return chain

    def _unconnected(self, target: str, source: str) -> ConnectivityException:
        return ConnectivityException(f"no transforms connect '{target}' to '{source}'")

    def _ignore(self, reason: str, parent: str, child: str) -> bool:
        self.ignored[reason] += 1
        if self.ignored[reason] == 1:
            log.warning("transform '%s' → '%s' ignored: %s; further ones are counted only", parent, child, reason)
        return False

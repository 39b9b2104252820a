"""Synchronised messages become keyframes, on a worker: a frame is made of each, and offered to the keyframe buffer.

The synchroniser calls back inside its lock, so that a callback only enqueues. The worker takes the pairs in order,
waits for a pose that is still on its way, and counts what it has to leave out; one bad message never ends it. Which
pairs become keyframes is decided as the offline readers decide it: a pair left out takes no turn of the stride.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.recording import Collector
from any3dis_ros.io.transforms import TransformError
from any3dis_ros.scene.frames import Frame

log = logging.getLogger(__name__)

_POLL_S = 0.01  # between two looks for a pose that is on its way
_TELL_S = 0.1


class PoseOnItsWay(LookupError):  # noqa: N818 - not an error yet
    """A pose that cannot be had now and may be had in a moment: the transform has not come yet."""


class Pair(NamedTuple):
    """Colour, depth and camera_info of one instant, as messages; `stamp_ns` is the colour's."""

    stamp_ns: int
    color: Any
    depth: Any
    info: Any = None


MakeFrame = Callable[[Pair], Frame]


@dataclass(frozen=True)
class IngestStatus:
    """What came and what became of it.

    Attributes:
        pairs: synchronised pairs so far.
        waiting: pairs in the queue.
        keyframes: keyframes held.
        keyframe_bytes: their image data.
        left_out: how many pairs were left out, by a short reason.
    """

    pairs: int
    waiting: int
    keyframes: int
    keyframe_bytes: int
    left_out: dict[str, int]


class Ingest:
    """A bounded queue and the worker that empties it into a keyframe buffer.

    Args:
        config: stride, motion and bound of the keyframes.
        make_frame: makes a frame of a pair; raises PoseOnItsWay while its pose may still come, TransformError where it
            never will, DamagedImageError or InputError.
        pose_timeout_s: seconds to wait for a pose.
        queue_size: pairs held at most; the oldest goes when one more comes.
        on_keyframe: called by the worker after each keyframe; must be short.
    """

    def __init__(
        self,
        config: KeyframeConfig,
        make_frame: MakeFrame,
        pose_timeout_s: float = 1.0,
        queue_size: int = 90,
        on_keyframe: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._make_frame = make_frame
        self._on_keyframe = on_keyframe
        self._pose_timeout_s = pose_timeout_s
        self._queue: deque[Pair] = deque()
        self._queue_size = queue_size
        self._changed = threading.Condition()
        self._current: Pair | None = None
        self._stopped = False
        self._generation = 0  # raised by clear: what is under way then is dropped
        self._pairs = 0
        self._collector = Collector("live topics", config, None)
        self._told: Counter[str] = Counter()
        self._worker = threading.Thread(target=self._work, name="any3dis-ingest", daemon=True)
        self._worker.start()

    def offer(self, pair: Pair) -> None:
        """Enqueue a pair; returns at once."""
        with self._changed:
            self._pairs += 1
            self._queue.append(pair)
            if len(self._queue) > self._queue_size:
                self._queue.popleft()
                self._leave_out("queue full: the worker falls behind", "")
            self._changed.notify_all()

    def frames(self) -> list[Frame]:
        """Return the keyframes so far, oldest first."""
        with self._changed:
            return self._collector.frames

    def status(self) -> IngestStatus:
        """Return what came and what became of it."""
        with self._changed:
            frames = self._collector.frames
            return IngestStatus(
                self._pairs,
                len(self._queue),
                len(frames),
                sum(f.nbytes for f in frames),
                dict(self._collector.counts),
            )

    def clear(self, keyframes: bool = True) -> None:
        """Forget what waits and what is under way, as after a jump of time; with `keyframes` everything."""
        with self._changed:
            self._generation += 1
            self._queue.clear()
            if keyframes:
                self._collector = Collector("live topics", self._config, None)
                self._told.clear()
                self._pairs = 0
            self._changed.notify_all()

    def settle(self, timeout_s: float, poll: Callable[[], None] = lambda: None) -> bool:
        """Return whether what was offered before this call is dealt with, after waiting for it.

        Args:
            timeout_s: seconds to wait at most.
            poll: called every tenth of a second; what it raises ends the waiting.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            last = self._queue[-1] if self._queue else self._current

        def dealt_with() -> bool:
            return last is None or (self._current is not last and all(pair is not last for pair in self._queue))

        while True:
            poll()
            with self._changed:
                if self._changed.wait_for(dealt_with, min(_TELL_S, max(deadline - time.monotonic(), 0))):
                    return True
            if time.monotonic() > deadline:
                return False

    def close(self) -> None:
        """End the worker; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()
        self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._current = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._stopped)
                if self._stopped:
                    return
                pair, generation = self._queue.popleft(), self._generation
                self._current = pair
                if not self._collector.wants_next():
                    continue
            try:
                frame = self._frame(pair, generation)
            except TransformError as error:
                self._count(generation, f"no pose: {error.reason}", str(error))
            except (DamagedImageError, InputError) as error:
                self._count(generation, "unusable images", str(error))
            except Exception as error:  # one bad message must not end the mission
                log.exception("a pair of images could not be taken in")
                self._count(generation, f"unexpected {type(error).__name__}", str(error))
            else:
                with self._changed:
                    if frame is None or generation != self._generation:
                        continue
                    self._collector.add(frame)
                self._on_keyframe()

    def _frame(self, pair: Pair, generation: int) -> Frame | None:
        """Return the pair as a frame; None where it was cleared away in the meantime."""
        deadline = time.monotonic() + self._pose_timeout_s
        while True:
            try:
                return self._make_frame(pair)
            except PoseOnItsWay as error:
                if time.monotonic() > deadline:
                    reason = f"not within {self._pose_timeout_s:g} s"
                    raise TransformError(reason, f"{error} (tf_timeout_s)") from error
            with self._changed:
                if self._changed.wait_for(lambda: self._stopped or generation != self._generation, _POLL_S):
                    return None

    def _count(self, generation: int, reason: str, example: str) -> None:
        with self._changed:
            if generation == self._generation:
                self._leave_out(reason, example)

    def _leave_out(self, reason: str, example: str) -> None:
        """Count, and say it the first time."""
        self._collector.leave_out(reason, example)
        if not self._told[reason]:
            log.warning("left out a pair of images: %s%s", reason, f" ({example})" if example else "")
        self._told[reason] += 1

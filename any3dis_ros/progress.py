"""How a long computation tells where it stands, and how it is told to stop."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Called between steps of a stage; raises :class:`any3dis_ros.errors.Cancelled` to stop the run."""

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Report that `done` of `total` steps of `stage` are finished and `instances` proposals stand."""


def silent(stage: str, done: int, total: int, instances: int = 0) -> None:
    """Report nothing and never cancel."""


class Nested:
    """Progress of a computation whose steps may be long computations themselves.

    While a stage is under way, what happens inside its steps repeats its last report, so that a run can be cancelled
    there and a bar stays alive; between stages it is reported as it is.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = ("", 0, 0, 0)

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Report."""
        self._last = (stage, done, total, instances)
        self._progress(*self._last)

    def inner(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Report from within a step."""
        _, last_done, last_total, _ = self._last
        under_way = last_done < last_total
        self._progress(*(self._last if under_way else (stage, done, total, instances)))


class Clock:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the block to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def timed(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Pass the items through, adding the time of making each to `stage`."""
        done = object()
        while True:
            with self(stage):
                item = next(items, done)
            if item is done:
                return
            yield item  # type: ignore[misc]

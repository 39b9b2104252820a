"""Seconds and peak memory of a block of code."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a block took.

    Attributes:
        wall_s: seconds by the clock on the wall.
        cpu_s: seconds of the CPU over all threads, which other processes on the machine disturb less.
        peak_mb: the most memory held at once beyond what was held before (resident, megabytes).
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


class Meter:
    """Costs of named blocks."""

    def __init__(self) -> None:
        self.costs: dict[str, list[Cost]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure the block; one that raises counts for nothing."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.costs.setdefault(name, []).append(Cost(wall, cpu, max(_resident("VmHWM") - before, 0.0)))


def _resident(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)

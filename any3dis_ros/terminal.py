"""What a person sees while a command runs: progress bars, tables, one sentence where it fails."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tqdm import tqdm

if TYPE_CHECKING:  # keeps `any3dis --help` quick
    from any3dis_ros.objects.instances import Instances


class LogLines(logging.Handler):
    """Writes log records as lines to stderr, above a bar that is shown there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        tqdm.write(self.format(record), file=sys.stderr)


class Bars:
    """Progress by stage on a terminal as bars; elsewhere one line a stage when it ends; nothing when quiet."""

    def __init__(self, quiet: bool, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._stage = ""
        self._began = 0.0
        self._bar: tqdm | None = None

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Show where a stage stands (see :class:`any3dis_ros.progress.Progress`)."""
        if self._quiet:
            return
        if stage != self._stage:
            self.close()
            self._stage, self._began = stage, time.monotonic()
            if self._stream.isatty():
                many = total >= 1_000_000  # bytes, rather than frames or objects
                self._bar = tqdm(
                    total=total, desc=stage, file=self._stream, leave=False, dynamic_ncols=True, unit_scale=many
                )
        if self._bar is not None:
            if instances:
                self._bar.set_postfix_str(f"{instances} proposals", refresh=False)
            self._bar.update(done - self._bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """End the current stage's bar and leave one line of it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stage:
            print(self.line(self._stage, time.monotonic() - self._began), file=self._stream, flush=True)
            self._stage = ""

    def line(self, stage: str, seconds: float) -> str:
        """Return what is left of a stage that has ended."""
        return f"{stage:<24} {seconds:7.1f} s"


class Row(NamedTuple):
    """One line of the table: size in metres along the box's own axes, centroid in metres of the map frame."""

    id: int
    score: float
    points: int
    size: Sequence[float]
    centroid: Sequence[float]


def instance_table(instances: Instances, limit: int = 40) -> str:
    """Return the instances as a table (see :func:`table`)."""
    rows = [Row(o.id, o.score, len(o.points), o.box.size.tolist(), o.centroid.tolist()) for o in instances.instances]
    return table(rows, limit, "instances.json")


def table(rows: Sequence[Row], limit: int, others: str) -> str:
    """Return objects as a table, best first; sizes in centimetres, centroid in metres of the map frame.

    Args:
        rows: the objects, best first.
        limit: how many are shown.
        others: where the ones beyond it are found.
    """
    lines = ["  id  score  points   size cm (l × w × h)   centroid m (map frame)"]
    for row in rows[:limit]:
        length, width = sorted((100 * row.size[0], 100 * row.size[1]), reverse=True)
        size = f"{length:4.0f} × {width:3.0f} × {100 * row.size[2]:3.0f}"
        x, y, z = row.centroid
        lines.append(f"{row.id:4d}  {row.score:5.2f}  {row.points:6d}   {size:<19}   {x:6.2f} {y:6.2f} {z:6.2f}")
    if len(rows) > limit:
        lines.append(f"      … and {len(rows) - limit} more in {others}")
    return "\n".join(lines)

"""What a person sees while a command runs: progress bars, tables, one sentence where it fails."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, TextIO

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
            print(f"{self._stage:<24} {time.monotonic() - self._began:7.1f} s", file=self._stream, flush=True)
            self._stage = ""


def instance_table(instances: Instances, limit: int = 40) -> str:
    """Return the instances as a table, best first; sizes in centimetres, centroid in metres of the map frame."""
    lines = ["  id  score  points   size cm (l × w × h)   centroid m (map frame)"]
    objects = instances.instances
    for o in objects[:limit]:
        length, width = sorted(o.box.size[:2] * 100, reverse=True)
        size = f"{length:4.0f} × {width:3.0f} × {o.box.size[2] * 100:3.0f}"
        x, y, z = o.centroid
        lines.append(f"{o.id:4d}  {o.score:5.2f}  {len(o.points):6d}   {size:<19}   {x:6.2f} {y:6.2f} {z:6.2f}")
    if len(objects) > limit:
        lines.append(f"      … and {len(objects) - limit} more in instances.json")
    return "\n".join(lines)

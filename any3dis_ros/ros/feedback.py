"""How far a run is, as one rising share of the whole, told often enough and not too often."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

_SHARES = {  # of the whole run, where each stage begins and ends; that of a small room on the geometric engine
    "keyframes": (0.0, 0.01),
    "engine": (0.01, 0.02),
    "map": (0.02, 0.1),
    "superpoints": (0.1, 0.15),
    "visibility": (0.15, 0.2),
    "features": (0.2, 0.3),
    "merging": (0.97, 1.0),
}
_TRACKING = (0.3, 0.97)
_FIRST_ROUND = 0.7  # of all tracking, and of what is left after each round; how many rounds come is not known
_EVERY_S = 0.1


class Feedback:
    """A progress callback that hands on where a stage begins and ends, and what is between every tenth of a second.

    Args:
        tell: called with the stage, the share of the run from 0 to 1, which never falls, and the instances so far.
    """

    def __init__(self, tell: Callable[[str, float, int], None]) -> None:
        self._tell = tell
        self._step = ("", False)
        self._share = 0.0
        self._told_s = -float("inf")

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Report."""
        low, high = _span(stage) or (self._share, self._share)
        self._share = max(self._share, low + (high - low) * min(done / total, 1.0) if total else low)
        now = time.monotonic()
        step = (stage, done >= total)
        if step != self._step or now - self._told_s > _EVERY_S:
            self._step, self._told_s = step, now
            self._tell(stage, self._share, instances)


def _span(stage: str) -> tuple[float, float] | None:
    """Return where a stage begins and ends, None where it is not known."""
    if found := re.fullmatch(r"tracking, round (\d+)", stage):
        left = (1 - _FIRST_ROUND) ** (int(found[1]) - 1)
        low, high = _TRACKING
        return high - (high - low) * left, high - (high - low) * left * (1 - _FIRST_ROUND)
    return _SHARES.get(stage)

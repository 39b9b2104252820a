"""Which engine a configuration asks for."""

from __future__ import annotations

from any3dis_ros.config import TrackerConfig
from any3dis_ros.errors import InputError
from any3dis_ros.tracking.base import MaskTracker


def make_tracker(config: TrackerConfig) -> MaskTracker:
    """Return the configured engine; `auto` is SAM 2 where a checkpoint is given, else the geometric one.

    Raises:
        InputError: the engine cannot run here, and what would make it.
    """
    if config.engine == "sam2" or (config.engine == "auto" and config.checkpoint):
        raise InputError(
            "this version has no SAM 2 engine; leave tracker.checkpoint empty and tracker.engine at geometric"
        )
    from any3dis_ros.tracking.geometric import GeometricTracker

    return GeometricTracker(config.geometric)

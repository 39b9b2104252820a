"""Which engine a configuration asks for."""

from __future__ import annotations

import importlib.util

from any3dis_ros.config import TrackerConfig
from any3dis_ros.errors import InputError
from any3dis_ros.tracking.base import MaskTracker


def make_tracker(config: TrackerConfig) -> MaskTracker:
    """Return the configured engine; `auto` is SAM 2 where a checkpoint is given, else the geometric one.

    Raises:
        InputError: the engine cannot run here, and what would make it.
    """
    if config.engine == "sam2" or (config.engine == "auto" and config.checkpoint):
        return _sam2(config)
    from any3dis_ros.tracking.geometric import GeometricTracker

    return GeometricTracker(config.geometric)


def _sam2(config: TrackerConfig) -> MaskTracker:
    if not config.checkpoint:
        raise InputError(
            "tracker.engine is sam2, but tracker.checkpoint is empty; run `any3dis download-checkpoint large` and set "
            "it to large, or to the path of a SAM 2.1 checkpoint"
        )
    missing = [name for name in ("torch", "sam2") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"the SAM 2 engine needs {' and '.join(missing)}: pip install torch torchvision sam2 "
            "(or set tracker.engine to geometric)"
        )
    from any3dis_ros.tracking.sam2.checkpoints import resolve

    checkpoint = resolve(config.checkpoint)  # a wrong name is told before torch is loaded, which takes seconds
    from any3dis_ros.tracking.sam2.engine import Sam2Tracker

    return Sam2Tracker(checkpoint, config.sam2)

"""The engines that a table compares, by name: the package's own, and simulated ones that read the ground truth."""

from __future__ import annotations

import dataclasses
from functools import cache

from any3dis_ros.config import Config, TrackerConfig
from any3dis_ros.tracking.base import MaskTracker
from any3dis_ros.tracking.engines import make_tracker
from benchmarks.scenes import BenchmarkScene
from benchmarks.simulated_tracks import SimulatedTracker

SIMULATED = {"perfect": "perfect", "simulated-mild": "mild", "simulated-harsh": "harsh"}
ERRING = ("simulated-mild", "simulated-harsh")
ENGINES = ("geometric", "sam2", *SIMULATED)


def replicates_of(engine: str, asked: int) -> int:
    """Return how often an engine is run: only errors that are drawn differ from one time to the next."""
    return asked if engine in ERRING else 1


def make_engine(
    engine: str, scene: BenchmarkScene, config: Config, replicate: int = 0, view_sensitivity: float = 0.0
) -> MaskTracker:
    """Return an engine for a scene.

    Args:
        engine: one of `ENGINES`.
        scene: what a simulated engine reads.
        config: `tracker` is what the package's own engines go by; simulated ones are prompted as `tracker.sam2` says.
        replicate: which draw of a simulated engine's errors.
        view_sensitivity: of those errors to the pivot view (`simulated_tracks`).

    Raises:
        InputError: SAM 2 cannot run here, and what would make it.
    """
    if engine in SIMULATED:
        return SimulatedTracker(scene, SIMULATED[engine], replicate, view_sensitivity, config.tracker.sam2)
    return _tracker(dataclasses.replace(config.tracker, engine=engine))


@cache
def _tracker(config: TrackerConfig) -> MaskTracker:
    return make_tracker(config)  # SAM 2 reads its weights once for all scenes

"""A run over two keyframes of nothing much, so that the first real one need not wait for kernels to be compiled."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.pipeline import segment
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import Scene, fuse
from any3dis_ros.tracking.base import MaskTracker

log = logging.getLogger(__name__)

_WIDTH, _HEIGHT = 160, 120
_FOCAL_PX = 140.0
_SEEDS = 4
_NEAR, _FAR = 0.3, 0.4  # shares of the depth range: a board before a wall


def rehearse(tracker: MaskTracker, config: Config, progress: Progress = silent) -> None:
    """Fuse and segment a board before a wall, with every stage as configured but one round of few seeds.

    Args:
        tracker: the engine, which is warmed up as well.
        config: all parameters.
        progress: may raise Cancelled.
    """
    tracker.warm_up()
    short = dataclasses.replace(config, iteration=dataclasses.replace(config.iteration, max_rounds=1))
    few = dataclasses.replace(tracker.policy, seeds_per_round=_SEEDS)
    frames = [_keyframe(t, config) for t in range(2)]
    try:
        segment(Scene(frames, fuse(frames, config.map)), tracker, short, progress, policy=few)
    except InputError as error:  # a coarse map of two keyframes may be too little for some settings
        log.debug("the rehearsal ended early: %s", error)


def _keyframe(t: int, config: Config) -> Frame:
    """Return the view of a camera that moved `t` centimetres to the side."""
    low, high = config.map.depth_min_m, config.map.depth_max_m
    near, far = (low + share * (high - low) for share in (_NEAR, _FAR))
    K = np.array([[_FOCAL_PX, 0, (_WIDTH - 1) / 2], [0, _FOCAL_PX, (_HEIGHT - 1) / 2], [0, 0, 1]])
    u, v = np.meshgrid(np.arange(_WIDTH) - K[0, 2], np.arange(_HEIGHT) - K[1, 2])
    x = u / _FOCAL_PX * near + 0.01 * t
    board = (np.abs(x) < 0.25 * near) & (np.abs(v / _FOCAL_PX) < 0.25)
    depth = np.where(board, near * 1000, far * 1000).astype(np.uint16)
    color = np.where(board[..., None], (200, 60, 40), (90, 90, 90)).astype(np.uint8)
    T_map_camera = np.eye(4)
    T_map_camera[0, 3] = 0.01 * t
    return Frame(t, color, depth, Camera(_WIDTH, _HEIGHT, K), T_map_camera)

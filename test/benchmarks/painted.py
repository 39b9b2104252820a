"""Painted scenes with known instance images."""

from __future__ import annotations

import numpy as np

from any3dis_ros.objects.overlap import GroundTruth
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import MapCloud
from benchmarks.scenes import BenchmarkScene

H, W, FRAMES = 96, 128, 40


def make_scene(images: list[np.ndarray], things: list[int], name: str = "blocks") -> BenchmarkScene:
    """A camera 1 m in front of a wall on which the instances are painted."""
    h, w = images[0].shape
    camera = Camera(w, h, np.array([[100.0, 0, (w - 1) / 2], [0, 100.0, (h - 1) / 2], [0, 0, 1]]))
    color, depth = np.zeros((h, w, 3), np.uint8), np.full((h, w), 1000, np.uint16)
    frames = tuple(Frame(t, color, depth, camera, np.eye(4), str(t)) for t in range(len(images)))
    ids = np.unique(images)
    points = np.zeros((len(ids), 3), np.float32)
    truth = GroundTruth(points, ids.astype(np.int32), np.array(things, np.int64))
    by_name = {f.name: i.astype(np.int32) for f, i in zip(frames, images, strict=True)}
    exact = MapCloud(points, np.zeros((len(ids), 3), np.uint8))
    return BenchmarkScene(name, frames, by_name, truth, exact)


def blocks_scene() -> BenchmarkScene:
    """A floor (1), two things that touch (2, 3) and one alone (4); thing 4 is out of sight in keyframes 10-25."""
    image = np.zeros((H, W), np.int32)
    image[60:] = 1
    image[20:60, 20:50] = 2
    image[20:60, 50:80] = 3
    with_4 = image.copy()
    with_4[10:40, 95:120] = 4
    return make_scene([image if 10 <= t <= 25 else with_4 for t in range(FRAMES)], things=[2, 3, 4])

"""Real weights on a rendered table: what no random weights can show."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from any3dis_ros.config import Config
from any3dis_ros.objects.evaluation import evaluate_instances
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.mapping import Scene, fuse
from any3dis_ros.tracking.engines import make_tracker
from benchmarks import scenes

CHECKPOINT = os.environ.get("ANY3DIS_SAM2_CHECKPOINT", "")


@pytest.mark.checkpoint
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not CHECKPOINT, reason="ANY3DIS_SAM2_CHECKPOINT names no SAM 2.1 checkpoint")
@pytest.mark.skipif(not scenes.available("tabletop31"), reason="the scene tabletop31 is not beside the repository")
def test_sam2_is_well_above_the_geometric_engine():
    scene = scenes.load("tabletop31")
    config = Config()
    mapped = Scene(scene.frames, fuse(scene.frames, config.map))
    ap50 = {}
    for engine in ("sam2", "geometric"):
        tracker = make_tracker(replace(config.tracker, engine=engine, checkpoint=CHECKPOINT))
        ap50[engine] = evaluate_instances(segment(mapped, tracker, config), scene.truth)["own"].ap50
    assert ap50["sam2"] > ap50["geometric"] + 0.1

"""What only a GPU shows: bf16 beside the official predictor, features that leave the device, memory that runs out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sam2_scene import CONFIG, follow_forward, iou, moving_disc

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch

from any3dis_ros.scene.visible_points import VisiblePoints
from any3dis_ros.tracking.base import PointPrompt, TrackRequest
from any3dis_ros.tracking.sam2.engine import Sam2Tracker
from any3dis_ros.tracking.sam2.masks import LogitMask
from benchmarks.official_sam2 import follow_alone, official_predictor, save_images

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

FRAMES = moving_disc(6)
ON_GPU = replace(CONFIG, device="cuda")  # in bf16
POINTS = [(u, v) for v in range(6, 96, 12) for u in range(8, 128, 16)]


def run(tracker):
    """Prompt 64 objects in the first keyframe and follow them forward: their masks in the last, and what it took."""
    session = tracker.open(FRAMES)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    masks = follow_forward(session, POINTS, 5)
    taken = torch.cuda.max_memory_allocated() - before
    statistics = session.statistics()
    session.close()
    return [mask.cpu() for mask in masks], statistics, taken


def test_it_is_chosen_where_it_is_there(checkpoint):
    tracker = Sam2Tracker(checkpoint, replace(CONFIG, device="auto"))
    ((born,),) = tracker.open(FRAMES).prompt([PointPrompt.on(0, np.array([[35, 50]]))], 1)
    assert born.mask.logits.is_cuda


def test_bf16_masks_are_those_of_the_official_predictor_in_bf16(checkpoint, tmp_path):
    predictor = official_predictor(checkpoint, "tiny", 256, "cuda")
    images = save_images([frame.color for frame in FRAMES], tmp_path)
    session = Sam2Tracker(checkpoint, ON_GPU).open(FRAMES)
    points = [np.array([point], np.float32) for point in POINTS[::8]]
    handles = [a[0].object_id for a in session.prompt([PointPrompt.on(0, p) for p in points], 1)]
    ious = []
    for point, track in zip(points, session.track([TrackRequest(h, range(1, 6)) for h in handles]), strict=True):
        with torch.autocast("cuda", torch.bfloat16):
            alone = follow_alone(predictor, images, 0, point, False)
        ious += [iou(mask.logits, alone[t]) for t, mask in track.masks.items()]
    assert len(ious) == 5 * len(points)
    print(f"IoU in bf16: median {np.median(ious):.4f}, least {min(ious):.4f}")
    assert np.median(ious) >= 0.99


def test_features_that_leave_the_device_change_nothing(checkpoint):
    there, _, _ = run(Sam2Tracker(checkpoint, ON_GPU))
    for near, far in ((1.0, 4000.0), (0.0, 4000.0)):
        away, statistics, _ = run(
            Sam2Tracker(checkpoint, replace(ON_GPU, features_device_mb=near, features_host_mb=far))
        )
        assert statistics["encoder_calls"] == len(FRAMES)
        assert all(torch.equal(a, b) for a, b in zip(there, away, strict=True))


def test_where_memory_runs_out_smaller_batches_go_on(checkpoint):
    whole, _, wanted = run(Sam2Tracker(checkpoint, ON_GPU))
    _, _, least = run(Sam2Tracker(checkpoint, replace(ON_GPU, batch_size=4)))
    tracker = Sam2Tracker(checkpoint, ON_GPU)
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + (wanted + least) // 2
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    try:
        masks, statistics, _ = run(tracker)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert 4 <= statistics["batch_size"] < len(POINTS)
    assert np.median([iou(a, b) for a, b in zip(masks, whole, strict=True)]) >= 0.99


def test_a_closed_session_leaves_nothing_on_the_device(checkpoint):
    tracker = Sam2Tracker(checkpoint, ON_GPU)
    run(tracker)
    before = torch.cuda.memory_allocated()
    run(tracker)
    assert torch.cuda.memory_allocated() == before


def test_masks_are_tallied_there_as_in_main_memory():
    logits = torch.nn.functional.interpolate(torch.randn(1, 1, 6, 6), (64, 64), mode="bicubic")[0, 0].half().float()
    pixel = np.arange(0, 480 * 640, 3, dtype=np.int32)
    superpoint = (np.arange(480 * 640, dtype=np.int32) // 50) % 40
    visible = VisiblePoints.of(pixel, pixel, superpoint, 640)
    here, there = (LogitMask(x, (480, 640), (0, 480)).tally(visible, 40) for x in (logits, logits.cuda().half()))
    np.testing.assert_array_equal(here.superpoints, there.superpoints)
    assert np.abs(here.points - there.points).max() <= 2  # pixels whose logit is zero but for rounding

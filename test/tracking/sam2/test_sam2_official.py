"""The engine's masks against the official predictor's, one session per object and direction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sam2_scene import iou, moving_disc

from any3dis_ros.tracking.base import PointPrompt, TrackRequest
from any3dis_ros.tracking.sam2.engine import Sam2Tracker
from benchmarks.official_sam2 import follow_alone, official_predictor, save_images

FRAMES = 20
OBJECTS = [  # pivot, points, corrections
    (6, [[35, 50]], {}),
    (6, [[100, 30], [95, 20], [110, 40]], {}),
    (9, [[62, 57]], {}),
    (3, [[44, 51], [10, 10]], {13: [[74, 61]], 16: [[83, 64]], 1: [[38, 49]]}),
]


def requests(objects, count, handles):
    """Both directions of each object."""
    for (pivot, _, corrections), handle in zip(objects, handles, strict=True):
        for reverse in (True, False):
            frames = list(range(pivot - 1, -1, -1) if reverse else range(pivot + 1, count))
            prompts = {t: PointPrompt.on(t, np.array(p)) for t, p in corrections.items() if t in frames}
            yield TrackRequest(handle, frames, prompts)


def ours(tracker, frames, objects):
    """Masks and abstentions by (object, frame), and the session's statistics."""
    session = tracker.open(frames)
    born = session.prompt([PointPrompt.on(pivot, np.array(points)) for pivot, points, _ in objects], 1)
    handles = [answers[0].object_id for answers in born]
    masks = {(q, answers[0].frame): answers[0].mask for q, answers in enumerate(born)}
    abstained = set()
    tracks = list(session.track(requests(objects, len(frames), handles)))
    for i, track in enumerate(tracks):
        assert track.object_id == handles[i // 2]
        masks.update({(i // 2, t): mask for t, mask in track.masks.items()})
        abstained |= {(i // 2, t) for t in track.abstained}
    statistics = session.statistics()
    session.close()
    return masks, abstained, statistics


def theirs(predictor, frames, objects, folder):
    """The official predictor's logits by (object, frame)."""
    images = save_images([frame.color for frame in frames], folder)
    logits = {}
    for q, (pivot, points, corrections) in enumerate(objects):
        for reverse in (True, False):
            extra = {t: np.array(p, np.float32) for t, p in corrections.items() if (t < pivot) == reverse}
            found = follow_alone(predictor, images, pivot, np.array(points, np.float32), reverse, extra)
            logits.update({(q, t): mask for t, mask in found.items()})
    return logits


def assert_equal(masks, abstained, logits, tolerance):
    """Every mask of the official predictor is ours, and the object is absent in the same keyframes."""
    assert abstained == {key for key, mask in logits.items() if mask.max() == -1024}
    assert set(masks) == {key for key, mask in logits.items() if mask.max() > 0}
    worst = max((masks[key].logits - logits[key]).abs().max().item() for key in masks)
    assert worst <= tolerance
    return len(masks)


def test_masks_are_the_official_ones_and_each_frame_is_encoded_once(tracker, predictor, tolerance, tmp_path):
    frames = moving_disc(FRAMES)
    masks, abstained, statistics = ours(tracker, frames, OBJECTS)
    compared = assert_equal(masks, abstained, theirs(predictor, frames, OBJECTS, tmp_path), tolerance)
    assert compared == 80 == len(OBJECTS) * FRAMES
    assert statistics["encoder_calls"] == FRAMES
    assert statistics["object_frames"] == len(OBJECTS) * (FRAMES - 1)


def test_where_the_object_is_absent_both_say_so(absent_checkpoint, config, tolerance, tmp_path):
    frames = moving_disc(7)
    objects = [(3, [[44, 51]], {}), (3, [[100, 30], [95, 20], [110, 40]], {}), (2, [[41, 50]], {5: [[50, 53]]})]
    predictor = official_predictor(absent_checkpoint, "tiny", 256, config.device)
    logits = theirs(predictor, frames, objects, tmp_path)
    present = {key for key, mask in logits.items() if mask.max() > -1024}
    assert all((q, pivot) in present for q, (pivot, *_) in enumerate(objects))
    assert 0 < len(logits) - len(present) < len(logits)
    assert_equal(*ours(Sam2Tracker(absent_checkpoint, config), frames, objects)[:2], logits, tolerance)


def test_a_keyframe_that_is_passed_over_is_no_gap_in_the_memory(tracker, predictor, tolerance, tmp_path):
    """As the official predictor sees a video of which only the visited keyframes were recorded."""
    frames = moving_disc(FRAMES)
    visited = [2, 3, 5, 11, 12, 14, 19]
    session = tracker.open(frames)
    points = np.array([[41, 50]], np.float32)
    handle = session.prompt([PointPrompt.on(2, points)], 1)[0][0].object_id
    (track,) = session.track([TrackRequest(handle, visited[1:])])
    shown = [frames[t] for t in visited]
    shown += shown[-1:] * (FRAMES - len(visited))  # never reached: the clock of the pointers counts all keyframes
    images = save_images([frame.color for frame in shown], tmp_path)
    logits = follow_alone(predictor, images, 0, points, False)
    assert set(track.masks) == set(visited[1:])
    assert session.statistics()["encoder_calls"] == len(visited)
    worst = max((track.masks[t].logits - logits[i]).abs().max() for i, t in enumerate(visited) if i)
    assert worst <= tolerance


def test_objects_of_one_batch_do_not_touch_each_other(config, tracker, tolerance):
    """In a batch of the same shapes an object's masks are the same bits, whoever its neighbours are."""
    frames = moving_disc(6)
    followed = (2, [[41, 50]], {4: [[47, 52]]})
    with_some, _, counted = ours(tracker, frames, [followed, (3, [[100, 30], [95, 20]], {}), (2, [[10, 90]], {})])
    with_others, _, _ = ours(tracker, frames, [followed, (3, [[44, 51], [60, 80]], {}), (2, [[120, 10]], {})])
    assert counted["batches"] < counted["object_frames"]
    assert not torch.equal(with_some[1, 3].logits, with_others[1, 3].logits)
    for t in range(len(frames)):
        worst = (with_some[0, t].logits - with_others[0, t].logits).abs().max().item()
        assert worst <= (0 if config.device == "cpu" else tolerance)


def test_one_object_a_batch_gives_what_several_give(checkpoint, config, tracker, tolerance):
    """The click is one whose mask has no pixel near 0: SAM 2 remembers clicked masks by their signs."""
    frames = moving_disc(6)
    objects = [(2, [[41, 50]], {4: [[46, 53]]}), (3, [[100, 30], [95, 20]], {}), (2, [[10, 90]], {})]
    together, _, counted = ours(tracker, frames, objects)
    one_by_one = Sam2Tracker(checkpoint, replace(config, batch_size=1))
    alone, _, counted_alone = ours(one_by_one, frames, objects)
    assert counted["batches"] < counted_alone["batches"]
    assert set(together) == set(alone)
    for key in alone:
        torch.testing.assert_close(together[key].logits, alone[key].logits, rtol=0, atol=tolerance)


def test_one_object_a_batch_gives_the_official_masks_too(checkpoint, config, predictor, tolerance, tmp_path):
    """Without corrections: SAM 2 remembers clicked masks by their signs, and rounding turns those of a pixel near 0."""
    frames = moving_disc(6)
    objects = [(2, [[41, 50]], {}), (3, [[100, 30], [95, 20]], {}), (2, [[10, 90]], {})]
    masks, abstained, counted = ours(Sam2Tracker(checkpoint, replace(config, batch_size=1)), frames, objects)
    assert counted["batches"] == counted["object_frames"] + len(objects)
    assert_equal(masks, abstained, theirs(predictor, frames, objects, tmp_path), tolerance)


def test_bf16_gives_nearly_the_same_masks(checkpoint, config, tracker):
    frames = moving_disc(5)
    half = Sam2Tracker(checkpoint, replace(config, precision="bf16"))
    full, _, _ = ours(tracker, frames, OBJECTS[3:])
    rough, _, _ = ours(half, frames, OBJECTS[3:])
    ious = [iou(full[key].logits, rough[key].logits) for key in full]
    assert np.median(ious) == pytest.approx(1, abs=0.05)  # the bound for a GPU with real weights is 0.99

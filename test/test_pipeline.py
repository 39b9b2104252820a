from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from boxes import BOXES, PerfectTracker
from scipy import sparse

from any3dis_ros.config import Config, IterationConfig, MapConfig, MergingConfig, RefinementConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.mapping import MapCloud, Scene, fuse
from any3dis_ros.scene.network_masks import NetworkMasks
from any3dis_ros.tracking.base import PromptPolicy

CONFIG = Config(map=MapConfig(voxel_size_m=0.03))
ONE_SEED = PromptPolicy(pivot_views=1, masks_per_prompt=1, min_score=0.6, seeds_per_round=1)


@pytest.fixture(scope="module")
def scene(two_boxes) -> Scene:
    return Scene(two_boxes[0], fuse(two_boxes[0], CONFIG.map))


def box_of(points: np.ndarray) -> np.ndarray:
    """Index of the box whose surface is nearest to each point."""
    outside = [np.linalg.norm(np.maximum(np.maximum(low - points, points - high), 0), axis=1) for low, high in BOXES]
    return np.argmin(outside, axis=0)


def test_superpoints_from_outside_are_taken_as_they_are(scene, two_boxes):
    boxes = box_of(scene.cloud.points).astype(np.int32)
    result = segment(Scene(scene.frames, scene.cloud, boxes), PerfectTracker(two_boxes[1]), CONFIG)
    assert np.array_equal(result.superpoint, boxes)
    assert sorted(p.tolist() for p in result.proposals) == [
        [False, False, True],
        [False, True, False],
        [True, False, False],
    ]


@pytest.mark.parametrize("learnt", [False, True])
def test_what_shares_a_superpoint_is_told_apart_by_its_masks_unless_the_learnt_objectness_judges(
    scene, two_boxes, learnt
):
    truth = box_of(scene.cloud.points)
    superpoint = (truth > 0).astype(np.int32)  # crate and post share one
    given = Scene(scene.frames, scene.cloud, superpoint)
    policy = PromptPolicy(pivot_views=8, masks_per_prompt=1, min_score=0.6, seeds_per_round=4, learnt_objectness=learnt)
    in_pieces = replace(CONFIG, refinement=RefinementConfig(piece_m=0.06, piece_iou=0.9))

    def best(config: Config) -> tuple[float, np.ndarray]:
        result = segment(given, PerfectTracker(two_boxes[1], policy), config)
        masks = [result.proposal_points(q) for q in range(len(result.scores))]
        iou = [max((m & (truth == k)).sum() / (m | (truth == k)).sum() for m in masks) for k in (1, 2)]
        return min(iou), result.superpoint

    assert best(CONFIG)[0] < 0.6
    iou, settled = best(in_pieces)
    if learnt:
        assert iou < 0.6
        np.testing.assert_array_equal(settled, superpoint)
    else:
        assert iou > 0.9
        assert all(len(set(superpoint[settled == m])) == 1 for m in range(settled.max() + 1))
        assert 3 <= settled.max() + 1 < 30


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda s: s[:-1], "superpoints for"), (lambda s: s * 2, "without a gap"), (lambda s: s - 1, "without a gap")],
)
def test_superpoints_from_outside_must_fit_the_map(scene, change, said):
    boxes = box_of(scene.cloud.points).astype(np.int32)
    with pytest.raises(InputError, match=said):
        Scene(scene.frames, scene.cloud, change(boxes))


def test_a_perfect_tracker_gives_the_boxes(scene, two_boxes):
    result = segment(scene, PerfectTracker(two_boxes[1]), CONFIG)
    truth = box_of(scene.cloud.points)
    assert len(result.instances) == 3
    for index in range(3):
        masks = [result.proposal_points(q) for q in range(len(result.scores))]
        iou = [(m & (truth == index)).sum() / (m | (truth == index)).sum() for m in masks]
        assert max(iou) > 0.93
    assert (np.diff(result.scores) <= 0).all()
    assert result.labels.max() <= len(result.scores)
    crate = result.instances[int(np.argmin([abs(o.centroid[0] + 0.35) for o in result.instances]))]
    np.testing.assert_allclose(crate.box.center, [-0.35, 0, 0.25], atol=0.03)
    np.testing.assert_allclose(sorted(crate.box.size), [0.5, 0.5, 0.6], atol=0.05)
    assert 0 < len(crate.best_views) <= 8
    assert set(crate.masks) == set(crate.best_views)


def test_result_does_not_depend_on_the_run(scene, two_boxes):
    a, b = (segment(scene, PerfectTracker(two_boxes[1]), CONFIG) for _ in range(2))
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_statistics_name_every_stage(scene, two_boxes):
    s = segment(scene, PerfectTracker(two_boxes[1]), CONFIG).statistics
    assert s["engine"] == "perfect"
    assert s["keyframes"] == 8
    assert s["points"] == len(scene.cloud)
    assert set(s["seconds"]) == {
        "superpoints", "visibility", "features", "prompting", "tracking", "lifting", "refinement", "merging",
    }  # fmt: skip
    assert all(seconds >= 0 for seconds in s["seconds"].values())


def test_one_keyframe_is_enough(two_boxes):
    frames, hits = two_boxes[0][2:3], two_boxes[1][2:3]  # a view in which neither box hides the other
    scene = Scene(frames, fuse(frames, CONFIG.map))
    assert len(segment(scene, PerfectTracker(hits), CONFIG).instances) == 3


@pytest.mark.parametrize("stage", ["superpoints", "visibility", "features", "tracking, round 1", "merging"])
def test_every_stage_can_be_cancelled_and_closes_its_session(scene, two_boxes, stage):
    tracker = PerfectTracker(two_boxes[1])

    def stop(name: str, done: int, total: int, instances: int = 0) -> None:
        if name == stage:
            raise Cancelled(f"stopped in {name}")

    with pytest.raises(Cancelled, match=stage):
        segment(scene, tracker, CONFIG, stop)
    assert tracker.closed == (1 if stage in ("tracking, round 1", "merging") else 0)
    assert len(segment(scene, PerfectTracker(two_boxes[1]), CONFIG).instances) == 3


def test_progress_never_goes_back(scene, two_boxes):
    told: dict[str, list[float]] = {}

    def listen(stage: str, done: int, total: int, instances: int = 0) -> None:
        assert 0 <= done <= total
        told.setdefault(stage, []).append(done / max(total, 1))

    segment(scene, PerfectTracker(two_boxes[1]), CONFIG, listen)
    assert all(values == sorted(values) and values[-1] == 1 for values in told.values())


def test_sampling_rounds_are_bounded_and_say_so(scene, two_boxes, caplog):
    config = replace(CONFIG, iteration=IterationConfig(max_rounds=1))
    with caplog.at_level(logging.WARNING):
        result = segment(scene, PerfectTracker(two_boxes[1], ONE_SEED), config)
    assert len(result.scores) == 1
    assert "superpoints still free" in caplog.text


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_engine_says_how_many_seeds_a_round(scene, two_boxes, seeds):
    engine = PerfectTracker(two_boxes[1], replace(ONE_SEED, seeds_per_round=seeds))
    once = replace(CONFIG, iteration=IterationConfig(max_rounds=1))
    assert segment(scene, engine, once).statistics["tracks"] == seeds


def test_iteration_finds_what_the_first_seed_did_not(scene, two_boxes):
    config = replace(CONFIG, iteration=IterationConfig(max_rounds=999))
    assert len(segment(scene, PerfectTracker(two_boxes[1], ONE_SEED), config).instances) == 3


def test_constant_confidence(scene, two_boxes):
    config = replace(CONFIG, merging=MergingConfig(confidence="constant"))
    assert set(segment(scene, PerfectTracker(two_boxes[1]), config).scores.tolist()) == {1.0}


def test_a_map_from_another_place_is_refused(two_boxes):
    frames, hits = two_boxes
    rng = np.random.default_rng(0)
    far = MapCloud((rng.random((500, 3)) + 100).astype(np.float32), np.zeros((500, 3), np.uint8))
    with pytest.raises(InputError, match="no keyframe's depth agrees with the map"):
        segment(Scene(frames, far), PerfectTracker(hits), CONFIG)


def test_no_mask_at_all_gives_no_instance(scene, two_boxes):
    nothing = [np.full_like(hit, -1) for hit in two_boxes[1]]
    result = segment(scene, PerfectTracker(nothing), CONFIG)
    assert len(result.instances) == 0
    assert result.proposals.shape == (0, result.superpoint.max() + 1)
    assert not result.labels.any()


def test_frames_of_different_cameras_serve_together(two_boxes):
    frames, hits = two_boxes
    small = []
    for f in frames[:4]:
        camera = f.camera.resized(80, 60)
        small.append(Frame(f.stamp_ns, f.color[::2, ::2].copy(), f.depth[::2, ::2].copy(), camera, f.T_map_camera))
    mixed = [*small, *frames[4:]]
    scene = Scene(mixed, fuse(mixed, CONFIG.map))
    result = segment(scene, PerfectTracker([*(h[::2, ::2] for h in hits[:4]), *hits[4:]]), CONFIG)
    assert len(result.instances) == 3


@pytest.mark.parametrize("in_millimetres", [False, True])
def test_keyframes_that_share_nothing_are_told(two_boxes, caplog, in_millimetres):
    frames = []
    for f in two_boxes[0]:
        T = f.T_map_camera.copy()
        T[:3, 3] *= 1000 if in_millimetres else 1
        frames.append(replace(f, T_map_camera=T))
    segment(Scene(frames, fuse(frames, CONFIG.map)), PerfectTracker(two_boxes[1]), CONFIG)
    assert ("of the map is seen by more than one keyframe; check that poses" in caplog.text) == in_millimetres


def masks_of_boxes(scene: Scene, scores: list[float], points: int | None = None) -> NetworkMasks:
    """What a perfect network would find: the floor, the crate and the post."""
    truth = box_of(scene.cloud.points)
    rows = np.stack([truth == index for index in range(3)])[: len(scores), :points]
    return NetworkMasks(sparse.csr_matrix(rows), np.array(scores))


def test_what_only_the_network_found_is_an_instance_that_says_so(scene, two_boxes):
    nothing = [np.full_like(hit, -1) for hit in two_boxes[1]]
    result = segment(scene, PerfectTracker(nothing), CONFIG, network=masks_of_boxes(scene, [0.25, 0.75, 0.5]))
    assert result.scores.tolist() == [0.75, 0.5, 0.25]
    assert {o.source for o in result.instances} == {"network"}
    assert all(o.best_views for o in result.instances)
    assert result.statistics["network_proposals"] == result.statistics["proposals_from_network"] == 3


def test_of_two_kinds_of_the_same_object_the_more_confident_stays(scene, two_boxes):
    alone = segment(scene, PerfectTracker(two_boxes[1]), CONFIG)
    assert {o.source for o in alone.instances} == {"tracked"}
    for score, source in ((1.0, "network"), (0.0, "tracked")):
        network = masks_of_boxes(scene, [score] * 3)
        result = segment(scene, PerfectTracker(two_boxes[1]), CONFIG, network=network)
        assert [o.source for o in result.instances] == [source] * 3
    np.testing.assert_array_equal(result.scores, alone.scores)


def test_covered_superpoints_are_no_seeds_where_asked(scene, two_boxes):
    config = replace(CONFIG, network=replace(CONFIG.network, seed_covered=False))
    result = segment(scene, PerfectTracker(two_boxes[1]), config, network=masks_of_boxes(scene, [0.9, 0.9, 0.9]))
    assert result.statistics["tracks"] == 0
    assert len(result.instances) == 3


def test_masks_on_another_cloud_are_refused(scene, two_boxes):
    with pytest.raises(InputError, match=rf"lie on 100 points, the map has {len(scene.cloud)}"):
        segment(scene, PerfectTracker(two_boxes[1]), CONFIG, network=masks_of_boxes(scene, [0.9], points=100))

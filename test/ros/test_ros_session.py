from __future__ import annotations

import threading

import numpy as np
import pytest
from boxes import PerfectTracker

from any3dis_ros.config import Config, KeyframeConfig, MapConfig, TrackerConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.pipeline import segment
from any3dis_ros.progress import silent
from any3dis_ros.ros import session as module
from any3dis_ros.ros.session import Busy, Request, Segmenter, at_least, cropped
from any3dis_ros.scene.frames import KeyframeBuffer
from any3dis_ros.scene.mapping import LiveMap, MapCloud, Scene, fuse

CONFIG = Config(map=MapConfig(voxel_size_m=0.03))


@pytest.fixture
def segmenter(two_boxes, monkeypatch):
    """One whose engine knows the boxes."""
    made = []

    def perfect(config: TrackerConfig) -> PerfectTracker:
        made.append(config.engine)
        return PerfectTracker(two_boxes[1])

    monkeypatch.setattr(module, "make_tracker", perfect)
    segmenter = Segmenter(CONFIG)
    segmenter.made = made
    return segmenter


def test_it_gives_what_the_pipeline_gives(segmenter, two_boxes):
    frames, hits = two_boxes
    expected = segment(Scene(frames, fuse(frames, CONFIG.map)), PerfectTracker(hits), CONFIG)
    for _ in range(2):  # the second time with the map and the engine of the first
        found = segmenter.run(frames, None, Request(), silent)
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.scores, expected.scores)
    assert segmenter.made == ["auto"]


def test_a_second_run_is_refused_with_the_reason_and_a_third_works(segmenter, two_boxes):
    inside, go_on = threading.Event(), threading.Event()

    def slow(stage, done, total, instances=0):
        inside.set()
        go_on.wait(10)

    first = threading.Thread(target=segmenter.run, args=(two_boxes[0], None, Request(), slow))
    first.start()
    assert inside.wait(10)
    assert segmenter.busy
    with pytest.raises(Busy, match="under way; wait for its result or cancel it"):
        segmenter.run(two_boxes[0], None, Request(), silent)
    go_on.set()
    first.join(20)
    assert not segmenter.busy
    assert len(segmenter.run(two_boxes[0], None, Request(), silent).instances) == 3


STAGES = ["engine", "map", "superpoints", "visibility", "features", "tracking, round 1", "merging"]


@pytest.mark.parametrize("stage", STAGES)
def test_cancelled_at_any_stage_it_can_run_again(segmenter, two_boxes, stage):
    def watch(name, done, total, instances=0):
        if name == stage:
            raise Cancelled(f"cancelled in stage '{name}'")

    with pytest.raises(Cancelled, match="cancelled in stage"):
        segmenter.run(two_boxes[0], None, Request(), watch)
    assert len(segmenter.run(two_boxes[0], None, Request(), silent).instances) == 3


def test_no_keyframe_is_told(segmenter):
    with pytest.raises(InputError, match="no keyframe yet; see /diagnostics"):
        segmenter.run([], None, Request(), silent)
    assert not segmenter.busy


def test_a_defect_leaves_it_free(segmenter, two_boxes, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(module, "segment", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            segmenter.run(two_boxes[0], None, Request(), silent)
    assert len(segmenter.run(two_boxes[0], None, Request(), silent).instances) == 3


def test_engines_are_loaded_once_and_two_are_kept(segmenter, two_boxes):
    for engine in ("", "geometric", "", "sam2", "geometric", "sam2"):
        segmenter.run(two_boxes[0], None, Request(engine=engine), silent)
    assert segmenter.made == ["auto", "geometric", "sam2"]


def test_a_region_limits_the_map(segmenter, two_boxes):
    region = np.array([[-0.7, -0.4, 0.05], [0.0, 0.4, 1.0]])  # the crate without its floor
    found = segmenter.run(two_boxes[0], None, Request(region=region), silent)
    assert ((found.points >= region[0]) & (found.points <= region[1])).all()
    assert len(found.instances) == 1


def test_cropping_keeps_what_belongs_together():
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]], np.float32)
    colors, normals = np.arange(12, dtype=np.uint8).reshape(4, 3), -points
    cloud = MapCloud(points, colors, normals, np.array([[0, 1], [1, 2], [2, 3]], np.int32))
    part = cropped(cloud, np.array([[0.5, -1, -1], [9, 1, 1]]))
    np.testing.assert_array_equal(part.points, points[1:])
    np.testing.assert_array_equal(part.colors, colors[1:])
    np.testing.assert_array_equal(part.normals, normals[1:])
    np.testing.assert_array_equal(part.edges, [[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ([[0, 0, 0], [0, 1, 1]], "expected a lower corner below an upper one"),
        ([[0, 0, 0], [np.nan, 1, 1]], "expected a lower corner"),
        ([[5, 5, 5], [6, 6, 6]], r"no map point lies in the region .* the map spans \[0.0, 0.0, 0.0\] to"),
    ],
)
def test_impossible_regions_are_told(region, message):
    cloud = MapCloud(np.zeros((3, 3), np.float32), np.zeros((3, 3), np.uint8))
    with pytest.raises(InputError, match=message):
        cropped(cloud, np.array(region, float))


def test_a_least_score_removes_the_weak_ones(segmenter, two_boxes):
    every = segmenter.run(two_boxes[0], None, Request(), silent)
    best = every.instances[0]
    some = at_least(every, float(every.scores[0]))
    assert {o.id for o in some.instances} == {o.id for o in every.instances if o.score >= every.scores[0]}
    np.testing.assert_array_equal(some.instances[0].points, best.points)
    assert at_least(every, 1.1).instances == []


@pytest.mark.parametrize("config", [CONFIG, Config()], ids=["fixed voxel", "automatic voxel"])
def test_a_map_fused_on_is_the_map_fused_at_once(two_boxes, config):
    frames, live = two_boxes[0], LiveMap()
    added = []
    buffer = KeyframeBuffer(KeyframeConfig(stride=1, max_keyframes=5))  # thinned on the way
    for frame in frames:
        buffer.add(frame)
        cloud = live.update(buffer.frames, config.map, lambda stage, done, total, n=0: added.append(done < total))
        expected = fuse(buffer.frames, config.map)
        np.testing.assert_array_equal(cloud.points, expected.points)
        np.testing.assert_array_equal(cloud.colors, expected.colors)
    if config is CONFIG:
        assert sum(added) < 2 * len(frames)

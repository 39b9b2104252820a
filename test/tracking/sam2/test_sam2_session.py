"""The engine behind the protocol: sessions, handles, the whole pipeline, the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sam2_scene import follow_forward, moving_disc
from scene_folder import write_scene_folder

from any3dis_ros.cli import main
from any3dis_ros.config import Config, MapConfig, TrackerConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.mapping import Scene, fuse
from any3dis_ros.tracking.base import PointPrompt, TrackRequest
from any3dis_ros.tracking.engines import make_tracker
from any3dis_ros.tracking.sam2.engine import Sam2Tracker

SMALL = Config(map=MapConfig(voxel_size_m=0.05))


@pytest.fixture(scope="module")
def frames():
    return moving_disc(4)


def prompt(u: float, v: float, frame: int = 0) -> PointPrompt:
    return PointPrompt.on(frame, np.array([[u, v]]))


def test_prompts_are_answered_in_their_order_whatever_their_frames_and_points(tracker, tolerance, frames):
    session = tracker.open(frames)
    prompts = [prompt(30, 40, 3), PointPrompt.on(0, np.array([[30, 40], [35, 45]])), prompt(90, 20, 1), prompt(30, 40)]
    together = session.prompt(prompts, 1)
    assert [answers[0].frame for answers in together] == [3, 0, 1, 0]
    for one, answers in zip(prompts, together, strict=True):
        alone = tracker.open(frames).prompt([one], 1)[0][0]
        assert alone.score == pytest.approx(answers[0].score, abs=1e-5)
        assert (alone.mask.logits - answers[0].mask.logits).abs().max() < tolerance
        assert 0 <= alone.score <= 1
    assert session.prompt([], 1) == []


def test_a_label_off_the_object_changes_the_mask(tracker, frames):
    session = tracker.open(frames)
    points = np.array([[30, 40], [80, 60]], np.float32)
    both, apart = session.prompt([PointPrompt(0, points, np.array(labels, np.int8)) for labels in ([1, 1], [1, 0])], 1)
    assert (both[0].mask.logits - apart[0].mask.logits).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (PointPrompt.on(4, np.array([[1, 1]])), "keyframe 4; expected at least one, and a keyframe of 4"),
        (PointPrompt.on(-1, np.array([[1, 1]])), "keyframe -1"),
        (PointPrompt.on(0, np.zeros((0, 2))), "0 points"),
    ],
)
def test_impossible_prompts_are_told(tracker, frames, odd, message):
    with pytest.raises(InputError, match=message):
        tracker.open(frames).prompt([odd], 1)


def test_unknown_and_dropped_objects_are_told(tracker, frames):
    session = tracker.open(frames)
    handle = session.prompt([prompt(30, 40)], 1)[0][0].object_id
    session.drop([handle, 999])
    for odd in (handle, 999):
        with pytest.raises(InputError, match=f"object {odd} is unknown"):
            list(session.track([TrackRequest(odd, [1])]))


def test_prompts_that_give_the_same_mask_share_an_object(tracker, frames):
    session = tracker.open(frames)
    first, again, elsewhere = (session.prompt([prompt(30, 40, t)], 1)[0][0] for t in (0, 0, 1))
    assert (again.object_id, again.score) == (first.object_id, first.score)
    assert elsewhere.object_id != first.object_id
    session.drop([first.object_id])
    assert session.prompt([prompt(30, 40)], 1)[0][0].object_id == first.object_id


def test_an_object_that_scores_too_little_is_not_shared(checkpoint, config, frames):
    session = Sam2Tracker(checkpoint, replace(config, min_score=1.0)).open(frames)
    first, again = (session.prompt([prompt(30, 40)], 1)[0][0] for _ in range(2))
    assert first.score == again.score < 1
    assert again.object_id != first.object_id


def test_no_frames_to_visit_is_an_empty_track(tracker, frames):
    session = tracker.open(frames)
    handle = session.prompt([prompt(30, 40)], 1)[0][0].object_id
    (track,) = session.track([TrackRequest(handle, [])])
    assert track.masks == {}
    assert session.statistics()["object_frames"] == 0


def test_more_requests_than_are_under_way_at_once_come_in_order(checkpoint, config, frames):
    session = Sam2Tracker(checkpoint, replace(config, batch_size=2)).open(frames)
    handles = [answers[0].object_id for answers in session.prompt([prompt(20 * i, 30) for i in range(6)], 1)]
    order = [*handles, *handles[::-1]]
    assert [t.object_id for t in session.track(TrackRequest(h, [1]) for h in order)] == order


def test_the_first_wave_is_yielded_before_the_next_is_asked_for(checkpoint, config, frames):
    session = Sam2Tracker(checkpoint, replace(config, batch_size=1)).open(frames)
    handle = session.prompt([prompt(30, 40)], 1)[0][0].object_id
    asked = []

    def requests():
        for i in range(6):
            asked.append(i)
            yield TrackRequest(handle, [1])

    next(session.track(requests()))
    assert asked == [0, 1]


@pytest.mark.parametrize("stage", ["prompting", "following"])
def test_a_long_call_can_be_cancelled(tracker, frames, stage):
    def stop(name: str, done: int, total: int, instances: int = 0) -> None:
        if name == stage:
            raise Cancelled(stage)

    def run() -> None:
        handle = session.prompt([prompt(30, 40)], 1)[0][0].object_id
        list(session.track([TrackRequest(handle, [1, 2, 3])]))

    session = tracker.open(frames, stop)
    with pytest.raises(Cancelled, match=stage):
        run()


def test_warming_up_leaves_no_trace(checkpoint, config, frames):
    tracker = Sam2Tracker(checkpoint, replace(config, batch_size=2))
    before = tracker.open(frames).prompt([prompt(30, 40)], 1)[0][0].mask.logits
    tracker.warm_up()
    after = tracker.open(frames).prompt([prompt(30, 40)], 1)[0][0].mask.logits
    assert (before - after).abs().max() < 1e-6


@pytest.mark.slow
def test_compiled_gives_the_same_masks(checkpoint, config, tracker, frames):
    compiled = Sam2Tracker(checkpoint, replace(config, compile=True, batch_size=4))
    points = [(20 + 30 * i, 40) for i in range(3)]
    masks = [follow_forward(engine.open(frames), points, 3) for engine in (tracker, compiled)]
    for a, b in zip(*masks, strict=True):
        assert (a - b).abs().max() < 1e-3


class Watched:
    """A tracker of few seeds whose sessions note which keyframes are asked for."""

    def __init__(self, tracker) -> None:
        self.name, self._tracker = tracker.name, tracker
        self.policy = replace(tracker.policy, seeds_per_round=6)
        self.used: set[int] = set()

    def open(self, frames, progress):
        session = self._tracker.open(frames, progress)
        prompt, track = session.prompt, session.track

        def watched_track(requests):
            requests = list(requests)
            self.used |= {t for request in requests for t in request.frames}
            return track(requests)

        def watched_prompt(prompts, count):
            self.used |= {p.frame for p in prompts}
            return prompt(prompts, count)

        session.prompt, session.track = watched_prompt, watched_track
        return session


def test_a_whole_run_encodes_each_keyframe_that_it_uses_once(tracker, two_boxes):
    scene = Scene(two_boxes[0], fuse(two_boxes[0], SMALL.map))
    watched = Watched(tracker)
    result = segment(scene, watched, SMALL)
    engine = result.statistics["engine_statistics"]
    assert len(watched.used) == 8
    assert engine["encoder_calls"] == len(watched.used)
    assert engine["object_frames"] > engine["batches"] > 0
    assert set(engine["seconds"]) == {"encoding", "prompting", "following"}
    assert result.statistics["tracks"] > 0


def test_the_command_line_runs_it(checkpoint, device, two_boxes, tmp_path, capsys):
    folder = write_scene_folder(tmp_path / "scene", two_boxes[0][:3])
    settings = {
        "map.voxel_size_m": 0.05,
        "tracker.sam2.seeds_per_round": 3,
        "iteration.max_rounds": 1,
        "tracker.checkpoint": checkpoint,
        "tracker.sam2.image_size": 256,
        "tracker.sam2.min_score": 0,
        "tracker.sam2.device": device,
    }
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    assert main(["segment", str(folder), "-o", str(tmp_path / "out"), *options]) == 0
    written = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert written["statistics"]["engine"] == "sam2"
    assert written["statistics"]["engine_statistics"]["encoder_calls"] == 3
    assert "by the sam2 engine" in capsys.readouterr().out


def test_the_configuration_chooses_it(checkpoint, config):
    tracker = make_tracker(
        TrackerConfig(checkpoint=str(checkpoint), sam2=replace(config, min_score=0.4, seeds_per_round=9, pivot_views=3))
    )
    assert (tracker.name, tracker.policy.min_score, tracker.policy.pivot_views) == ("sam2", 0.4, 3)
    assert tracker.policy.seeds_per_round == 9
    assert not tracker.policy.learnt_objectness

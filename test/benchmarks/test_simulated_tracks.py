from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from painted import make_scene

from any3dis_ros.errors import InputError
from any3dis_ros.tracking.base import PointPrompt, Track, TrackRequest
from benchmarks import simulated_tracks
from benchmarks.scenes import BenchmarkScene
from benchmarks.simulated_tracks import LEVELS, ErrorModel, SimulatedTracker

POINT = {2: (30.0, 40.0), 3: (60.0, 40.0), 4: (105.0, 20.0)}


def on(t: int, *instances: int) -> PointPrompt:
    return PointPrompt.on(t, np.array([POINT[i] for i in instances], np.float32))


def follow(
    scene: BenchmarkScene, level: str, instance: int, pivot: int, frames, corrections=None, replicate=0
) -> Track:
    session = SimulatedTracker(scene, level, replicate).open(scene.frames)
    ((obj,),) = session.prompt([on(pivot, instance)], 1)
    (track,) = session.track([TrackRequest(obj.object_id, frames, corrections or {})])
    return track


def same(a: Track, b: Track) -> bool:
    return (
        a.abstained == b.abstained
        and a.masks.keys() == b.masks.keys()
        and all(np.array_equal(m.packed().dense(), b.masks[t].packed().dense()) for t, m in a.masks.items())
    )


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch):
    """Install an error model with one kind of error as a level of its own."""

    def install(**errors: float) -> str:
        monkeypatch.setattr(simulated_tracks, "LEVELS", {**LEVELS, "one": ErrorModel(min_visible_px=1, **errors)})
        return "one"

    return install


def test_perfect_tracks_are_the_instance_images(blocks: BenchmarkScene) -> None:
    session = SimulatedTracker(blocks, "perfect").open(blocks.frames)
    prompted = session.prompt([on(5, 2), on(5, 3), on(5, 4)], 1)
    for i, (obj,) in zip((2, 3, 4), prompted, strict=True):
        assert np.array_equal(obj.mask.packed().dense(), blocks.instance_images["5"] == i)
        assert obj.score == pytest.approx(0.92)
        for frames in (range(6, 40), range(4, -1, -1)):
            (track,) = session.track([TrackRequest(obj.object_id, frames)])
            for t in frames:
                truth = blocks.instance_images[str(t)] == i
                assert (t in track.masks) == truth.any()
                if truth.any():
                    assert np.array_equal(track.masks[t].packed().dense(), truth)
            assert not track.abstained


def test_prompt_takes_the_object_under_most_points_and_nothing_on_the_background(blocks: BenchmarkScene) -> None:
    session = SimulatedTracker(blocks).open(blocks.frames)
    background = PointPrompt.on(0, np.array([[3.0, 3.0]], np.float32))
    majority, nothing, same_again = session.prompt([on(0, 3, 2, 3), background, on(0, 3)], 1)
    assert np.array_equal(majority[0].mask.packed().dense(), blocks.instance_images["0"] == 3)
    assert nothing == []
    assert same_again[0].object_id == majority[0].object_id


@pytest.mark.parametrize("level", ["mild", "harsh"])
def test_tracks_repeat_and_differ_by_replicate(blocks: BenchmarkScene, level: str) -> None:
    frames = range(6, 40)
    first = follow(blocks, level, 2, 5, frames)
    assert same(first, follow(blocks, level, 2, 5, frames))
    assert not same(first, follow(blocks, level, 2, 5, frames, replicate=1))


def test_only_requested_frames_are_run_and_the_others_keep_their_errors(blocks: BenchmarkScene, model) -> None:
    level = model(edge_px=2.0, miss=0.3, abstain=0.5, flicker=0.3)
    every, third = follow(blocks, level, 2, 5, range(6, 40)), follow(blocks, level, 2, 5, range(6, 40, 3))
    assert set(third.masks) | third.abstained <= set(range(6, 40, 3))
    for t in range(6, 40, 3):
        assert (t in every.masks) == (t in third.masks)
        if t in third.masks:
            assert np.array_equal(every.masks[t].packed().dense(), third.masks[t].packed().dense())


def test_missed_frames_come_at_their_rate_and_abstain_at_theirs(blocks: BenchmarkScene, model) -> None:
    level = model(miss=0.2, abstain=0.6)
    frames, tracks = range(1, 40), 60
    missed = abstained = 0
    for replicate in range(tracks):
        track = follow(blocks, level, 2, 0, frames, replicate=replicate)
        missed += len(frames) - len(track.masks)
        abstained += len(track.abstained)
        assert not track.abstained & track.masks.keys()
    n = tracks * len(frames)
    assert abs(missed / n - 0.2) < 4 * np.sqrt(0.2 * 0.8 / n)
    assert abs(abstained / missed - 0.6) < 4 * np.sqrt(0.6 * 0.4 / missed)


def test_drift_is_a_hazard_per_frame_and_stays(blocks: BenchmarkScene, model) -> None:
    level, hazard, frames, tracks = model(drift=0.02), 0.02, range(1, 40), 200
    drifted = 0
    for replicate in range(tracks):
        track = follow(blocks, level, 2, 0, frames, replicate=replicate)
        wrong = [
            not np.array_equal(track.masks[t].packed().dense(), blocks.instance_images[str(t)] == 2) for t in frames
        ]
        drifted += any(wrong)
    expected = 1 - (1 - hazard) ** len(frames)
    assert abs(drifted / tracks - expected) < 4 * np.sqrt(expected * (1 - expected) / tracks)


def test_parts_and_unions_come_at_their_rates(blocks: BenchmarkScene, model) -> None:
    level = model(part=0.3, union=0.2)
    truth = {i: blocks.instance_images["0"] == i for i in (1, 2, 3)}
    whole = part = union = 0
    tracks = 400
    for replicate in range(tracks):
        session = SimulatedTracker(blocks, level, replicate).open(blocks.frames)
        ((obj,),) = session.prompt([on(0, 2)], 1)
        mask = obj.mask.packed().dense()
        assert mask[40, 30]  # the prompted side is the one that is kept
        if np.array_equal(mask, truth[2]):
            whole += 1
        elif mask.sum() < truth[2].sum():
            part += 1
            assert obj.score == pytest.approx(0.85) or mask.sum() < 200
        else:
            union += 1
            assert obj.score == pytest.approx(0.80)
            assert any(np.array_equal(mask, truth[2] | truth[k]) for k in (1, 3))
    assert whole + part + union == tracks
    for count, rate in ((union, 0.2), (part, 0.8 * 0.3)):
        assert abs(count / tracks - rate) < 4 * np.sqrt(rate * (1 - rate) / tracks)


@pytest.mark.parametrize(("sensitivity", "pivot", "rate"), [(0, 1, 0.2), (2, 0, 0.2), (2, 1, 0.2 * (1 + 2 * 0.75))])
def test_errors_grow_with_what_the_pivot_view_misses_by_the_assumed_sensitivity(model, sensitivity, pivot, rate):
    whole = np.zeros((60, 90), np.int32)
    whole[10:50, 10:50] = 2
    quarter = np.zeros_like(whole)
    quarter[10:30, 10:30] = 2
    scene = make_scene([whole, quarter], things=[2])
    level, tracks, parts = model(part=0.2), 400, 0
    for replicate in range(tracks):
        session = SimulatedTracker(scene, level, replicate, sensitivity).open(scene.frames)
        ((obj,),) = session.prompt([PointPrompt.on(pivot, np.array([[15.0, 15.0]], np.float32))], 1)
        parts += obj.mask.packed().area < (scene.instance_images[str(pivot)] == 2).sum()
    assert abs(parts / tracks - rate) < 4 * np.sqrt(rate * (1 - rate) / tracks)


def test_drift_grows_with_what_the_pivot_view_misses(model) -> None:
    image = np.zeros((60, 90), np.int32)
    image[10:50, 10:45], image[10:50, 45:80] = 2, 3
    hidden = image.copy()
    hidden[30:50, 10:45] = 0  # the pivot view sees half of thing 2
    scene = make_scene([hidden, *[image] * 20], things=[2, 3])
    level = model(drift=0.02)
    drifted = []
    for sensitivity in (0.0, 100.0):
        session = SimulatedTracker(scene, level, 0, sensitivity).open(scene.frames)
        ((obj,),) = session.prompt([PointPrompt.on(0, np.float32([[20, 20]]))], 1)
        (track,) = session.track([TrackRequest(obj.object_id, range(1, 21))])
        drifted.append([t for t, m in track.masks.items() if (image[m.packed().dense()] == 3).any()])
    assert drifted[1] == list(range(1, 21, 2))  # 0.02 × (1 + 100 × 0.5) is above one: to and fro in every frame
    assert len(drifted[0]) < 3


def test_boundaries_are_off_by_the_documented_spread(blocks: BenchmarkScene, model) -> None:
    level, edge = model(edge_px=2.0), 2.0
    offsets = []
    for replicate in range(200):
        session = SimulatedTracker(blocks, level, replicate).open(blocks.frames)
        ((obj,),) = session.prompt([on(0, 4)], 1)
        columns = np.flatnonzero(obj.mask.packed().dense()[25])
        offsets.append(95 - columns[0])
    assert abs(np.mean(offsets)) < 4 * edge * np.sqrt(1.25 / 200)
    assert np.std(offsets) == pytest.approx(edge * np.sqrt(1.25), rel=0.25)
    assert np.abs(offsets).max() <= 3 * edge


def test_out_of_sight_is_an_abstention_only_for_a_tracker_that_abstains(blocks: BenchmarkScene, model) -> None:
    assert follow(blocks, model(abstain=0.5), 4, 5, range(6, 40)).abstained == frozenset(range(10, 26))
    assert follow(blocks, "perfect", 4, 5, range(6, 40)).abstained == frozenset()


def test_a_lost_track_abstains_until_a_correction_anchors_it_again(blocks: BenchmarkScene, model) -> None:
    level = model(lost=1.0)
    lost = follow(blocks, level, 4, 5, range(6, 40))
    assert set(lost.masks) == set(range(6, 10))
    assert lost.abstained == frozenset(range(26, 40))
    corrected = follow(blocks, level, 4, 5, range(6, 40), {30: on(30, 4)})
    assert set(corrected.masks) == {*range(6, 10), *range(30, 40)}
    for t in corrected.masks:
        assert np.array_equal(corrected.masks[t].packed().dense(), blocks.instance_images[str(t)] == 4)


def test_frames_left_out_do_not_count_as_absence(blocks: BenchmarkScene, model) -> None:
    track = follow(blocks, model(lost=1.0), 4, 5, [*range(6, 10), *range(26, 40)])
    assert set(track.masks) == {*range(6, 10), *range(26, 40)}


def test_a_wrong_return_lands_on_a_neighbour_and_a_correction_brings_it_back(model) -> None:
    image = np.zeros((60, 90), np.int32)
    image[10:50, 10:45] = 2
    away = image.copy()
    away[away == 2] = 0
    image[10:50, 45:80] = 3
    away[10:50, 45:80] = 3
    scene = make_scene([away if 10 <= t <= 20 else image for t in range(30)], things=[2, 3])
    level = model(wrong_return=1.0)
    track = follow(scene, level, 2, 5, range(6, 30), {25: on(25, 2)})
    shown = {t: set(np.unique(scene.instance_images[str(t)][m.packed().dense()])) for t, m in track.masks.items()}
    assert all(shown[t] == {2} for t in (*range(6, 10), *range(25, 30)))
    assert all(shown[t] == {3} for t in range(21, 25))


def test_both_sides_of_a_part_are_two_objects(blocks: BenchmarkScene, model) -> None:
    level = model(part=1.0)
    session = SimulatedTracker(blocks, level).open(blocks.frames)
    corners = [(21, 21), (48, 21), (21, 58), (48, 58)]
    prompts = [PointPrompt.on(0, np.array([c], np.float32)) for c in corners]
    masks = {o.object_id: o.mask.packed().dense() for (o,) in session.prompt(prompts, 1)}
    assert len(masks) == 2
    a, b = masks.values()
    assert not (a & b).sum() > 60  # one row or column of pixels lies on the plane itself at most
    assert np.array_equal(a | b, blocks.instance_images["0"] == 2)


def test_dropped_objects_are_forgotten(blocks: BenchmarkScene) -> None:
    session = SimulatedTracker(blocks).open(blocks.frames)
    ((obj,),) = session.prompt([on(0, 2)], 1)
    session.drop([obj.object_id, 999])
    with pytest.raises(KeyError):
        next(session.track([TrackRequest(obj.object_id, [1])]))
    session.close()


def test_an_unknown_level_names_the_known_ones(blocks: BenchmarkScene) -> None:
    with pytest.raises(InputError, match="perfect, mild, harsh"):
        SimulatedTracker(blocks, "gentle")


def test_levels_grow_harsher() -> None:
    for f in dataclasses.fields(ErrorModel):
        if f.name not in ("abstain", "min_visible_px"):
            perfect, mild, harsh = (getattr(LEVELS[k], f.name) for k in ("perfect", "mild", "harsh"))
            assert perfect < mild < harsh

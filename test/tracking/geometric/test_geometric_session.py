from __future__ import annotations

import inspect
from itertools import pairwise

import numpy as np
import pytest
from boxes import looking_at
from geometric_scenes import BLUE, RED, TABLE, Solid, iou, middle, render

from any3dis_ros.config import GeometricConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.base import MaskTracker, PointPrompt, TrackingSession, TrackRequest
from any3dis_ros.tracking.geometric import GeometricSession, GeometricTracker
from any3dis_ros.tracking.geometric.session import IN_FLIGHT
from any3dis_ros.tracking.masks import PackedMask

CONFIG = GeometricConfig()
BOX_IDS = {"red": 2, "blue": 3}


def opened(frames, config: GeometricConfig = CONFIG) -> GeometricSession:
    return GeometricTracker(config).open(frames)


def best_object(session, ids, frame: int, which: int):
    truth = ids[frame] == which
    found = session.prompt([PointPrompt.on(frame, middle(truth))], 3)[0]
    return max(found, key=lambda o: iou(o.mask.dense(), truth))


@pytest.mark.parametrize("which", BOX_IDS.values(), ids=BOX_IDS)
def test_a_click_on_a_box_gives_the_box(table_scene, table_session, which):
    ids = table_scene[1]
    for t in range(len(ids)):
        found = best_object(table_session, ids, t, which)
        assert iou(found.mask.dense(), ids[t] == which) > 0.85
        assert found.frame == t
        assert found.mask.frame_shape == ids[t].shape


def test_candidates_are_nested_distinct_and_ranked(table_scene, table_session):
    ids = table_scene[1]
    found = table_session.prompt([PointPrompt.on(2, middle(ids[2] == 2))], 3)[0]
    assert 2 <= len(found) <= 3
    scores = [o.score for o in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= s <= 1 for s in scores)
    masks = sorted((o.mask.dense() for o in found), key=np.sum)
    for small, large in pairwise(masks):
        assert not (small & ~large).any()
        assert small.sum() < CONFIG.distinct_iou * large.sum()
    assert len(table_session.prompt([PointPrompt.on(2, middle(ids[2] == 2))], 1)[0]) == 1


def test_a_negative_point_keeps_its_place_out(table_scene, table_session):
    on = middle(table_scene[1][2] == 2)
    alone = sorted(table_session.prompt([PointPrompt.on(2, on)], 3)[0], key=lambda o: o.mask.area)
    assert len(alone) > 1
    off = middle(alone[-1].mask.dense() & ~alone[0].mask.dense())
    u, v = off[0].astype(int)
    assert alone[-1].mask.full()[v, u]
    found = table_session.prompt([PointPrompt(2, np.concatenate([on, off]), np.array([1, 0], np.int8))], 3)[0]
    assert alone[0].object_id in {o.object_id for o in found}
    assert not any(o.mask.full()[v, u] for o in found)


def test_several_points_are_all_inside(table_scene, table_session):
    ids = table_scene[1]
    points = np.concatenate([middle(ids[2] == 2), middle(ids[2] == 3)])
    u, v = points.astype(int).T
    for o in table_session.prompt([PointPrompt.on(2, points)], 3)[0]:
        assert o.mask.full()[v, u].all()


def test_contradicting_points_and_points_outside_are_borne(table_session):
    same = np.array([[160, 120], [160, 120]], np.float32)
    assert table_session.prompt([PointPrompt(2, same, np.array([1, 0], np.int8))], 3)[0]
    assert table_session.prompt([PointPrompt.on(2, np.array([[-50, 999]], np.float32))], 3)[0]
    assert table_session.prompt([PointPrompt(2, same, np.zeros(2, np.int8))], 3) == [[]]
    assert table_session.prompt([], 3) == []


def test_the_same_mask_has_the_same_handle(table_scene, table_session):
    ids = table_scene[1]
    near = middle(ids[2] == 2)
    a, b = table_session.prompt([PointPrompt.on(2, near), PointPrompt.on(2, near + 1)], 3)
    handles = {o.object_id: o.mask.area for o in a}
    assert [o for o in b if o.object_id in handles]
    assert all(handles[o.object_id] == o.mask.area for o in b if o.object_id in handles)
    table_session.drop([a[0].object_id, -4])
    assert table_session.prompt([PointPrompt.on(2, near)], 3)[0][0].object_id == a[0].object_id


@pytest.mark.parametrize("which", BOX_IDS.values(), ids=BOX_IDS)
def test_a_box_is_followed_both_ways(table_scene, table_session, which):
    ids = table_scene[1]
    found = best_object(table_session, ids, 2, which)
    back, forth = table_session.track([TrackRequest(found.object_id, [1, 0]), TrackRequest(found.object_id, [3, 4])])
    assert set(back.masks) == {0, 1}
    assert set(forth.masks) == {3, 4}
    for t, mask in {**back.masks, **forth.masks}.items():
        assert iou(mask.dense(), ids[t] == which) > 0.8


def test_masks_are_on_the_reduced_grid_of_the_full_keyframe(table_scene):
    big = Camera(640, 480, np.array([[580.0, 0, 319.5], [0, 580.0, 239.5], [0, 0, 1]]))
    views = [render([TABLE, RED], looking_at((x, -1.5, 1.3), (0, 0, 0.5)), big) for x in (-0.2, 0.2)]
    session = opened([f for f, _ in views])
    truth = [i == 2 for _, i in views]
    found = best_of(session.prompt([PointPrompt.on(0, middle(truth[0]))], 3)[0], truth[0])
    (track,) = session.track([TrackRequest(found.object_id, [1])])
    mask = track.masks[1].packed()
    assert (mask.frame_shape, mask.shape) == ((480, 640), (360, 480))
    assert iou(mask.full(), truth[1]) > 0.8
    session.close()


def best_of(found, truth):
    return max(found, key=lambda o: iou(o.mask.full(), truth))


def test_a_hidden_box_is_absent_and_found_again():
    """A wall moves in front of the red box and away: the box is in the image but hidden, which is no abstention."""
    wall = Solid((-0.9, -0.75, 0.0), (0.9, -0.7, 1.1), (90, 160, 90))
    eye = looking_at((0.0, -1.5, 1.0), (0.0, 0.0, 0.55))
    views = [render(s, eye) for s in ([TABLE, RED, BLUE], [TABLE, RED, BLUE, wall], [TABLE, RED, BLUE])]
    session = opened([f for f, _ in views])
    ids = [i for _, i in views]
    assert not (ids[1] == 2).any()
    found = best_object(session, ids, 0, 2)
    (track,) = session.track([TrackRequest(found.object_id, [1, 2])])
    assert set(track.masks) == {2}
    assert not track.abstained
    assert iou(track.masks[2].dense(), ids[2] == 2) > 0.8
    session.close()


def test_a_half_hidden_table_keeps_what_is_seen():
    wall = Solid((0.05, -0.75, 0.0), (0.9, -0.7, 1.1), (90, 160, 90))
    eye = looking_at((0.0, -1.7, 1.3), (0.0, 0.0, 0.4))
    views = [render(s, eye) for s in ([TABLE], [TABLE, wall])]
    session = opened([f for f, _ in views])
    ids = [i for _, i in views]
    found = best_object(session, ids, 0, 1)
    (track,) = session.track([TrackRequest(found.object_id, [1])])
    assert (ids[1] == 1).sum() < 0.7 * (ids[0] == 1).sum()
    assert iou(track.masks[1].dense(), ids[1] == 1) > 0.85
    session.close()


def test_out_of_the_image_is_neither_mask_nor_abstention(table_scene):
    frames, ids = table_scene
    away, _ = render([TABLE, RED, BLUE], looking_at((0.0, -1.5, 1.3), (0.0, -3.0, 0.0)))
    session = opened([frames[2], away])
    found = best_object(session, [ids[2]], 0, 2)
    (track,) = session.track([TrackRequest(found.object_id, [1])])
    assert track.masks == {}
    assert not track.abstained
    session.close()


def test_a_correction_finds_the_box_where_the_map_is_wrong(table_scene):
    """The pose of one view is off by half a metre: nothing warps right, but a click brings the box back."""
    frames, ids = table_scene
    wrong = frames[3].T_map_camera.copy()
    wrong[:3, 3] += (0.0, 0.0, 0.5)
    moved = Frame(3, frames[3].color, frames[3].depth, frames[3].camera, wrong)
    session = opened([frames[2], moved])
    found = best_object(session, [ids[2]], 0, 2)
    (lost,) = session.track([TrackRequest(found.object_id, [1])])
    assert 1 not in lost.masks
    click = PointPrompt.on(1, middle(ids[3] == 2))
    (again,) = session.track([TrackRequest(found.object_id, [1], {1: click})])
    assert iou(again.masks[1].dense(), ids[3] == 2) > 0.75
    session.close()


def test_runs_repeat_to_the_bit(table_scene):
    frames, ids = table_scene
    runs = []
    for _ in range(2):
        session = opened(frames)
        prompts = [PointPrompt.on(t, middle(ids[t] == k)) for t in range(5) for k in (1, 2, 3)]
        found = [o for answer in session.prompt(prompts, 3) for o in answer]
        tracks = session.track([TrackRequest(o.object_id, [t for t in range(5) if t != o.frame]) for o in found])
        runs.append(
            [(o.object_id, o.score, o.mask.bits.tobytes()) for o in found]
            + [(x.object_id, sorted(x.abstained), [(t, m.bits.tobytes()) for t, m in x.masks.items()]) for x in tracks]
        )
        session.close()
    assert runs[0] == runs[1]


def test_tracks_come_in_order_and_requests_are_read_as_needed(table_scene, table_session):
    handles = [best_object(table_session, table_scene[1], t, 2).object_id for t in range(5)]
    read = 0

    def requests():
        nonlocal read
        for i in range(300):
            read += 1
            yield TrackRequest(handles[i % 5], [(i // 5) % 5])

    tracks = table_session.track(requests())
    assert next(tracks).object_id == handles[0]
    assert read <= IN_FLIGHT * table_session._workers
    assert [t.object_id for t in tracks] == [handles[i % 5] for i in range(1, 300)]


def test_masks_hold_only_what_was_asked(table_scene, table_session):
    found = best_object(table_session, table_scene[1], 2, 2)
    (track,) = table_session.track([TrackRequest(found.object_id, [4])])
    assert set(track.masks) <= {4}
    (nothing,) = table_session.track([TrackRequest(found.object_id, [])])
    assert nothing.masks == {}
    assert all(isinstance(m, PackedMask) and not m.empty for m in track.masks.values())


@pytest.mark.parametrize("handle", [-1, 10**9])
def test_an_unknown_handle_is_named(table_session, handle):
    with pytest.raises(InputError, match=str(handle)):
        list(table_session.track([TrackRequest(handle, [0])]))


def test_progress_counts_frames_and_can_cancel(table_scene):
    calls = []
    GeometricTracker(CONFIG).open(table_scene[0], lambda *a: calls.append(a)).close()
    assert [c[:3] for c in calls] == [("features", i + 1, 5) for i in range(5)]

    def stop(stage, done, total, instances=0):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        GeometricTracker(CONFIG).open(table_scene[0], stop)


def test_frames_of_two_sizes_share_a_session(table_scene):
    frames, ids = table_scene
    small = Camera(160, 120, CAMERA_HALF)
    other, other_ids = render([TABLE, RED, BLUE], frames[3].T_map_camera, small)
    session = opened([frames[2], other])
    found = best_object(session, ids[2:3], 0, 2)
    (track,) = session.track([TrackRequest(found.object_id, [1])])
    assert track.masks[1].frame_shape == (120, 160)
    assert iou(track.masks[1].dense(), other_ids == 2) > 0.7
    session.close()


def test_a_prompted_mask_shows_its_node(table_scene):
    """Against the labels of the whole image, in keyframes of two sizes."""
    frames, ids = table_scene
    other, other_ids = render([TABLE, RED, BLUE], frames[3].T_map_camera, Camera(160, 120, CAMERA_HALF))
    session = opened([frames[2], other])
    views = session._views
    for frame, truth in enumerate((ids[2], other_ids)):
        h, w = truth.shape
        labels = views.labels[frame].reshape(views.surface.shape[1:])[:h, :w]
        for found in session.prompt([PointPrompt.on(frame, middle(truth == 3))], 3)[0]:
            node = found.object_id - frame * views.parent.shape[1]
            inside = (labels >= views.first[frame, node]) & (labels < views.end[frame, node])
            mask, packed = found.mask.packed(), PackedMask.pack(inside)
            assert (mask.corner, mask.box_shape, mask.shape) == (packed.corner, packed.box_shape, (h, w))
            np.testing.assert_array_equal(mask.bits, packed.bits)
    session.close()


CAMERA_HALF = np.array([[145.0, 0, 79.5], [0, 145.0, 59.5], [0, 0, 1]])


def test_frames_without_depth_or_without_anything_are_borne():
    blank = Frame(
        0, np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint16), Camera(80, 60, np.eye(3) * 80), np.eye(4)
    )
    session = opened([blank, blank])
    found = session.prompt([PointPrompt.on(0, np.array([[40, 30]], np.float32))], 3)[0]
    tracks = list(session.track([TrackRequest(o.object_id, [1]) for o in found]))
    assert all(t.masks == {} for t in tracks)
    session.close()
    opened([]).close()


@pytest.mark.parametrize(
    ("protocol", "product"), [(TrackingSession, GeometricSession), (MaskTracker, GeometricTracker)]
)
def test_methods_are_those_of_the_protocol(protocol, product):
    for name, method in inspect.getmembers(protocol, inspect.isfunction):
        if not name.startswith("_"):
            expected = list(inspect.signature(method).parameters)
            assert list(inspect.signature(getattr(product, name)).parameters) == expected
    tracker: MaskTracker = GeometricTracker(CONFIG)
    assert tracker.name == "geometric"
    assert tracker.policy.masks_per_prompt == CONFIG.masks_per_prompt

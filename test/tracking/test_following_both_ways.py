from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from any3dis_ros.config import SeedingConfig
from any3dis_ros.scene.visible_points import Visibility, VisiblePoints
from any3dis_ros.tracking.base import PromptedObject, Track, TrackRequest
from any3dis_ros.tracking.following import Candidate, follow
from any3dis_ros.tracking.masks import PackedMask

FULL = PackedMask.pack(np.ones((2, 2), bool))


class Recorder:
    """A session that finds the object in the given frames, and notes what it was asked."""

    def __init__(self, found: Iterable[int], found_when_corrected: Iterable[int] = (), abstained: Iterable[int] = ()):
        self.found, self.corrected, self.silent = set(found), set(found_when_corrected), set(abstained)
        self.requests: list[TrackRequest] = []

    def track(self, requests: Iterable[TrackRequest]) -> Iterator[Track]:
        for request in requests:
            self.requests.append(request)
            found = self.found | (self.corrected if request.corrections else set())
            masks = {t: FULL for t in request.frames if t in found and t not in self.silent}
            yield Track(request.object_id, masks, frozenset(set(request.frames) & self.silent))


def setting(sight: list[int]) -> tuple[Visibility, np.ndarray]:
    """One superpoint of four points, of which keyframe t sees `sight[t]`."""
    visible = Visibility(tuple(keyframe([0] * n) for n in sight), np.array([4]))
    return visible, np.array(sight, np.int32)[:, None]


def keyframe(superpoint: list[int]) -> VisiblePoints:
    """A keyframe that shows points of these superpoints, one a pixel."""
    at = np.arange(len(superpoint), dtype=np.int32)
    return VisiblePoints.of(at, at, np.int32(superpoint), 2)


def run(session: Recorder, sight: list[int], pivot: int):
    visible, seen = setting(sight)
    candidate = Candidate(0, PromptedObject(7, pivot, 0.9, FULL))
    (track,) = follow(session, [candidate], visible, seen, SeedingConfig())
    return track


def test_both_directions_start_at_the_pivot_and_skip_frames_out_of_sight():
    session = Recorder(found=range(9))
    track = run(session, [4, 4, 0, 4, 4, 4, 0, 0, 4], pivot=4)
    assert [list(r.frames) for r in session.requests] == [[3, 1, 0], [5, 8]]
    assert sorted(track.masks) == [0, 1, 3, 4, 5, 8]
    assert track.run.tolist() == [True, True, False, True, True, True, False, False, True]
    assert (track.seed, track.pivot, track.score) == (0, 4, 0.9)


def test_a_lost_object_is_prompted_where_its_seed_reappears():
    """The seed leaves for keyframe 2, where other superpoints keep the view in sight, and comes back at 3."""
    shown = [[0, 0, 1, 1], [0] * 4, [1] * 4, [0] * 4, [0] * 4]  # the pivot mask covers both superpoints
    visible = Visibility(tuple(keyframe(s) for s in shown), np.array([4, 4]))
    seen = visible.seen()
    session = Recorder(found=[0, 1], found_when_corrected=[3, 4])
    candidate = Candidate(0, PromptedObject(7, 0, 0.9, FULL))
    (track,) = follow(session, [candidate], visible, seen, SeedingConfig())
    first, _backward_or_again, again = session.requests[1], session.requests[0], session.requests[2]
    assert first.corrections == {}
    assert list(again.frames) == list(first.frames) == [1, 2, 3, 4]
    assert list(again.corrections) == [3]
    prompt = again.corrections[3]
    assert (prompt.frame, len(prompt.points), prompt.labels.tolist()) == (3, 1, [1])
    assert sorted(track.masks) == [0, 1, 3, 4]


def test_an_object_that_is_never_lost_is_not_prompted_again():
    session = Recorder(found=range(5))
    run(session, [4, 4, 4, 4, 4], pivot=2)
    assert len(session.requests) == 2


def test_abstaining_frames_do_not_count_as_run():
    track = run(Recorder(found=range(5), abstained=[3]), [4, 4, 4, 4, 4], pivot=2)
    assert track.run.tolist() == [True, True, True, False, True]
    assert 3 not in track.masks


def test_many_objects_come_back_in_order():
    visible, seen = setting([4, 4, 4])
    candidates = [Candidate(0, PromptedObject(i, i % 3, 0.5, FULL)) for i in range(150)]
    tracks = list(follow(Recorder(found=range(3)), candidates, visible, seen, SeedingConfig()))
    assert [t.pivot for t in tracks] == [i % 3 for i in range(150)]

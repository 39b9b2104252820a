from __future__ import annotations

import pytest

from any3dis_ros.ros import feedback as module
from any3dis_ros.ros.feedback import Feedback

STAGES = ["keyframes", "engine", "map", "superpoints", "visibility", "features"]
ROUNDS = [f"tracking, round {r}" for r in range(1, 12)]


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_the_share_rises_to_one_and_never_falls(clock):
    told = []
    feedback = Feedback(lambda *said: told.append(said))
    for stage in [*STAGES, *ROUNDS, "merging"]:
        for done in range(5):
            clock[0] += 1
            feedback(stage, done, 4, done)
        feedback("map", 0, 4)  # an engine that reports a stage of its own
        feedback("downloading", 1, 2)
    shares = [share for _, share, _ in told]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert len({share for stage, share, _ in told if stage in ROUNDS}) > 40


def test_beginnings_and_ends_are_told_and_what_is_between_ten_times_a_second(clock):
    told = []
    feedback = Feedback(lambda *said: told.append(said))
    for done in range(1001):
        clock[0] += 0.001
        feedback("features", done, 1000, done)
    assert 10 <= len(told) <= 13
    assert told[0] == ("features", 0.2, 0)
    assert told[-1] == ("features", pytest.approx(0.3), 1000)


def test_a_stage_of_nothing_is_no_division():
    told = []
    Feedback(lambda *said: told.append(said))("tracking, round 1", 0, 0)
    assert told == [("tracking, round 1", pytest.approx(0.3), 0)]

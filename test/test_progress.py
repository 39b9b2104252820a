"""The clock adds up what each stage took, and nothing else; nested progress keeps to the outer stage."""

from __future__ import annotations

import pytest

from any3dis_ros import progress
from any3dis_ros.progress import Clock, Nested


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """A clock on a time that only `tick` moves on."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    out = Clock()
    out.tick = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return out


def test_blocks_of_one_stage_add_up(clock):
    for _ in range(2):
        with clock("map"):
            clock.tick(1.5)
        clock.tick(10)
    with clock("tracking"):
        clock.tick(0.25)
    assert clock.seconds == {"map": 3.0, "tracking": 0.25}


def test_a_block_that_fails_counts_too(clock):
    def block() -> None:
        with clock("map"):
            clock.tick(2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        block()
    assert clock.seconds == {"map": 2.0}


def test_a_stream_is_charged_for_making_its_items_and_not_for_their_use(clock):
    def items():
        for n in range(3):
            clock.tick(1)
            yield n
        clock.tick(0.5)

    got = []
    for item in clock.timed("tracking", items()):
        clock.tick(100)
        got.append(item)
    assert got == [0, 1, 2]
    assert clock.seconds == {"tracking": 3.5}


def test_none_is_an_item_like_any_other(clock):
    assert list(clock.timed("x", iter([None, 1, None]))) == [None, 1, None]


def test_inside_a_step_the_last_report_is_repeated_and_between_stages_the_inner_one_is_passed_on():
    told = []
    outer = Nested(lambda *report: told.append(report))
    outer.inner("features", 0, 2)
    outer("tracking", 3, 8, 5)
    outer.inner("following", 1, 4)
    outer("tracking", 8, 8, 9)
    outer.inner("prompting", 2, 4)
    assert told == [
        ("features", 0, 2, 0),
        ("tracking", 3, 8, 5),
        ("tracking", 3, 8, 5),
        ("tracking", 8, 8, 9),
        ("prompting", 2, 4, 0),
    ]

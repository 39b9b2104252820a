from __future__ import annotations

import dataclasses
import logging

import pytest

from any3dis_ros.config import Config
from any3dis_ros.errors import Cancelled
from any3dis_ros.rehearsal import rehearse
from any3dis_ros.tracking.engines import make_tracker
from any3dis_ros.tracking.geometric.session import GeometricSession


def test_every_stage_is_rehearsed():
    stages = []
    config = Config()
    rehearse(make_tracker(config.tracker), config, lambda stage, *_: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["superpoints", "visibility", "features", "tracking, round 1", "merging"]


def test_few_seeds_are_prompted_however_many_the_engine_takes_a_round(monkeypatch):
    config = Config()
    tracker = make_tracker(config.tracker)
    seeds = []
    prompt = GeometricSession.prompt

    def watched(session, prompts, masks_per_prompt):
        seeds.append(len(prompts) / tracker.policy.pivot_views)
        return prompt(session, prompts, masks_per_prompt)

    monkeypatch.setattr(GeometricSession, "prompt", watched)
    rehearse(tracker, config)
    assert len(seeds) == 1
    assert 0 < seeds[0] <= 4


def test_settings_that_leave_it_nothing_to_see_end_it_early(caplog):
    config = dataclasses.replace(Config(), map=dataclasses.replace(Config().map, max_points=1000))
    with caplog.at_level(logging.DEBUG, "any3dis_ros"):
        rehearse(make_tracker(config.tracker), config)
    assert "the rehearsal ended early: the map has" in caplog.text


def test_it_can_be_cancelled():
    def stop(stage, done, total, instances=0):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        rehearse(make_tracker(Config().tracker), Config(), stop)


def test_the_engine_is_warmed_up():
    class Engine:
        name = "none"
        warmed = 0

        def warm_up(self):
            self.warmed += 1
            raise Cancelled("that is all")

    engine = Engine()
    with pytest.raises(Cancelled):
        rehearse(engine, Config())
    assert engine.warmed == 1

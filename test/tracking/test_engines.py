from __future__ import annotations

import pytest

from any3dis_ros.config import GeometricConfig, TrackerConfig
from any3dis_ros.errors import InputError
from any3dis_ros.tracking.engines import make_tracker


@pytest.mark.parametrize("engine", ["auto", "geometric"])
def test_without_a_checkpoint_the_geometric_engine_serves(engine):
    settings = GeometricConfig(pivot_views=2, masks_per_prompt=4, min_score=0.25)
    tracker = make_tracker(TrackerConfig(engine=engine, geometric=settings))
    assert tracker.name == "geometric"
    assert (tracker.policy.pivot_views, tracker.policy.masks_per_prompt, tracker.policy.min_score) == (2, 4, 0.25)
    assert tracker.policy.learnt_objectness


def test_the_geometric_engine_may_be_asked_for_beside_a_checkpoint():
    assert make_tracker(TrackerConfig(engine="geometric", checkpoint="sam2.pt")).name == "geometric"


@pytest.mark.parametrize("config", [TrackerConfig(engine="sam2"), TrackerConfig(checkpoint="sam2.pt")])
def test_an_engine_that_is_not_there_is_told_with_what_to_do(config):
    with pytest.raises(InputError, match=r"leave tracker\.checkpoint empty"):
        make_tracker(config)

from __future__ import annotations

import pytest

from any3dis_ros.config import GeometricConfig, TrackerConfig
from any3dis_ros.errors import InputError
from any3dis_ros.tracking.base import PromptPolicy
from any3dis_ros.tracking.engines import make_tracker


@pytest.mark.parametrize("engine", ["auto", "geometric"])
def test_without_a_checkpoint_the_geometric_engine_serves(engine):
    settings = GeometricConfig(seeds_per_round=70, pivot_views=2, masks_per_prompt=4, min_score=0.25)
    tracker = make_tracker(TrackerConfig(engine=engine, geometric=settings))
    assert tracker.name == "geometric"
    assert tracker.policy == PromptPolicy(2, 4, 0.25, seeds_per_round=70, learnt_objectness=True)


def test_the_geometric_engine_may_be_asked_for_beside_a_checkpoint():
    assert make_tracker(TrackerConfig(engine="geometric", checkpoint="sam2.pt")).name == "geometric"


def test_sam2_without_a_checkpoint_is_told_how_to_get_one():
    with pytest.raises(InputError, match=r"tracker\.checkpoint is empty; run `any3dis download-checkpoint large`"):
        make_tracker(TrackerConfig(engine="sam2"))


@pytest.mark.parametrize("engine", ["auto", "sam2"])
def test_a_checkpoint_that_is_not_there_is_told(engine):
    with pytest.raises(InputError, match=r"nowhere\.pt"):
        make_tracker(TrackerConfig(engine=engine, checkpoint="nowhere.pt"))


def test_packages_that_are_missing_are_told_with_what_installs_them(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs torch and sam2: pip install torch torchvision sam2"):
        make_tracker(TrackerConfig(checkpoint="large"))

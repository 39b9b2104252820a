"""Seeded random weights of the tiny model."""

from __future__ import annotations

import pytest
from sam2_scene import CONFIG

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch

from any3dis_ros.tracking.sam2.engine import Sam2Tracker
from benchmarks.official_sam2 import official_predictor, random_checkpoint

torch.set_num_threads(1)  # threads that wait for one another stall where other processes want the cores


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Random weights with which objects are always there."""
    return random_checkpoint(tmp_path_factory.mktemp("sam2") / "random_tiny.pt")


@pytest.fixture(scope="session")
def absent_checkpoint(tmp_path_factory):
    """Random weights with which objects come and go."""
    return random_checkpoint(tmp_path_factory.mktemp("sam2") / "absent_tiny.pt", occlusion=3.3)


@pytest.fixture(scope="session")
def tracker(checkpoint):
    return Sam2Tracker(checkpoint, CONFIG)


@pytest.fixture(scope="session")
def predictor(checkpoint):
    return official_predictor(checkpoint, "tiny", 256, "cpu")

"""Seeded random weights of the tiny model, on every device that there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sam2_scene import CONFIG

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch

from any3dis_ros.tracking.sam2.engine import Sam2Tracker
from benchmarks.official_sam2 import official_predictor, random_checkpoint

torch.set_num_threads(1)  # threads that wait for one another stall where other processes want the cores
torch.backends.cudnn.allow_tf32 = False  # or fp32 means less on a GPU

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(scope="session", params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="session")
def config(device):
    return replace(CONFIG, device=device, precision="fp32")


@pytest.fixture(scope="session")
def tolerance(device):
    """Of logits, 1 at most; a GPU's are kept in half precision."""
    return 1e-4 if device == "cpu" else 1.5e-3


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Random weights with which objects are always there."""
    return random_checkpoint(tmp_path_factory.mktemp("sam2") / "random_tiny.pt")


@pytest.fixture(scope="session")
def absent_checkpoint(tmp_path_factory):
    """Random weights with which objects come and go."""
    return random_checkpoint(tmp_path_factory.mktemp("sam2") / "absent_tiny.pt", presence=2.34)


@pytest.fixture(scope="session")
def tracker(checkpoint, config):
    return Sam2Tracker(checkpoint, config)


@pytest.fixture(scope="session")
def predictor(checkpoint, device):
    return official_predictor(checkpoint, "tiny", 256, device)

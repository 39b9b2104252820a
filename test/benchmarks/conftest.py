from __future__ import annotations

import pytest
from painted import blocks_scene

from benchmarks.scenes import BenchmarkScene


@pytest.fixture
def blocks() -> BenchmarkScene:
    return blocks_scene()

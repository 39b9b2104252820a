from __future__ import annotations

import pytest
from geometric_scenes import BLUE, RED, TABLE, orbit

from any3dis_ros.config import GeometricConfig
from any3dis_ros.tracking.geometric import GeometricTracker


@pytest.fixture(scope="session")
def table_scene():
    """Five views, 20 degrees apart, of a table with a red and a blue box; ids 1, 2, 3."""
    return orbit([TABLE, RED, BLUE], [-40, -20, 0, 20, 40])


@pytest.fixture(scope="session")
def table_session(table_scene):
    session = GeometricTracker(GeometricConfig()).open(table_scene[0])
    yield session
    session.close()

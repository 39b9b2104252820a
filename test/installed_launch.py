"""ROS's launch, where it is installed; beside it, the folder `launch` of a checkout is an empty package to Python."""

from __future__ import annotations

import pytest


def launch_or_skip() -> None:
    try:
        from launch import LaunchDescription  # noqa: F401
        from launch_ros.actions import Node  # noqa: F401
    except ImportError as error:
        pytest.skip(f"ROS's launch and launch_ros are not installed ({error})")

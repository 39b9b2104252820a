"""Every way in which a package of ROS may be there: the real one, our stand-in, and what of it needs no ROS."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest


def rclpy_or_skip():
    return pytest.importorskip("rclpy", reason="rclpy is not installed", exc_type=ImportError)


def package(origin: str, name: str):
    """Return a package's stand-in, or the real one; skip where that is not installed."""
    if origin == "stand-in":
        return importlib.import_module(f"any3dis_ros.ros.standins.{name}")
    return pytest.importorskip(name, reason=f"the real {name} is not installed", exc_type=ImportError)


def stamped(stamp_ns: int, **fields):
    """Return something with a header, as message filters see messages."""
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id=""), stamp_ns=stamp_ns, **fields)

"""Where message_filters, tf2_ros and cv_bridge come from: the real packages, or what stands in for them.

The one door: no other module imports any of the three.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

_STANDINS = "any3dis_ros.ros.standins"
_PARTS = {
    "message_filters": ("message_filters",),
    "tf2_ros": ("tf2_ros",),
    "cv_bridge": ("cv_bridge", "cv_bridge.boost.cv_bridge_boost"),  # built for another numpy, it fails only when used
}
_origin: dict[str, str] = {}


def _load(name: str) -> ModuleType:
    """Import a package with all that it needs at run time, or its stand-in where any of that fails."""
    try:
        for part in _PARTS[name]:
            importlib.import_module(part)
        module = importlib.import_module(name)
    except Exception as error:  # a broken installation fails in any way, and is no reason not to start
        _origin[name] = f"stand-in ({error})"
        return importlib.import_module(f"{_STANDINS}.{name}")
    _origin[name] = str(module.__file__)
    return module


message_filters: Any = _load("message_filters")
tf2_ros: Any = _load("tf2_ros")
cv_bridge: Any = _load("cv_bridge")

Subscriber: Any = message_filters.Subscriber
ApproximateTimeSynchronizer: Any = message_filters.ApproximateTimeSynchronizer
Buffer: Any = tf2_ros.Buffer
TransformListener: Any = tf2_ros.TransformListener
TransformException: Any = tf2_ros.TransformException
LookupException: Any = tf2_ros.LookupException
ConnectivityException: Any = tf2_ros.ConnectivityException
ExtrapolationException: Any = tf2_ros.ExtrapolationException
CvBridge: Any = cv_bridge.CvBridge
CvBridgeError: Any = cv_bridge.CvBridgeError


def which() -> dict[str, str]:
    """Return for each package where it was loaded from, or that a stand-in is used and why."""
    return dict(_origin)


def empty(synchronizer: Any) -> None:
    """Drop the messages that wait in a synchroniser, as a jump back in time demands: it would drop the new ones."""
    with synchronizer.lock:
        for queue in synchronizer.queues:
            queue.clear()

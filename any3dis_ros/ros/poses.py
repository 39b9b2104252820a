"""Poses of the camera from tf2, with what tf2 does not tell: between which stamps it interpolates."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rclpy.time import Time

from any3dis_ros.config import NodeConfig
from any3dis_ros.io.transforms import TransformError
from any3dis_ros.ros import packages
from any3dis_ros.ros.conversions.transforms import nanoseconds, transform_matrix
from any3dis_ros.ros.ingest import PoseOnItsWay

_SECOND = 1_000_000_000
_DEPTH = 1000  # of /tf, which a robot fills at hundreds of hertz; tf2_ros' own 100 last no second


class Poses:
    """Transforms at the stamps of images, from a tf2 buffer that it keeps filled.

    Args:
        node: whose clock it is.
        listening: a node that listens to /tf and /tf_static.
        settings: global frame, seconds that are kept.
        max_gap_s: poses are not interpolated between transforms farther apart (input.tf_max_gap_s).

    Attributes:
        camera_frame: optical frame of the colour camera.
    """

    def __init__(self, node: Any, listening: Any, settings: NodeConfig, max_gap_s: float) -> None:
        self._global_frame = settings.global_frame
        self._max_gap_ns = round(max_gap_s * _SECOND)
        self._gaps = TransformGaps(round(settings.tf_buffer_s * _SECOND))
        self._buffer = packages.Buffer(cache_time=Duration(seconds=settings.tf_buffer_s), node=node)
        self._listener = _listener(self._buffer, listening, self._gaps)
        self.camera_frame = settings.camera_frame

    def __call__(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return 4×4 ``T_map_camera`` at a stamp.

        Raises:
            PoseOnItsWay: not yet known.
            TransformError: the stamp is before all that is known, or in a gap.
        """
        return self.between(self._global_frame, self.camera_frame, stamp_ns)

    def between(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """Return 4×4 ``T_target_source`` at a stamp; raises what calling the object does."""
        known_ns = self._latest_ns(target, source)  # first: what comes in between proves nothing
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
        except packages.ExtrapolationException as error:
            if stamp_ns < known_ns:
                raise TransformError("older than the transforms that are kept", str(error)) from error
            raise PoseOnItsWay(str(error)) from error
        except packages.TransformException as error:
            raise PoseOnItsWay(str(error)) from error
        gap_ns, child = self._gaps.around(target, source, stamp_ns)
        if gap_ns > self._max_gap_ns:
            raise TransformError(
                "gap in TF",
                f"'{child}' has no transform for {gap_ns / _SECOND:.3f} s around {stamp_ns / _SECOND:.3f} s; at most "
                f"{self._max_gap_ns / _SECOND:g} s are interpolated (input.tf_max_gap_s)",
            )
        return transform_matrix(found.transform)

    def clear(self) -> None:
        """Forget all moving transforms, as after a jump of time."""
        self._buffer.clear()
        self._gaps.clear()

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()

    def _latest_ns(self, target: str, source: str) -> int:
        """Return the newest stamp at which the transform is known, 0 where it is not."""
        try:
            return nanoseconds(self._buffer.lookup_transform(target, source, Time()).header.stamp)
        except packages.TransformException:
            return 0


class TransformGaps:
    """Remembers when each frame was told where it is.

    tf2 interpolates between any two transforms, however long nothing came between them: a robot whose localisation
    stood still for three seconds would get keyframes in places where it never was.

    Args:
        horizon_ns: how much is remembered.
    """

    def __init__(self, horizon_ns: int) -> None:
        self._horizon_ns = horizon_ns
        self._lock = threading.Lock()
        self._parents: dict[str, str] = {}
        self._stamps: dict[str, list[int]] = {}

    def note(self, message: Any, static: bool) -> None:
        """Take a tf2_msgs/TFMessage."""
        with self._lock:
            for t in message.transforms:
                child = t.child_frame_id.lstrip("/")
                self._parents[child] = t.header.frame_id.lstrip("/")
                if static:
                    self._stamps.pop(child, None)
                    continue
                stamps, stamp_ns = self._stamps.setdefault(child, []), nanoseconds(t.header.stamp)
                insort(stamps, stamp_ns)
                if stamps[0] < stamps[-1] - 2 * self._horizon_ns:
                    del stamps[: bisect_left(stamps, stamps[-1] - self._horizon_ns)]

    def around(self, target: str, source: str, stamp_ns: int) -> tuple[int, str]:
        """Return the longest gap, ns, between transforms about a stamp on the way between two frames, and whose it is.

        A stamp at which there is a transform lies in no gap.
        """
        with self._lock:
            up, down = self._ancestors(source), self._ancestors(target)
            gaps = [(self._gap(child, stamp_ns), child) for child in set(up) ^ set(down)]
        return max(gaps, default=(0, ""))

    def clear(self) -> None:
        """Forget all moving transforms."""
        with self._lock:
            self._stamps.clear()

    def _ancestors(self, frame: str) -> list[str]:
        """Return the frame and all above it that have a parent; a loop ends it."""
        out: list[str] = []
        frame = frame.lstrip("/")
        while frame in self._parents and frame not in out:
            out.append(frame)
            frame = self._parents[frame]
        return out

    def _gap(self, child: str, stamp_ns: int) -> int:
        stamps = self._stamps.get(child, [])
        i = bisect_left(stamps, stamp_ns)
        if i in (0, len(stamps)) or stamps[i] == stamp_ns:
            return 0
        return stamps[i] - stamps[i - 1]


def _listener(buffer: Any, node: Any, gaps: TransformGaps) -> Any:
    """Return a listener that also tells `gaps` what it hears, without a second subscription."""

    class Listener(packages.TransformListener):
        def callback(self, data: Any) -> None:
            gaps.note(data, static=False)  # before the lookup that it makes possible
            super().callback(data)

        def static_callback(self, data: Any) -> None:
            gaps.note(data, static=True)
            super().static_callback(data)

    return Listener(buffer, node, qos=QoSProfile(depth=_DEPTH))

"""What a reader takes and returns, and the counting of what it leaves out."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace

from any3dis_ros.config import InputConfig, KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.frames import Frame, KeyframeBuffer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadOptions:
    """What a user says about one recording; what is left empty is found in it.

    Attributes:
        color_topic: topic of the colour images.
        depth_topic: topic of the depth images.
        camera_info_topic: topic of the colour camera's intrinsics.
        depth_info_topic: topic of the depth camera's intrinsics.
        global_frame: frame of the map; else the first of map, odom, world above the camera, else the TF root.
        camera_frame: optical frame of the colour camera; else the images' frame_id.
        intrinsics: fx, fy, cx, cy in pixels of a colour image without distortion (of the depth image for folders).
        stride: every n-th frame is a keyframe, instead of the configuration's.
        input: intervals and gaps that are accepted.
    """

    color_topic: str = ""
    depth_topic: str = ""
    camera_info_topic: str = ""
    depth_info_topic: str = ""
    global_frame: str = ""
    camera_frame: str = ""
    intrinsics: tuple[float, float, float, float] | None = None
    stride: int | None = None
    input: InputConfig = field(default_factory=InputConfig)


@dataclass(frozen=True)
class Recording:
    """Keyframes of one recording.

    Attributes:
        frames: the keyframes, oldest first.
        counts: how many frames were left out, or what else was found, by a short reason.
        description: one line: where the frames come from.
    """

    frames: list[Frame]
    counts: dict[str, int]
    description: str

    @property
    def warnings(self) -> list[str]:
        """The counts as phrases, the most frequent first."""
        return [f"{n} × {reason}" for reason, n in sorted(self.counts.items(), key=lambda item: -item[1])]


class Collector:
    """A keyframe buffer that counts what a reader leaves out, and why."""

    def __init__(self, source: str, config: KeyframeConfig, stride: int | None) -> None:
        self._source = source
        self._buffer = KeyframeBuffer(config if stride is None else replace(config, stride=stride))
        self._example: dict[str, str] = {}
        self.counts: Counter[str] = Counter()

    @property
    def frames(self) -> list[Frame]:
        """The keyframes collected so far, oldest first (a copy)."""
        return self._buffer.frames

    def wants_next(self) -> bool:
        """Return whether the next frame is to be decoded; one that is not is counted as seen."""
        if self._buffer.wants_next():
            return True
        self._buffer.skip()
        return False

    def leave_out(self, reason: str, example: str = "", count: int = 1) -> None:
        """Count what is left out, which takes no turn of the stride; the first example is kept for the message."""
        self.counts[reason] += count
        if example:
            self._example.setdefault(reason, f" ({example})")

    def add(self, frame: Frame) -> None:
        """Offer a frame; one whose depth is zero everywhere is left out."""
        if not frame.depth.any():
            self.leave_out("depth all zero", f"frame {frame.name or frame.stamp_ns}")
        else:
            self._buffer.add(frame)

    def finish(self, description: str) -> Recording:
        """Return what was collected, with one warning for all that was left out.

        Raises:
            InputError: no frame is left.
        """
        told = [f"{n} × {reason}{self._example.get(reason, '')}" for reason, n in self.counts.most_common()]
        if not len(self._buffer):
            reasons = "; ".join(told) or "it holds no frame"
            raise InputError(f"{self._source} gives no usable frame: {reasons}")
        if told:
            log.warning("%s: %s", self._source, "; ".join(told))
        frames = self._buffer.frames
        return Recording(frames, dict(self.counts), f"{len(frames)} keyframes of {description}")

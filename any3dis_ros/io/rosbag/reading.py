"""Keyframes of a ROS bag.

A first pass over the bag takes the stamps and the transforms. Then colour and depth are paired, and only the images
that can become keyframes are read and decoded: a stride of ten leaves nine of ten images untouched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.rosbag.bagfile import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, TF, BagFile, stamp_of
from any3dis_ros.io.rosbag.camera_stream import CameraInfo, CameraPair
from any3dis_ros.io.rosbag.global_frame import choose_global_frame
from any3dis_ros.io.rosbag.synchronise import pair
from any3dis_ros.io.rosbag.timeline import Epoch, Timeline
from any3dis_ros.io.rosbag.topics import ImageTopic, choose_images, choose_info
from any3dis_ros.io.transforms import TransformError
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Frame

_REPORT_EVERY = 200  # messages of the first pass


def read_bag(
    path: Path, files: list[Path], options: ReadOptions, config: KeyframeConfig, progress: Progress
) -> Recording:
    """Read the keyframes of a bag.

    Args:
        path: the bag as the user named it: a rosbag2 folder or a file.
        files: its storage files.
        options: topics, frames and intervals.
        config: stride and bound of the keyframes.
        progress: told of both passes.

    Raises:
        InputError: the bag cannot be opened, lacks something, leaves a choice open, or gives no usable frame.
    """
    with BagFile(path, files) as bag:
        cameras = choose_cameras(bag, options)
        timeline = survey(bag, cameras, options, progress)
        camera_frame, global_frame = choose_frames(cameras, timeline, options)
        max_interval_ns = round(options.input.sync_max_interval_s * 1e9)
        pairs = [pair(e.color.stamps_ns(), e.depth.stamps_ns(), max_interval_ns) for e in timeline.epochs]
        total = sum(len(p) for p in pairs)
        if total == 0:
            raise InputError(_no_pairs(timeline, cameras, options))

        reader = _PairReader(bag, cameras, camera_frame, global_frame, Collector(str(path), config, options.stride))
        done = 0
        for epoch, indices in zip(timeline.epochs, pairs, strict=True):
            for i, j in indices:
                progress("read", done, total)
                reader.read(epoch, int(i), int(j))
                done += 1
        progress("read", total, total)
        for reason, count in (timeline.counts + bag.trouble).items():
            reader.collector.leave_out(reason, count=count)
        return reader.collector.finish(
            f"{total} pairs of {cameras.color.name} and {cameras.depth.name} in the bag {path}, "
            f"poses of '{camera_frame}' in '{global_frame}'"
        )


class _PairReader:
    """Turns a pair of stamps into a keyframe, or into a count of why not."""

    def __init__(
        self, bag: BagFile, cameras: CameraPair, camera_frame: str, global_frame: str, collector: Collector
    ) -> None:
        self._bag, self._cameras = bag, cameras
        self._camera_frame, self._global_frame = camera_frame, global_frame
        self.collector = collector

    def read(self, epoch: Epoch, i: int, j: int) -> None:
        """Offer colour image `i` with depth image `j` of an epoch to the collector."""
        if not self.collector.wants_next():
            return
        stamp_ns = epoch.color.stamps[i]
        try:
            T_map_camera = epoch.tree.lookup(self._global_frame, self._camera_frame, stamp_ns)
            T_color_depth = self._extrinsics(epoch, stamp_ns)
        except TransformError as error:
            self.collector.leave_out(f"no pose: {error.reason}", str(error))
            return
        color = self._bag.fetch(self._cameras.color.name, epoch.color.logs[i], stamp_ns)
        depth = self._bag.fetch(self._cameras.depth.name, epoch.depth.logs[j], epoch.depth.stamps[j])
        name = f"{stamp_ns / 1e9:.3f}"
        if color is None or depth is None:
            self.collector.leave_out("image that can be read no more", f"frame {name}")
            return
        try:
            image, registered, camera = self._cameras.decode(color, depth, T_color_depth)
        except DamagedImageError as error:
            self.collector.leave_out("damaged image", f"frame {name}: {error}")
            return
        self.collector.add(Frame(stamp_ns, image, registered, camera, T_map_camera, name))

    def _extrinsics(self, epoch: Epoch, stamp_ns: int) -> NDArray[np.float64]:
        if self._cameras.one_frame:
            return np.eye(4)
        return epoch.tree.lookup(self._camera_frame, self._cameras.depth.frame_id, stamp_ns)


def choose_cameras(bag: BagFile, options: ReadOptions) -> CameraPair:
    """Choose the image and camera_info topics of a bag by its first messages and the user's options."""
    images, infos = [], {}
    for topic in bag.topics.values():
        if topic.msgtype not in (IMAGE, COMPRESSED_IMAGE, CAMERA_INFO):
            continue
        first = next(iter(bag.messages([topic.name])), None)
        if first is None:
            continue
        message = first[2]
        if topic.msgtype == CAMERA_INFO:
            infos[topic.name] = message
        else:
            images.append(ImageTopic(topic.name, _encoding(message), _frame_id(message)))
    color, depth = choose_images(images, options.color_topic, options.depth_topic)
    frames = {name: _frame_id(message) for name, message in infos.items()}
    color_info = choose_info(color, frames, options.camera_info_topic)
    depth_info = choose_info(depth, frames, options.depth_info_topic)
    cameras = CameraPair(
        color=color,
        depth=depth,
        color_type=bag.topics[color.name].msgtype,
        depth_type=bag.topics[depth.name].msgtype,
        color_info=CameraInfo(color_info, infos[color_info]) if color_info else None,
        depth_info=CameraInfo(depth_info, infos[depth_info]) if depth_info else None,
        intrinsics=options.intrinsics,
        max_width_px=options.input.max_width_px,
    )
    cameras.check()
    return cameras


def choose_frames(cameras: CameraPair, timeline: Timeline, options: ReadOptions) -> tuple[str, str]:
    """Choose the optical frame of the colour camera and the frame of the map."""
    camera_frame = options.camera_frame.lstrip("/") or cameras.color.frame_id
    trees = [epoch.tree for epoch in timeline.epochs]
    return camera_frame, choose_global_frame(trees, camera_frame, options.global_frame)


def transform_topics(bag: BagFile) -> list[str]:
    """Return the topics of transforms: a robot's own go before those of others, recorded under their namespaces."""
    transforms = [t.name for t in bag.topics.values() if t.msgtype == TF]
    return [name for name in transforms if name in ("/tf", "/tf_static")] or transforms


def is_static(topic: str) -> bool:
    """Whether a topic's transforms hold for all time."""
    return topic.endswith("tf_static")


def survey(bag: BagFile, cameras: CameraPair, options: ReadOptions, progress: Progress) -> Timeline:
    """Take the stamps of the two image topics and all transforms, in one pass."""
    timeline = Timeline(round(options.input.tf_max_gap_s * 1e9), round(options.input.time_jump_s * 1e9))
    kinds = {cameras.color.name: "color", cameras.depth.name: "depth"}
    transforms = transform_topics(bag)
    total = sum(bag.topics[name].count for name in (*kinds, *transforms))
    for done, (topic, log_ns, message) in enumerate(bag.messages([*kinds, *transforms])):
        if done % _REPORT_EVERY == 0:
            progress("index", done, total)
        if topic in kinds:
            timeline.add_image(kinds[topic], stamp_of(message), log_ns)
        else:
            _add_transforms(timeline, message, static=is_static(topic))
    progress("index", total, total)
    return timeline


def _add_transforms(timeline: Timeline, message: Any, static: bool) -> None:
    for t in message.transforms:
        parent, child = _frame_id(t), str(t.child_frame_id).lstrip("/")
        p, q = t.transform.translation, t.transform.rotation
        translation, rotation = (p.x, p.y, p.z), (q.x, q.y, q.z, q.w)
        if static:
            timeline.add_static(parent, child, translation, rotation)
        else:
            timeline.add_transform(parent, child, stamp_of(t), translation, rotation)


def _no_pairs(timeline: Timeline, cameras: CameraPair, options: ReadOptions) -> str:
    color = np.concatenate([e.color.stamps_ns() for e in timeline.epochs])
    depth = np.concatenate([e.depth.stamps_ns() for e in timeline.epochs])
    both = f"'{cameras.color.name}' ({len(color)} images) and '{cameras.depth.name}' ({len(depth)})"
    limit = f"{options.input.sync_max_interval_s:g} s (input.sync_max_interval_s)"
    if not len(color) or not len(depth):
        return f"{both} give no pair: one of them holds no image that can be read"
    nearest = min(int(np.abs(depth - stamp).min()) for stamp in color)
    return f"{both} give no pair: their closest stamps are {nearest / 1e9:.3f} s apart, at most {limit} are accepted"


def _encoding(message: Any) -> str:
    return str(message.encoding if hasattr(message, "encoding") else message.format)


def _frame_id(message: Any) -> str:
    return str(message.header.frame_id).lstrip("/")

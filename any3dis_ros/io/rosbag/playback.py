"""What a bag's camera and its transforms send, as bytes for the wire, with the topics that the reader chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from any3dis_ros.errors import InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.rosbag.bagfile import CAMERA_INFO, COMPRESSED_IMAGE, TF, BagFile, stamp_of
from any3dis_ros.io.rosbag.camera_stream import Intrinsics
from any3dis_ros.io.rosbag.messages import color_from_compressed
from any3dis_ros.io.rosbag.reading import choose_cameras, choose_frames, is_static, survey, transform_topics
from any3dis_ros.progress import Progress

COLOR, DEPTH, COLOR_INFO, DEPTH_INFO, TRANSFORMS = "color", "depth", "color_info", "depth_info", "transforms"


class Record(NamedTuple):
    """One message: log time (ns), which part of the camera it is of, stamp (ns, 0 for transforms), bytes in CDR."""

    log_ns: int
    part: str
    stamp_ns: int
    cdr: bytes


class Playback:
    """The messages of one camera of an open bag, in the order of recording.

    A driver sends camera_info with each image. Where the bag holds less than half as many, or intrinsics are given
    instead, the one that the reader takes is repeated with the stamp of each image.

    Args:
        bag: the bag.
        options: the user's choices, as for reading.
        progress: told of the pass over the bag that finds its frames.

    Attributes:
        cameras: the chosen topics.
        camera_frame: optical frame of the colour camera.
        global_frame: frame of the map.
        kinds: ROS type of each part that is sent.
        count: messages that will be yielded, damaged ones included.

    Raises:
        InputError: as for reading.
    """

    def __init__(self, bag: BagFile, options: ReadOptions, progress: Progress) -> None:
        self._bag = bag
        self.cameras = cameras = choose_cameras(bag, options)
        timeline = survey(bag, cameras, options, progress)
        self.camera_frame, self.global_frame = choose_frames(cameras, timeline, options)
        self._store = _ros2_types()
        self._moving = [name for name in transform_topics(bag) if not is_static(name)]
        self._images = {cameras.color.name: COLOR, cameras.depth.name: DEPTH}
        self._infos: dict[str, str] = {}
        self._repeated: dict[str, tuple[str, Any]] = {}  # by the part of the image that it goes with
        self._plan_infos(options.intrinsics)
        self.kinds = {COLOR: cameras.color_type, DEPTH: cameras.depth_type, TRANSFORMS: TF}
        self.kinds |= dict.fromkeys(
            (*self._infos.values(), *(part for part, _ in self._repeated.values())), CAMERA_INFO
        )
        self.count = sum(bag.topics[name].count for name in self._topics)
        self.count += sum(bag.topics[name].count for name, part in self._images.items() if part in self._repeated)

    @property
    def _topics(self) -> list[str]:
        return [*self._images, *self._infos, *self._moving]

    def __iter__(self) -> Iterator[Record]:
        for topic, log_ns, message, cdr in self._bag.serialized(self._topics):
            if topic in self._infos:
                yield Record(log_ns, self._infos[topic], stamp_of(message), cdr)
            elif topic in self._images:
                part, stamp_ns = self._images[topic], stamp_of(message)
                if part in self._repeated:
                    info_part, info = self._repeated[part]
                    yield Record(log_ns, info_part, stamp_ns, self._stamped(info, message.header.stamp))
                yield Record(log_ns, part, stamp_ns, cdr)
            else:
                yield Record(log_ns, TRANSFORMS, 0, cdr)

    def static_transforms(self) -> bytes | None:
        """Return all static transforms as one tf2_msgs/TFMessage, the last of each pair of frames; None without any."""
        found: dict[tuple[str, str], Any] = {}
        topics = [name for name in transform_topics(self._bag) if is_static(name)]
        for _, _, _, cdr in self._bag.serialized(topics):
            for t in self._store.deserialize_cdr(cdr, TF).transforms:
                pair = (t.header.frame_id, t.child_frame_id)
                found.pop(pair, None)  # a child has the parent that was told last
                found[pair] = t
        if not found:
            return None
        return bytes(self._store.serialize_cdr(self._store.types[TF](transforms=list(found.values())), TF))

    def _plan_infos(self, intrinsics: Intrinsics | None) -> None:
        """Decide which camera_info is sent as it was recorded, and which with each image."""
        color, depth = self.cameras.color_info, self.cameras.depth_info
        images = {part: name for name, part in self._images.items()}
        wanted = [(COLOR, COLOR_INFO, color)]
        if depth is not None and (color is None or depth.topic != color.topic):
            wanted.append((DEPTH, DEPTH_INFO, depth))
        for image, part, info in wanted:
            if intrinsics is not None and image == COLOR:
                self._repeated[image] = part, self._pinhole(intrinsics)
            elif info is not None and 2 * self._bag.topics[info.topic].count < self._bag.topics[images[image]].count:
                self._repeated[image] = part, self._first(info.topic)
            elif info is not None:
                self._infos[info.topic] = part

    def _first(self, topic: str) -> Any:
        for _, _, _, cdr in self._bag.serialized([topic]):
            return self._store.deserialize_cdr(cdr, self._bag.topics[topic].msgtype)
        raise InputError(f"no message on '{topic}' can be read")

    def _stamped(self, info: Any, stamp: Any) -> bytes:
        header = dataclasses.replace(info.header, stamp=stamp)
        return bytes(self._store.serialize_cdr(dataclasses.replace(info, header=header), CAMERA_INFO))

    def _pinhole(self, intrinsics: Intrinsics) -> Any:
        """Return camera_info of a camera without distortion, of the size of the first image."""
        image, types = self._first(self.cameras.color.name), self._store.types
        if self.cameras.color_type == COMPRESSED_IMAGE:
            height, width = color_from_compressed(image.data).shape[:2]
        else:
            height, width = image.height, image.width
        fx, fy, cx, cy = intrinsics
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        return types[CAMERA_INFO](
            header=image.header,
            height=height,
            width=width,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=K.ravel(),
            r=np.eye(3).ravel(),
            p=np.hstack([K, np.zeros((3, 1))]).ravel(),
            binning_x=0,
            binning_y=0,
            roi=types["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )


def _ros2_types() -> Any:
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_JAZZY)

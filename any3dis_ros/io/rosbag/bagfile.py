"""Messages of a ROS 1 or ROS 2 bag, streamed or fetched one by one."""

from __future__ import annotations

import heapq
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.cut_mcap import closed

log = logging.getLogger(__name__)

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
TF = "tf2_msgs/msg/TFMessage"
_OLD_TF = "tf/msg/tfMessage"  # ROS 1 before tf2: the same layout
_KNOWN = (IMAGE, COMPRESSED_IMAGE, CAMERA_INFO, TF, _OLD_TF)
_REMEDY = {
    ".mcap": "'mcap recover' mends a recording that was cut off",
    ".db3": "sqlite3's '.recover' mends a recording that was cut off",
    ".bag": "'rosbag reindex' mends a recording that was cut off",
}
_RECENT = 32  # messages kept of a file that cannot be sought in
_DISORDER_NS = 1_000_000_000  # how much later than its turn a message may stand in such a file


@dataclass(frozen=True)
class Topic:
    """A topic with a type that can be read."""

    name: str
    msgtype: str
    count: int


class BagFile:
    """An open bag: ``with BagFile(path, files) as bag``.

    The few message types that are needed have one layout in all ROS 2 (or ROS 1) distributions, so definitions that a
    bag may lack, or hold in a form that cannot be parsed, are not looked at.

    Attributes:
        topics: topics of images, camera_info and transforms that hold messages, by name.
        trouble: parts of the bag that cannot be read, by a short reason.
    """

    def __init__(self, path: Path, files: list[Path]) -> None:
        self._path, self._files = path, files
        self._stack = ExitStack()
        self._readers: list[Any] = []
        self._recent: deque[tuple[str, int, Any]] = deque(maxlen=_RECENT)
        self._onward: Iterator[tuple[str, int, Any]] | None = None
        self.topics: dict[str, Topic] = {}
        self.trouble: Counter[str] = Counter()
        self._damaged: set[tuple[str, int]] = set()

    def __enter__(self) -> BagFile:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        ros1 = bool(self._files) and self._files[0].suffix == ".bag"
        store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_JAZZY)
        if ros1:  # the store of ROS 1 does not hold it
            store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", TF))
        self._deserialize = store.deserialize_ros1 if ros1 else store.deserialize_cdr
        self._to_cdr = _converter(store) if ros1 else lambda raw, _: bytes(raw)
        try:
            self._open(ros1)
        except BaseException:
            self._stack.close()
            raise
        for storage in self._storages():
            if getattr(storage, "chunks", None) == []:
                # `messages` would stop at the first message out of order; the two passes do not mind
                storage.messages = storage.messages_scan
        counts: Counter[tuple[str, str]] = Counter()
        for reader in self._readers:
            for c in reader.connections:
                counts[c.topic, c.msgtype] += c.msgcount
        self.topics = {
            name: Topic(name, TF if msgtype == _OLD_TF else msgtype, count)
            for (name, msgtype), count in sorted(counts.items())
            if msgtype in _KNOWN and count > 0
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield topic, log time and message, by log time from `start_ns` to before `stop_ns`.

        What cannot be read is counted in `trouble`; after damage to the file what follows is left out.
        """
        for topic, log_ns, message, _ in self._merged(topics, start_ns, stop_ns):
            yield topic, log_ns, message

    def serialized(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any, bytes]]:
        """Yield the same as :meth:`messages` and each message's bytes as ROS 2 puts them on the wire (CDR)."""
        for topic, log_ns, message, raw in self._merged(topics, None, None):
            yield topic, log_ns, message, self._to_cdr(raw, self.topics[topic].msgtype)

    def _merged(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, Any, bytes]]:
        streams = []
        for reader in self._readers:
            if connections := [c for c in reader.connections if c.topic in topics and c.msgtype in _KNOWN]:
                streams.append(self._stream(reader, connections, start_ns, stop_ns))
        return heapq.merge(*streams, key=itemgetter(1))

    def fetch(self, topic: str, log_ns: int, stamp_ns: int) -> Any | None:
        """Return the message of `topic` that was logged at `log_ns` with `stamp_ns` in its header, if it is there."""
        found = self._fetch_onward if self._only_onward() else self._fetch_by_time
        return found(topic, log_ns, stamp_ns)

    def _fetch_by_time(self, topic: str, log_ns: int, stamp_ns: int) -> Any | None:
        for _, _, message in self.messages([topic], log_ns, log_ns + 1):
            if stamp_of(message) == stamp_ns:
                return message
        return None

    def _fetch_onward(self, topic: str, log_ns: int, stamp_ns: int) -> Any | None:
        """Fetch from a file without an index: read on, and start again only for a message long past."""
        wanted = (topic, log_ns, stamp_ns)
        for name, log_time, message in self._recent:
            if (name, log_time, stamp_of(message)) == wanted:
                return message
        if self._onward is None or (self._recent and self._recent[0][1] > log_ns):
            self._recent.clear()
            images = [t.name for t in self.topics.values() if t.msgtype in (IMAGE, COMPRESSED_IMAGE)]
            self._onward = self.messages(images)
        for name, log_time, message in self._onward:
            self._recent.append((name, log_time, message))
            if (name, log_time, stamp_of(message)) == wanted:
                return message
            if log_time > log_ns + _DISORDER_NS:
                break
        return None

    def _only_onward(self) -> bool:
        """Return whether a file is an MCAP without chunks, where every look-up would scan from the start."""
        return any(getattr(storage, "chunks", None) == [] for storage in self._storages())

    def _storages(self) -> list[Any]:
        outer = [getattr(reader, "storage", None) for reader in self._readers]
        return outer + [inner for storage in outer for inner in getattr(storage, "storages", [])]

    def _stream(
        self, reader: Any, connections: list[Any], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, Any, bytes]]:
        source = reader.messages(connections=connections, start=start_ns, stop=stop_ns)
        while True:
            try:
                connection, log_ns, raw = next(source)
            except StopIteration:
                return
            except Exception as error:  # the parsers raise whatever a damaged byte leads to
                self.trouble["bag damaged: what follows is left out"] = 1
                log.debug("%s: %r", self._path, error)
                return
            try:
                message = self._deserialize(raw, TF if connection.msgtype == _OLD_TF else connection.msgtype)
            except Exception as error:
                self._damaged.add((connection.topic, log_ns))  # the same in both passes
                self.trouble["message damaged"] = len(self._damaged)
                log.debug("%s: %r", connection.topic, error)
                continue
            yield connection.topic, log_ns, message, raw

    def _open(self, ros1: bool) -> None:
        """Open the bag as a whole, or, where its metadata is missing or wrong, every file that can be opened."""
        from rosbags.rosbag1 import Reader as Reader1
        from rosbags.rosbag2 import Reader as Reader2

        kind: Any = Reader1 if ros1 else Reader2
        failed, failure = self._path, Exception("it has no storage file")
        if not ros1 and self._path.is_dir() and (self._path / "metadata.yaml").is_file():
            try:
                self._readers = [self._stack.enter_context(kind(self._path))]
                return
            except Exception as error:
                failure = error
        for file in self._files:
            try:
                self._readers.append(self._stack.enter_context(kind(file)))
                continue
            except Exception as error:
                failed, failure = file, error
            try:
                if file.suffix == ".mcap" and (reader := self._stack.enter_context(kind(closed(file)))).connections:
                    self._readers.append(reader)
                    self.trouble["bag file cut off: its last part is lost"] += 1
                    continue
            except Exception as error:
                log.debug("%s: %r", file, error)
            self.trouble["bag file unreadable"] += 1
        if not self._readers:
            reason = str(failure).rstrip(".") or type(failure).__name__
            remedy = _REMEDY.get(failed.suffix, "expected metadata.yaml and .mcap or .db3 files")
            raise InputError(f"the bag {failed} cannot be opened: {reason}; {remedy}") from failure


def _converter(ros1: Any) -> Callable[[bytes, str], bytes]:
    """Return what turns a message of ROS 1 into one of ROS 2: no seq in headers, small letters in camera_info."""
    from rosbags.convert.converter import migrate_bytes
    from rosbags.typesys import Stores, get_typestore

    ros2, cache = get_typestore(Stores.ROS2_JAZZY), {}  # type: ignore[var-annotated]
    return lambda raw, kind: bytes(migrate_bytes(ros1, ros2, kind, kind, cache, raw, src_is2=False, dst_is2=True))


def stamp_of(message: Any) -> int:
    """Return the stamp in a message's header, nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)

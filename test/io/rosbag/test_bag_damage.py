"""Bags that were cut off or damaged, and files without an index: read as far as they go, or one sentence."""

import sqlite3
import struct

import numpy as np
import pytest
from recordings import (
    COLOR,
    DEPTH,
    PERIOD,
    START,
    BagSpec,
    add_poses,
    color_image,
    depth_image,
    numbers,
    whole_bag,
)

from any3dis_ros.errors import InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene

EVERY = ReadOptions(stride=1)


def vga_bag(count: int) -> BagSpec:
    """Images of a megabyte: every other message closes a chunk."""
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + count * PERIOD)
    spec.info("/camera/color/camera_info", START, (600, 600, 319.5, 239.5), size=(640, 480))
    for n in range(count):
        spec.image(COLOR, START + n * PERIOD, color_image(n, 640, 480), "rgb8")
        spec.image(DEPTH, START + n * PERIOD, depth_image(n, 640, 480), "16UC1")
    return spec


@pytest.mark.parametrize("packed", ["", "storage"])
@pytest.mark.parametrize("ending", ["cut", "zeros", "killed"])
def test_an_mcap_that_was_cut_off_is_read_up_to_there(tmp_path, ending, packed):
    path = vga_bag(8).write(tmp_path / "run", compression=packed)
    whole = (path / "run.mcap").read_bytes()
    summary = struct.unpack("<Q", whole[-28:-20])[0]
    cut = {"cut": int(0.7 * summary), "zeros": int(0.7 * summary), "killed": summary - 200}[ending]
    (path / "run.mcap").write_bytes(whole[:cut] + bytes(5000 if ending == "zeros" else 0))
    for source in (path, path / "run.mcap"):
        recording = read_scene(source, EVERY)
        assert recording.counts["bag file cut off: its last part is lost"] == 1
        found = numbers(recording)
        assert found == list(range(len(found)))
        assert len(found) >= 4
        assert all(np.array_equal(f.color, color_image(n, 640, 480)) for n, f in enumerate(recording.frames))


def test_an_mcap_cut_off_before_its_first_whole_chunk(tmp_path):
    path = whole_bag(20).write(tmp_path / "run")
    file = path / "run.mcap"
    file.write_bytes(file.read_bytes()[:-2000])
    for source in (path, file):
        with pytest.raises(InputError, match=r"its images are none|'mcap recover' mends a recording"):
            read_scene(source)


def test_a_damaged_last_file_of_a_folder_is_left_out(tmp_path):
    path = whole_bag(5).write(tmp_path / "run")
    (path / "metadata.yaml").unlink()
    (path / "run_1.mcap").write_bytes((path / "run.mcap").read_bytes()[:500])
    recording = read_scene(path, EVERY)
    assert numbers(recording) == list(range(5))
    assert recording.counts == {"bag file unreadable": 1}


def test_an_mcap_with_a_damaged_chunk(tmp_path):
    """Bytes lost in the middle of a recording: what comes before is read, and the loss is told."""
    spec = vga_bag(5)
    path = spec.write(tmp_path / "run")
    file = path / "run.mcap"
    data = bytearray(file.read_bytes())
    kind, message = next((e[1], e[3]) for e in spec.entries if e[0] == COLOR and e[2] == START + 3 * PERIOD)
    begin = data.find(bytes(spec.store.serialize_cdr(message, kind)))
    data[begin - 30 : begin - 22] = struct.pack("<Q", 1 << 40)  # the length of its record
    file.write_bytes(data)
    recording = read_scene(path, EVERY)
    assert numbers(recording) == [0, 1, 2]
    assert recording.counts == {"bag damaged: what follows is left out": 1}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_db3_that_was_cut_off(tmp_path, share):
    path = whole_bag(40).write(tmp_path / "run", "sqlite3")
    file = path / "run.db3"
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(InputError, match=r"run\.db3.*'\.recover' mends a recording"):
        read_scene(path)


def test_a_db3_without_its_tables(tmp_path):
    path = tmp_path / "empty.db3"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE strange (id INTEGER)")
    with pytest.raises(InputError, match="missing tables"):
        read_scene(path)


def test_a_ros_1_bag_that_was_cut_off(tmp_path):
    path = whole_bag(20, ros1=True).write(tmp_path / "run.bag", "bag")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match="'rosbag reindex' mends a recording"):
        read_scene(path)


@pytest.mark.parametrize("cut", [0, 4, 100])
@pytest.mark.parametrize("name", ["run.mcap", "run.db3", "run.bag"])
def test_hardly_a_file(tmp_path, name, cut):
    storage = {"run.mcap": "mcap", "run.db3": "sqlite3", "run.bag": "bag"}[name]
    path = whole_bag(2, ros1=storage == "bag").write(tmp_path / "whole.bag", storage)
    file = path if path.is_file() else next(f for f in path.iterdir() if f.suffix == f".{name[4:]}")
    (tmp_path / name).write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=name):
        read_scene(tmp_path / name)


def test_a_wrong_suffix_is_told(tmp_path):
    path = whole_bag(2).write(tmp_path / "run") / "run.mcap"
    path.rename(tmp_path / "run.db3")
    with pytest.raises(InputError, match=r"is a \.mcap file by its content; rename it to run\.mcap"):
        read_scene(tmp_path / "run.db3")


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<BQ", kind, len(body)) + body


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def unchunked_mcap(spec: BagSpec) -> bytes:
    """An MCAP without chunks or summary, as rosbag2's `fastwrite` preset leaves it (mcap.dev/spec)."""
    magic = b"\x89MCAP0\r\n"
    out = magic + record(1, text("ros2") + text("test"))
    channels: dict[str, int] = {}
    for topic, kind, log_ns, message in spec.entries:
        if topic not in channels:
            channels[topic] = number = len(channels) + 1
            out += record(3, struct.pack("<H", number) + text(kind) + text("ros2msg") + text(""))
            out += record(4, struct.pack("<HH", number, number) + text(topic) + text("cdr") + struct.pack("<I", 0))
        header = struct.pack("<HIQQ", channels[topic], 0, log_ns, log_ns)
        out += record(5, header + bytes(spec.store.serialize_cdr(message, kind)))
    return out + record(15, struct.pack("<I", 0)) + record(2, struct.pack("<QQI", 0, 0, 0)) + magic


def test_an_mcap_without_an_index_is_read_in_one_sweep(tmp_path, monkeypatch):
    from any3dis_ros.io.rosbag.bagfile import BagFile

    spec = whole_bag(45)
    spec.entries.sort(key=lambda entry: entry[2] + (2 * PERIOD if entry[0] == COLOR else 0))  # written late
    (tmp_path / "run.mcap").write_bytes(unchunked_mcap(spec))
    sweeps = []
    messages = BagFile.messages
    monkeypatch.setattr(BagFile, "messages", lambda self, *args: sweeps.append(args) or messages(self, *args))
    recording = read_scene(tmp_path / "run.mcap", EVERY)
    assert numbers(recording) == list(range(45))
    assert all(np.array_equal(f.depth, depth_image(n)) for n, f in enumerate(recording.frames))
    assert all(np.array_equal(f.color, color_image(n)) for n, f in enumerate(recording.frames))
    assert len(sweeps) == 5  # three first messages, the survey, the images


def test_a_cut_mcap_without_chunks_is_read_up_to_there(tmp_path):
    spec = whole_bag(20)
    spec.entries.sort(key=lambda entry: entry[2])
    data = unchunked_mcap(spec)
    (tmp_path / "run.mcap").write_bytes(data[: int(0.6 * len(data))])
    recording = read_scene(tmp_path / "run.mcap", EVERY)
    assert 8 <= len(recording.frames) < 20
    assert numbers(recording) == list(range(len(recording.frames)))
    assert recording.counts["bag file cut off: its last part is lost"] == 1

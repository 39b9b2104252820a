"""Bags in which something is wrong: skipped with a count where going on is right, else one sentence."""

import logging
import sqlite3

import cv2
import numpy as np
import pytest
from recordings import (
    COLOR,
    DEPTH,
    OPTICAL,
    PERIOD,
    SECOND,
    START,
    BagSpec,
    add_frames,
    add_poses,
    color_image,
    depth_image,
    numbers,
    whole_bag,
    without,
)

from any3dis_ros.config import InputConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene

EVERY = ReadOptions(stride=1)


@pytest.mark.parametrize("storage", ["mcap", "bag"])
def test_no_transforms(tmp_path, storage):
    spec = without(whole_bag(ros1=storage == "bag"), "/tf", "/tf_static")
    with pytest.raises(InputError, match=r"holds no transforms \(/tf, /tf_static\)"):
        read_scene(spec.write(tmp_path / "run.bag", storage))


def test_only_static_transforms(tmp_path):
    path = without(whole_bag(), "/tf").write(tmp_path / "run")
    with pytest.raises(InputError, match="only static transforms lead to the camera, from 'base_link'"):
        read_scene(path)
    assert len(read_scene(path, ReadOptions(stride=1, global_frame="base_link")).frames) == 6


def test_no_transform_of_the_camera(tmp_path):
    with pytest.raises(InputError, match=f"'{OPTICAL}'; choose it among base_link, map, odom"):
        read_scene(without(whole_bag(), "/tf_static").write(tmp_path / "run"))


def test_a_loop_of_frames(tmp_path):
    spec = whole_bag()
    spec.tf(OPTICAL, "map", 0, static=True, log_ns=START)
    with pytest.raises(InputError, match=r"no tree: frames .* form a loop"):
        read_scene(without(spec).write(tmp_path / "run"))


def test_images_before_and_after_the_transforms_are_left_out(tmp_path, caplog):
    spec = BagSpec()
    add_poses(spec, START + 2 * PERIOD, START + 5 * PERIOD)
    add_frames(spec, 9)
    with caplog.at_level(logging.WARNING):
        recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert numbers(recording) == [2, 3, 4, 5]
    assert recording.counts == {"no pose: stamp outside TF": 5}
    assert recording.warnings == ["5 × no pose: stamp outside TF"]
    assert len(caplog.records) == 1
    assert "would be extrapolated: 0.200 s before its first transform" in caplog.text


def test_a_gap_in_the_transforms(tmp_path):
    spec = BagSpec()
    add_poses(spec, START, START + 3 * PERIOD)
    add_poses(spec, START + 20 * PERIOD, START + 25 * PERIOD)
    add_frames(spec, 25)
    path = spec.write(tmp_path / "run")
    recording = read_scene(path, EVERY)
    assert numbers(recording) == [0, 1, 2, 3, 20, 21, 22, 23, 24]
    assert recording.counts == {"no pose: gap in TF": 16}
    patient = ReadOptions(stride=1, input=InputConfig(tf_max_gap_s=2.0))
    assert len(read_scene(path, patient).frames) == 25


def test_no_image_within_the_transforms(tmp_path):
    spec = BagSpec()
    add_poses(spec, START + SECOND, START + 2 * SECOND)
    add_frames(spec, 3)
    with pytest.raises(InputError, match="no usable frame: 3 × no pose: stamp outside TF"):
        read_scene(spec.write(tmp_path / "run"))


def test_depth_too_late_for_any_pair(tmp_path):
    spec = BagSpec()
    add_poses(spec, START, START + SECOND)
    add_frames(spec, 3, lag_ns=30_000_000)
    path = spec.write(tmp_path / "run")
    with pytest.raises(InputError, match=r"closest stamps are 0\.030 s apart, at most 0\.02 s"):
        read_scene(path)
    assert len(read_scene(path, ReadOptions(stride=1, input=InputConfig(sync_max_interval_s=0.04))).frames) == 3


def test_time_running_backwards(tmp_path):
    """The clock of a simulation restarts: all of both runs is read, each with its own transforms."""
    spec = whole_bag(30)
    later = 10 * SECOND
    for n in range(20):
        stamp = START + n * PERIOD + PERIOD // 2
        spec.image(COLOR, stamp, color_image(n), "rgb8", log_ns=stamp + later)
        spec.image(DEPTH, stamp, depth_image(n), "16UC1", log_ns=stamp + later)
    for n in range(-2, 42):
        stamp = START + n * PERIOD // 2
        spec.tf("map", "odom", stamp, (0.0, 50.0, 0.0), log_ns=stamp + later)
        spec.tf("odom", "base_link", stamp, log_ns=stamp + later)
    recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert recording.counts == {"time ran backwards": 1}
    y = [frame.T_map_camera[1, 3] for frame in recording.frames]
    assert y == [0.0] * 30 + [50.0] * 20


def test_a_bag_recorded_from_a_looping_bag(tmp_path):
    spec = whole_bag(20)
    for topic, kind, log_ns, message in list(spec.entries):
        spec.entries.append((topic, kind, log_ns + 10 * SECOND, message))
    recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert numbers(recording) == list(range(20))
    assert recording.counts == {
        "time ran backwards": 1,
        "colour stamp duplicated": 20,
        "depth stamp duplicated": 20,
    }


def test_duplicated_stamps(tmp_path):
    spec = whole_bag(4)
    spec.image(COLOR, START + PERIOD, color_image(9), "rgb8", log_ns=START + PERIOD + 5)
    recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert recording.counts == {"colour stamp duplicated": 1}
    assert np.array_equal(recording.frames[1].color, color_image(1))


def test_unknown_encodings(tmp_path):
    spec = without(whole_bag(2), COLOR)
    for n in range(2):
        spec.image(COLOR, START + n * PERIOD, np.zeros((24, 32, 3), np.uint16), "rgb16")
    with pytest.raises(InputError, match="colour encoding 'rgb16' is not supported"):
        read_scene(spec.write(tmp_path / "a"))
    spec = without(whole_bag(2), DEPTH)
    for n in range(2):
        spec.image(DEPTH, START + n * PERIOD, np.zeros((24, 32), np.uint8), "8UC1")
    path = spec.write(tmp_path / "b")
    with pytest.raises(InputError, match=r"no depth images .*16UC1 or 32FC1.*color/image_raw \(8UC1\)"):
        read_scene(path)
    with pytest.raises(InputError, match="depth encoding '8UC1' is not metric; expected 16UC1 or 32FC1"):
        read_scene(path, ReadOptions(depth_topic=DEPTH))


def test_no_camera_info(tmp_path):
    path = without(whole_bag(2), "/camera/color/camera_info").write(tmp_path / "run")
    with pytest.raises(
        InputError, match=f"no camera_info belongs to '{COLOR}'; choose its topic .*--camera-info-topic"
    ):
        read_scene(path)
    assert len(read_scene(path, ReadOptions(stride=1, intrinsics=(30, 30, 15, 11))).frames) == 2


def test_no_images(tmp_path):
    with pytest.raises(InputError, match="its images are none"):
        read_scene(without(whole_bag(), COLOR, DEPTH).write(tmp_path / "run"))


@pytest.mark.parametrize("topic", [COLOR, DEPTH])
def test_a_message_cut_short(tmp_path, topic):
    spec = without(whole_bag(5))
    for i, (name, kind, log_ns, message) in enumerate(spec.entries):
        if name == topic and log_ns - START in (2 * PERIOD, 2 * PERIOD + 3_000_000):
            message.data = message.data[:100]
            spec.entries[i] = (name, kind, log_ns, message)
    recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert recording.counts == {"damaged image": 1}
    assert numbers(recording) == [0, 1, 3, 4]


def test_a_message_that_cannot_be_parsed_is_counted_once(tmp_path):
    path = without(whole_bag(5)).write(tmp_path / "run", "sqlite3")
    with sqlite3.connect(path / "run.db3") as db:
        (topic,) = db.execute("SELECT id FROM topics WHERE name = ?", (COLOR,)).fetchone()
        db.execute("UPDATE messages SET data = x'0001' WHERE topic_id = ? AND timestamp = ?", (topic, START))
    recording = read_scene(path, EVERY)
    assert recording.counts == {"message damaged": 1}
    assert numbers(recording) == [1, 2, 3, 4]


def test_a_truncated_jpeg(tmp_path):
    spec = without(whole_bag(3), COLOR)
    for n in range(3):
        jpeg = cv2.imencode(".jpg", color_image(n))[1].reshape(-1)
        spec.compressed(COLOR, START + n * PERIOD, jpeg[:-20] if n == 1 else jpeg, "jpeg")
    recording = read_scene(spec.write(tmp_path / "run"), EVERY)
    assert recording.counts == {"damaged image": 1}
    assert numbers(recording) == [0, 2]


def test_depth_all_zero(tmp_path):
    spec = without(whole_bag(3), DEPTH)
    zero = np.zeros((24, 32), np.uint16)
    for n in range(3):
        spec.image(DEPTH, START + n * PERIOD, zero if n == 1 else depth_image(n), "16UC1")
    assert read_scene(spec.write(tmp_path / "a"), EVERY).counts == {"depth all zero": 1}
    spec = without(spec, DEPTH)
    for n in range(3):
        spec.image(DEPTH, START + n * PERIOD, zero, "16UC1")
    with pytest.raises(InputError, match="no usable frame: 3 × depth all zero"):
        read_scene(spec.write(tmp_path / "b"), EVERY)


def test_a_frame_without_pose_does_not_take_the_turn_of_the_stride(tmp_path):
    spec = BagSpec()
    add_poses(spec, START + 2 * PERIOD, START + 30 * PERIOD)
    add_frames(spec, 25)
    assert numbers(read_scene(spec.write(tmp_path / "run"))) == [2, 12, 22]

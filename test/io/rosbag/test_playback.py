from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from recordings import (
    COLOR,
    DEPTH,
    OPTICAL,
    PERIOD,
    START,
    TF,
    BagSpec,
    K,
    add_poses,
    color_image,
    depth_image,
    whole_bag,
)
from rosbags.typesys import Stores, get_typestore

from any3dis_ros.errors import InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.rosbag import playback as parts
from any3dis_ros.io.rosbag.bagfile import CAMERA_INFO, IMAGE, BagFile
from any3dis_ros.io.rosbag.playback import Playback
from any3dis_ros.io.scenes import bag_files
from any3dis_ros.progress import silent

ROS2 = get_typestore(Stores.ROS2_JAZZY)
COUNT = 6


@contextmanager
def opened(path, **options):
    with BagFile(path, bag_files(path)) as bag:
        yield Playback(bag, ReadOptions(**options), silent)


@pytest.fixture(params=["mcap", "sqlite3", "bag"])
def bag(request, tmp_path):
    """A bag with one camera_info for all images."""
    ros1 = request.param == "bag"
    return whole_bag(COUNT, ros1).write(tmp_path / ("room.bag" if ros1 else "room"), request.param)


def test_images_and_transforms_go_out_as_they_were_recorded(bag):
    with opened(bag) as playback:
        records = list(playback)
    assert len(records) == playback.count
    assert [r.log_ns for r in records] == sorted(r.log_ns for r in records)
    colors = [r for r in records if r.part == parts.COLOR]
    assert [r.stamp_ns for r in colors] == [START + n * PERIOD for n in range(COUNT)]
    for n, record in enumerate(colors):
        image = ROS2.deserialize_cdr(record.cdr, IMAGE)
        assert (image.header.frame_id, image.encoding) == (OPTICAL, "rgb8")
        np.testing.assert_array_equal(image.data.reshape(color_image(n).shape), color_image(n))
    depths = [ROS2.deserialize_cdr(r.cdr, IMAGE) for r in records if r.part == parts.DEPTH]
    np.testing.assert_array_equal(depths[3].data.view(np.uint16).reshape(depth_image(3).shape), depth_image(3))
    moving = [ROS2.deserialize_cdr(r.cdr, TF).transforms[0] for r in records if r.part == parts.TRANSFORMS]
    assert Counter(t.child_frame_id for t in moving) == {"odom": 15, "base_link": 15}
    assert (playback.camera_frame, playback.global_frame) == (OPTICAL, "map")


def test_all_static_transforms_are_one_message(bag):
    with opened(bag) as playback:
        message = ROS2.deserialize_cdr(playback.static_transforms(), TF)
    chain = [(t.header.frame_id, t.child_frame_id) for t in message.transforms]
    assert chain == [("base_link", "camera_link"), ("camera_link", OPTICAL)]
    assert message.transforms[0].transform.translation.z == 0.5


def test_of_static_transforms_told_twice_the_last_counts(tmp_path):
    spec = whole_bag(COUNT)
    spec.tf("base_link", "camera_link", START, (0.0, 0.0, 0.75), static=True)
    with opened(spec.write(tmp_path / "bag")) as playback:
        transforms = ROS2.deserialize_cdr(playback.static_transforms(), TF).transforms
    assert [t.transform.translation.z for t in transforms if t.child_frame_id == "camera_link"] == [0.75]


def test_one_camera_info_for_all_goes_with_each_image(bag):
    with opened(bag) as playback:
        records = list(playback)
    infos = [ROS2.deserialize_cdr(r.cdr, CAMERA_INFO) for r in records if r.part == parts.COLOR_INFO]
    assert [r.stamp_ns for r in records if r.part == parts.COLOR_INFO] == [START + n * PERIOD for n in range(COUNT)]
    for n, info in enumerate(infos):
        assert info.header.stamp.sec * 10**9 + info.header.stamp.nanosec == START + n * PERIOD
        assert (info.k[0], info.k[4], info.k[2], info.k[5]) == K
        assert (info.width, info.height) == (32, 24)


def test_camera_infos_of_their_own_go_out_unchanged(tmp_path):
    spec = whole_bag(COUNT)
    for n in range(1, COUNT):
        spec.info("/camera/color/camera_info", START + n * PERIOD + n, k=(30.0 + n, 30.0, 15.5, 11.5))
    with opened(spec.write(tmp_path / "bag")) as playback:
        records = [r for r in playback if r.part == parts.COLOR_INFO]
    assert [r.stamp_ns for r in records] == [START + n * PERIOD + n for n in range(COUNT)]
    assert [ROS2.deserialize_cdr(r.cdr, CAMERA_INFO).k[0] for r in records] == [30.0 + n for n in range(COUNT)]


@pytest.mark.parametrize("compressed", [False, True])
def test_given_intrinsics_become_camera_info_of_the_images_size(tmp_path, compressed):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + COUNT * PERIOD)
    for n in range(COUNT):
        stamp = START + n * PERIOD
        if compressed:
            data = cv2.imencode(".png", color_image(n))[1].ravel()
            spec.compressed(COLOR + "/compressed", stamp, data, "rgb8; png compressed bgr8")
        else:
            spec.image(COLOR, stamp, color_image(n), "rgb8")
        spec.image(DEPTH, stamp, depth_image(n), "16UC1")
    with opened(spec.write(tmp_path / "bag"), intrinsics=(40.0, 41.0, 15.0, 11.0)) as playback:
        records = list(playback)
    infos = [ROS2.deserialize_cdr(r.cdr, CAMERA_INFO) for r in records if r.part == parts.COLOR_INFO]
    assert len(infos) == COUNT
    assert len(records) == playback.count
    assert infos[2].k.tolist() == [40.0, 0, 15.0, 0, 41.0, 11.0, 0, 0, 1]
    assert (infos[2].width, infos[2].height, infos[2].header.frame_id) == (32, 24, OPTICAL)


def test_depth_in_its_own_frame_has_its_own_camera_info(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + COUNT * PERIOD)
    spec.tf(OPTICAL, "depth_optical", 0, (0.05, 0, 0), static=True, log_ns=START)
    for n in range(COUNT):
        stamp = START + n * PERIOD
        spec.image(COLOR, stamp, color_image(n), "rgb8")
        spec.info("/camera/color/camera_info", stamp)
        spec.image("/camera/depth/image_raw", stamp, depth_image(n), "16UC1", frame_id="depth_optical")
        spec.info("/camera/depth/camera_info", stamp, k=(20.0, 20.0, 15.5, 11.5), frame_id="depth_optical")
    with opened(spec.write(tmp_path / "bag")) as playback:
        records = list(playback)
    focal = {r.part: ROS2.deserialize_cdr(r.cdr, CAMERA_INFO).k[0] for r in records if r.part.endswith("_info")}
    assert focal == {parts.COLOR_INFO: 30.0, parts.DEPTH_INFO: 20.0}
    assert Counter(r.part for r in records)[parts.DEPTH_INFO] == COUNT


def test_it_refuses_what_the_reader_refuses(tmp_path):
    spec = whole_bag(COUNT)
    spec.entries = [e for e in spec.entries if e[0] != DEPTH]
    path = spec.write(tmp_path / "bag")
    with pytest.raises(InputError, match="no depth images"), opened(path):
        pass

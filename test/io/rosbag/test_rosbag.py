"""Whole bags that are as they should be: every storage, encoding and way of registration."""

import shutil

import cv2
import numpy as np
import pytest
from recordings import (
    COLOR,
    DEPTH,
    HEIGHT,
    IDENTITY,
    OPTICAL,
    PERIOD,
    SECOND,
    START,
    WIDTH,
    BagSpec,
    K,
    add_frames,
    add_poses,
    color_image,
    compressed_depth_data,
    depth_image,
    whole_bag,
)

from any3dis_ros.config import InputConfig, KeyframeConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.rosbag.bagfile import BagFile
from any3dis_ros.io.scenes import read_scene

EVERY = ReadOptions(stride=1)
OPTICAL_AXES = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # camera axes in those of the body (REP-103)
STORAGES = ["mcap", "sqlite3", "bag"]


def expected_pose(n: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = OPTICAL_AXES
    T[:3, 3] = (n / 10 + 0.1, 0, 0.5)
    return T


def check_frames(recording, numbers):
    assert [f.stamp_ns for f in recording.frames] == [START + n * PERIOD for n in numbers]
    for n, frame in zip(numbers, recording.frames, strict=True):
        assert np.array_equal(frame.color, color_image(n))
        assert np.array_equal(frame.depth, depth_image(n))
        assert np.allclose(frame.T_map_camera, expected_pose(n))
        assert np.allclose(frame.camera.K[[0, 1, 0, 1], [0, 1, 2, 2]], K)


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage(tmp_path, storage):
    path = whole_bag(6, ros1=storage == "bag").write(tmp_path / "run.bag", storage)
    recording = read_scene(path, EVERY)
    check_frames(recording, range(6))
    assert recording.counts == {}
    assert recording.description.startswith(f"6 keyframes of 6 pairs of {COLOR} and {DEPTH} in the bag")
    assert recording.description.endswith(f"poses of '{OPTICAL}' in 'map'")


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        ("mcap", "storage"),
        ("mcap", "message"),
        ("sqlite3", "message"),
        ("sqlite3", "file"),
        ("bag", "bz2"),
        ("bag", "lz4"),
    ],
)
def test_every_compression(tmp_path, storage, compression):
    path = whole_bag(4, ros1=storage == "bag").write(tmp_path / "run.bag", storage, compression)
    check_frames(read_scene(path, EVERY), range(4))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bare_file_and_a_folder_without_metadata(tmp_path, storage):
    path = whole_bag(4).write(tmp_path / "run", storage)
    file = next(f for f in path.iterdir() if f.suffix in (".mcap", ".db3"))
    check_frames(read_scene(file, EVERY), range(4))
    (path / "metadata.yaml").unlink()
    check_frames(read_scene(path, EVERY), range(4))
    (path / "metadata.yaml").write_text("")  # what a crash leaves
    check_frames(read_scene(path, EVERY), range(4))


def test_a_bag_in_two_files(tmp_path):
    first, second, both = BagSpec(), BagSpec(), tmp_path / "both"
    whole = whole_bag(8)
    for entry in whole.entries:
        (first if entry[2] < START + 4 * PERIOD else second).entries.append(entry)
    both.mkdir()
    for i, spec in enumerate((first, second)):
        part = spec.write(tmp_path / f"part_{i}")
        shutil.move(str(part / f"part_{i}.mcap"), both)
    check_frames(read_scene(both, EVERY), range(8))
    (both / "part_1.mcap").rename(both / "other.mcap")
    with pytest.raises(InputError, match=r"several bags: other\.mcap, part_0\.mcap; give one of them"):
        read_scene(both)


@pytest.mark.parametrize(("stride", "expected"), [(1, 25), (5, 5), (10, 3), (None, 3)])
def test_the_stride_counts_pairs(tmp_path, stride, expected):
    path = whole_bag(25).write(tmp_path / "run")
    recording = read_scene(path, ReadOptions(stride=stride))
    check_frames(recording, range(0, 25, stride or 10))
    assert len(recording.frames) == expected


def test_only_images_that_can_become_keyframes_are_fetched(tmp_path, monkeypatch):
    path = whole_bag(25).write(tmp_path / "run")
    fetched = []
    fetch = BagFile.fetch
    monkeypatch.setattr(BagFile, "fetch", lambda self, *args: fetched.append(args[0]) or fetch(self, *args))
    read_scene(path)
    assert fetched == [COLOR, DEPTH] * 3


def test_the_buffer_is_bounded(tmp_path):
    recording = read_scene(whole_bag(25).write(tmp_path / "run"), EVERY, KeyframeConfig(max_keyframes=8))
    assert len(recording.frames) <= 8
    gaps = np.diff([f.stamp_ns for f in recording.frames])
    assert len(set(gaps.tolist())) == 1


def test_compressed_colour_and_compressed_depth(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + 4 * PERIOD)
    spec.info("/camera/color/camera_info", START)
    for n in range(4):
        stamp = START + n * PERIOD
        png = cv2.imencode(".png", color_image(n)[..., ::-1])[1].reshape(-1)
        spec.compressed(COLOR + "/compressed", stamp, png, "rgb8; png compressed bgr8")
        data = compressed_depth_data(depth_image(n))
        spec.compressed("/camera/depth/image/compressedDepth", stamp, data, "16UC1; compressedDepth png")
    check_frames(read_scene(spec.write(tmp_path / "run"), EVERY), range(4))


def test_jpeg_colour_and_float_depth(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + PERIOD)
    spec.info("/camera/color/camera_info", START)
    smooth = cv2.GaussianBlur(color_image(3), (9, 9), 3)
    jpeg = cv2.imencode(".jpg", smooth[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].reshape(-1)
    spec.compressed(COLOR + "/compressed", START, jpeg, "jpeg")
    metres = depth_image(3).astype(np.float32) / 1000
    metres[metres == 0] = np.nan
    spec.image(DEPTH, START, metres, "32FC1")
    frame = read_scene(spec.write(tmp_path / "run"), EVERY).frames[0]
    assert np.abs(frame.color.astype(int) - smooth).mean() < 4
    assert np.array_equal(frame.depth, depth_image(3))


def test_poses_are_interpolated_at_the_colour_stamp(tmp_path):
    """Transforms 0.25 s apart, colour in between, depth 15 ms later."""
    spec = BagSpec()
    add_poses(spec, START - SECOND, START + SECOND, step_ns=SECOND // 4)
    add_frames(spec, 5, lag_ns=15_000_000)
    for n, frame in enumerate(read_scene(spec.write(tmp_path / "run"), EVERY).frames):
        assert np.allclose(frame.T_map_camera, expected_pose(n), atol=1e-9)


def test_the_global_frame_is_guessed_or_chosen(tmp_path):
    path = whole_bag(3).write(tmp_path / "run")
    for name, x in (("", 0.3), ("map", 0.3), ("odom", 0.3), ("/odom", 0.3), ("base_link", 0.1)):
        frame = read_scene(path, ReadOptions(stride=1, global_frame=name)).frames[2]
        assert frame.T_map_camera[0, 3] == pytest.approx(x)
    with pytest.raises(InputError, match="global frame 'earth'; choose it among base_link, "):
        read_scene(path, ReadOptions(global_frame="earth"))


def test_the_root_stands_in_for_a_map_and_slashes_do_not_matter(tmp_path):
    spec = BagSpec(ros1=True)
    for stamp in (START, START + SECOND):
        spec.tf("/vicon/room", "/rig", stamp, ((stamp - START) / SECOND, 0, 0))
    spec.tf("rig", "/cam", 0, static=True, log_ns=START)
    spec.info("/cam/camera_info", START, frame_id="/cam")
    spec.image("/cam/rgb", START + SECOND // 2, color_image(1), "rgb8", frame_id="/cam")
    spec.image("/cam/depth", START + SECOND // 2, depth_image(1), "16UC1", frame_id="cam")
    recording = read_scene(spec.write(tmp_path / "run.bag", "bag"), EVERY)
    assert "in 'vicon/room'" in recording.description
    assert recording.frames[0].T_map_camera[0, 3] == pytest.approx(0.5)


def test_the_camera_frame_can_be_chosen(tmp_path):
    path = whole_bag(3).write(tmp_path / "run")
    frame = read_scene(path, ReadOptions(stride=1, camera_frame="base_link")).frames[1]
    assert np.allclose(frame.T_map_camera[:3, 3], (0.1, 0, 0))
    with pytest.raises(InputError, match="camera frame 'nose'; choose it among"):
        read_scene(path, ReadOptions(camera_frame="nose"))


def own_frame_bag(infos: bool = True, connected: bool = True) -> BagSpec:
    """Depth from 0.1 m to the left of colour: a plane at 1 m moves by f · b / z = 3 pixels."""
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + 2 * PERIOD)
    if connected:
        spec.tf(OPTICAL, "depth_optical", 0, (-0.1, 0, 0), IDENTITY, static=True, log_ns=START)
    spec.info("/camera/color/camera_info", START)
    if infos:
        spec.info("/camera/depth/camera_info", START, frame_id="depth_optical")
    depth = np.full((HEIGHT, WIDTH), 1000, np.uint16)
    depth[:, 10] = 0
    spec.image(COLOR, START, color_image(0), "rgb8")
    spec.image("/camera/depth/image_rect_raw", START, depth, "16UC1", frame_id="depth_optical")
    return spec


def test_depth_in_its_own_frame_is_registered(tmp_path):
    frame = read_scene(own_frame_bag().write(tmp_path / "run"), EVERY).frames[0]
    assert (np.delete(frame.depth[:, :29], 7, axis=1) == 1000).all()
    assert not frame.depth[:, 7].any()
    assert not frame.depth[:, 29:].any()


def test_depth_in_its_own_frame_needs_intrinsics_and_a_transform(tmp_path):
    with pytest.raises(InputError, match="own frame 'depth_optical' and no camera_info"):
        read_scene(own_frame_bag(infos=False).write(tmp_path / "a"), EVERY)
    with pytest.raises(InputError, match="no pose: unknown frame"):
        read_scene(own_frame_bag(connected=False).write(tmp_path / "b"), EVERY)


def test_depth_of_half_the_size_in_the_frame_of_colour(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + PERIOD)
    spec.info("/camera/color/camera_info", START)
    spec.image(COLOR, START, color_image(0), "rgb8")
    depth = np.arange(1, WIDTH * HEIGHT // 4 + 1, dtype=np.uint16).reshape(HEIGHT // 2, WIDTH // 2)
    spec.image(DEPTH, START, depth, "16UC1")
    frame = read_scene(spec.write(tmp_path / "run"), EVERY).frames[0]
    assert np.array_equal(frame.depth, np.repeat(np.repeat(depth, 2, 0), 2, 1))


def test_distortion_is_taken_out_of_both_images(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + PERIOD)
    spec.info("/camera/color/camera_info", START, d=(-0.3, 0.1, 0, 0, 0))
    spec.image(COLOR, START, color_image(0), "rgb8")
    spec.image(DEPTH, START, depth_image(0), "16UC1")
    frame = read_scene(spec.write(tmp_path / "run"), EVERY).frames[0]
    column = depth_image(0)[HEIGHT // 2]
    assert frame.depth[HEIGHT // 2, 16] == column[16]  # the centre stays
    # barrel distortion: the pinhole's border is found nearer to the centre
    x = (28 - K[2]) / K[0]
    bent = round(K[0] * x * (1 - 0.3 * x**2 + 0.1 * x**4) + K[2])
    assert bent < 28
    assert abs(int(frame.depth[11, 28]) - int(column[bent])) <= 1
    assert abs(int(frame.color[11, 28, 1]) - bent) <= 1


def test_given_intrinsics_count_more_than_camera_info(tmp_path):
    frame = read_scene(whole_bag(1).write(tmp_path / "run"), ReadOptions(stride=1, intrinsics=(31, 32, 16, 12))).frames[
        0
    ]
    assert np.allclose(frame.camera.K, [[31, 0, 16], [0, 32, 12], [0, 0, 1]])
    assert np.array_equal(frame.depth, depth_image(0))


def test_wide_images_are_reduced_with_their_depth(tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + PERIOD)
    spec.info("/camera/color/camera_info", START, (150, 150, 79.5, 59.5), size=(160, 120))
    spec.image(COLOR, START, np.full((120, 160, 3), 9, np.uint8), "rgb8")
    spec.image(DEPTH, START, np.full((120, 160), 1234, np.uint16), "16UC1")
    options = ReadOptions(stride=1, input=InputConfig(max_width_px=80))
    frame = read_scene(spec.write(tmp_path / "run"), options).frames[0]
    assert frame.color.shape == (60, 80, 3)
    assert (frame.depth == 1234).all()
    assert frame.camera.K[0, 0] == pytest.approx(75)


def test_progress_is_told_of_both_passes_and_cancels(tmp_path):
    path = whole_bag(12).write(tmp_path / "run")
    told = []
    read_scene(path, EVERY, progress=lambda stage, done, total, instances=0: told.append((stage, done, total)))
    assert told[0][:2] == ("index", 0)
    assert told[-13:] == [("read", n, 12) for n in range(13)]

    def cancel(stage, done, total, instances=0):
        if (stage, done) == ("read", 3):
            raise Cancelled

    with pytest.raises(Cancelled):
        read_scene(path, EVERY, progress=cancel)

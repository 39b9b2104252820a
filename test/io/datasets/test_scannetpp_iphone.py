import contextlib
import json
import shutil

import cv2
import numpy as np
import pytest
from dataset_scenes import MATRIX, depth_bin, iphone_record, pose, small_frames, write_iphone
from hypothesis import given
from hypothesis import strategies as st
from recordings import depth_image

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.datasets.lidar_depth import HEIGHT, WIDTH, LidarDepth
from any3dis_ros.io.scenes import read_scene

ALL = KeyframeConfig(stride=1)
PACKINGS = ["lz4", "deflate", "stream"]


def lidar(count):
    return [depth_image(n, WIDTH, HEIGHT) for n in range(count)]


def write_video(path, frames):
    """A lossless video; what OpenCV's FFmpeg lacks an encoder for cannot be tested."""
    h, w = frames[0].color.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 60.0, (w, h))
    assert writer.isOpened()
    for f in frames:
        writer.write(np.ascontiguousarray(f.color[..., ::-1]))
    writer.release()


def streams(tmp_path, count=12, packing="lz4"):
    """A scene as it is downloaded: rgb.mkv and depth.bin."""
    frames = small_frames(count, 320, 240)
    folder = tmp_path / "0a5c013435" / "iphone"
    folder.mkdir(parents=True)
    write_video(folder / "rgb.mkv", frames)
    (folder / "depth.bin").write_bytes(depth_bin(lidar(count), packing))
    records = {f"frame_{n:06d}": iphone_record(f, n) for n, f in enumerate(frames)}
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(records))
    return folder.parent


def test_extracted_frames_with_their_own_intrinsics_and_aligned_poses(tmp_path):
    scene = write_iphone(tmp_path / "0a5c013435", small_frames(3))
    path = scene / "iphone" / "pose_intrinsic_imu.json"
    records = json.loads(path.read_text())
    records["frame_000002"]["intrinsic"][0][0] = 33.0
    path.write_text(json.dumps(records))
    frames = read_scene(scene, config=ALL).frames
    assert [f.name for f in frames] == ["000000", "000001", "000002"]
    assert [f.stamp_ns for f in frames] == [12_500_000_000, 13_500_000_000, 14_500_000_000]
    assert np.allclose(frames[1].T_map_camera, pose(1))
    assert np.array_equal(frames[1].depth, depth_image(1))
    assert np.allclose(frames[1].camera.K, MATRIX[:3, :3])
    assert frames[2].camera.K[0, 0] == 33
    assert [f.name for f in read_scene(scene / "iphone", config=ALL).frames] == [f.name for f in frames]


def test_coarse_depth_comes_onto_the_grid_of_colour(tmp_path):
    scene = write_iphone(tmp_path / "0a5c013435", small_frames(1, 1920, 1440))
    small = np.full((192, 256), 1500, np.uint16)
    small[:, 128:] = 2500
    cv2.imwrite(str(scene / "iphone" / "depth" / "frame_000000.png"), small)
    frame = read_scene(scene).frames[0]
    assert frame.color.shape == (480, 640, 3)
    assert (frame.depth[:, :319] == 1500).all()
    assert (frame.depth[:, 321:] == 2500).all()


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_streams_of_the_download(tmp_path, packing):
    scene = streams(tmp_path, packing=packing)
    recording = read_scene(scene)
    assert [f.name for f in recording.frames] == ["000000", "000010"]
    kept = recording.frames[1]
    assert np.allclose(kept.T_map_camera, pose(10))
    assert kept.color.shape == (240, 320, 3)
    assert abs(int(kept.color[0, 0, 0]) - 100) <= 2  # color_image: red is ten times the number
    rows, columns = np.mgrid[120:121, 10:310]
    assert np.abs(kept.depth[rows, columns].astype(int) - (1100 + columns * 256 / 320)).max() <= 1
    assert recording.counts == {}


def test_frames_that_were_thinned_before_are_not_thinned_again(tmp_path):
    every_tenth = write_iphone(tmp_path / "a", small_frames(4), step=10)
    assert [f.name for f in read_scene(every_tenth).frames] == ["000000", "000010", "000020", "000030"]
    every_fifth = write_iphone(tmp_path / "b", small_frames(4), step=5)
    assert [f.name for f in read_scene(every_fifth).frames] == ["000000", "000010"]
    assert len(read_scene(write_iphone(tmp_path / "c", small_frames(4))).frames) == 1


def test_what_is_missing_costs_its_frame_and_is_counted(tmp_path):
    scene = write_iphone(tmp_path / "scene", small_frames(6))
    folder = scene / "iphone"
    records = json.loads((folder / "pose_intrinsic_imu.json").read_text())
    del records["frame_000000"]
    records["frame_000001"]["aligned_pose"] = [[float("nan")] * 4] * 4
    del records["frame_000002"]["intrinsic"]
    records["frame_000003"]["aligned_pose"] = "lost"
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(records))
    (folder / "depth" / "frame_000004.png").unlink()
    recording = read_scene(scene, config=ALL)
    assert [f.name for f in recording.frames] == ["000005"]
    assert recording.counts == {
        "pose missing": 1,
        "depth image missing": 1,
        "pose not finite (tracking lost)": 1,
        "damaged image": 1,
        "pose unreadable": 1,
    }


def test_a_stream_that_ends_early_gives_what_it_holds(tmp_path):
    scene = streams(tmp_path)
    path = scene / "iphone" / "depth.bin"
    path.write_bytes(path.read_bytes()[:-100])
    recording = read_scene(scene, config=ALL)
    assert [f.name for f in recording.frames] == [f"{n:06d}" for n in range(11)]
    scene = streams(tmp_path / "longer")
    write_video(scene / "iphone" / "rgb.mkv", small_frames(9, 320, 240))
    recording = read_scene(scene, config=ALL)
    assert len(recording.frames) == 9
    assert recording.counts == {"damaged image": 3}


def test_what_cannot_be_read_is_said(tmp_path):
    scene = write_iphone(tmp_path / "scene", small_frames(2))
    folder = scene / "iphone"
    shutil.rmtree(folder / "rgb")
    with pytest.raises(InputError, match=r"neither rgb/frame_<number>\.jpg nor rgb\.mkv"):
        read_scene(scene)
    (folder / "rgb.mkv").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot decode the video"):
        read_scene(scene)
    write_video(folder / "rgb.mkv", small_frames(2, 320, 240))
    shutil.rmtree(folder / "depth")
    with pytest.raises(InputError, match=r"nor depth\.bin"):
        read_scene(scene)
    (folder / "depth.bin").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_scene(scene)
    (folder / "depth.bin").write_bytes(depth_bin(lidar(2), "lz4"))
    for text, said in (("[]", "does not hold records"), ('{"image_1": {}}', "named frame_"), ("{}", "no frame of")):
        (folder / "pose_intrinsic_imu.json").write_text(text)
        with pytest.raises(InputError, match=said):
            read_scene(scene)


@pytest.mark.parametrize("packing", PACKINGS)
def test_lidar_frames_in_any_order(tmp_path, packing):
    images = lidar(4)
    (tmp_path / "depth.bin").write_bytes(depth_bin(images, packing))
    depth = LidarDepth(tmp_path / "depth.bin")
    for n in (2, 0, 3, 1, 1):
        assert np.array_equal(depth.frame(n), images[n])
    with pytest.raises(DamagedImageError):
        depth.frame(4)
    depth.close()


WHOLE = {packing: depth_bin(lidar(2), packing) for packing in PACKINGS}


@given(st.sampled_from(PACKINGS), st.data())
def test_wrong_bytes_give_a_frame_or_say_that_it_is_damaged(tmp_path_factory, packing, data):
    whole = bytearray(WHOLE[packing])
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("wrong") / "depth.bin"
    path.write_bytes(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    depth = LidarDepth(path)
    for n in range(2):
        with contextlib.suppress(DamagedImageError):
            assert depth.frame(n).shape == (HEIGHT, WIDTH)
    depth.close()

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from dataset_scenes import LOST, MATRIX, pose, sens_bytes, small_frames
from hypothesis import given
from hypothesis import strategies as st
from recordings import HEIGHT, WIDTH, color_image, depth_image

from any3dis_ros.config import InputConfig, KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets import sens
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.registration import register_depth
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.scene.frames import Camera

ALL = KeyframeConfig(stride=1)


def write(folder: Path, frames, **how) -> Path:
    scene = folder / "scene0000_00"
    scene.mkdir(exist_ok=True)
    (scene / "scene0000_00.sens").write_bytes(sens_bytes(frames, **how))
    return scene


@pytest.mark.parametrize("kinds", [(0, 0), (1, 1), (1, 0)])
def test_frames_poses_and_intrinsics_come_back(tmp_path, kinds):
    scene = write(tmp_path, small_frames(12), kinds=kinds)
    for path in (scene, scene / "scene0000_00.sens"):
        frames = read_scene(path, config=ALL).frames
        assert [f.name for f in frames] == [str(n) for n in range(12)]
        assert np.array_equal(frames[11].color, color_image(11))
        assert np.array_equal(frames[11].depth, depth_image(11))
        assert np.allclose(frames[11].T_map_camera, pose(11))
        assert np.allclose(frames[11].camera.K, MATRIX[:3, :3])
    assert [f.name for f in read_scene(scene).frames] == ["0", "10"]
    assert [f.name for f in read_scene(scene, ReadOptions(stride=5)).frames] == ["0", "5", "10"]


def test_jpeg_is_what_scannet_uses(tmp_path):
    frame = read_scene(write(tmp_path, small_frames(1), kinds=(2, 1)), config=ALL).frames[0]
    assert np.abs(frame.color.astype(int) - color_image(0)).mean() < 12


def test_the_depth_shift_scales_to_millimetres(tmp_path):
    frame = read_scene(write(tmp_path, small_frames(1), units=4000.0), config=ALL).frames[0]
    assert np.array_equal(frame.depth, depth_image(0))


def test_depth_in_its_own_resolution_comes_onto_the_grid_of_colour(tmp_path):
    frames = small_frames(1, 2 * WIDTH, 2 * HEIGHT)
    own = Camera(WIDTH, HEIGHT, MATRIX)
    frame = read_scene(write(tmp_path, frames, depth=(own, depth_image)), config=ALL).frames[0]
    assert frame.color.shape == (2 * HEIGHT, 2 * WIDTH, 3)  # under 640 pixels nothing is reduced
    assert np.array_equal(frame.depth[1::2, 1::2], depth_image(0))
    assert np.array_equal(frame.depth[::2, ::2], depth_image(0))


def test_colour_is_reduced_to_the_width_of_depth(tmp_path):
    frames = small_frames(1, 1296, 968)
    wide = Camera(640, 480, MATRIX @ np.diag([20.0, 20, 1, 1]))
    flat = np.full((480, 640), 1500, np.uint16)
    path = write(tmp_path, frames, depth=(wide, lambda n: flat))
    assert read_scene(path, config=ALL).frames[0].color.shape == (478, 640, 3)
    assert read_scene(path, ReadOptions(input=InputConfig(max_width_px=320))).frames[0].depth.shape == (239, 320)


def test_depth_beside_colour_is_registered(tmp_path):
    beside = np.eye(4)
    beside[0, 3] = 0.05  # the depth camera is 5 cm right of the colour camera
    path = write(tmp_path, small_frames(1), extrinsics=(np.eye(4), beside))
    frame = read_scene(path, config=ALL).frames[0]
    camera = Camera(WIDTH, HEIGHT, MATRIX)
    assert np.array_equal(frame.depth, register_depth(depth_image(0), camera, camera, beside))
    assert not np.array_equal(frame.depth, depth_image(0))
    assert np.allclose(frame.T_map_camera, pose(0))


def test_poses_are_those_of_the_base_that_the_extrinsics_name(tmp_path):
    beside = np.eye(4)
    beside[0, 3] = 0.05
    frame = read_scene(write(tmp_path, small_frames(2), extrinsics=(beside, beside)), config=ALL).frames[1]
    assert np.allclose(frame.T_map_camera, pose(1) @ beside)
    assert np.array_equal(frame.depth, depth_image(1))


def test_lost_tracking_is_left_out_and_counted(tmp_path, caplog):
    path = write(tmp_path, small_frames(4), poses={1: LOST, 2: np.diag([2.0, 1, 1, 1])})
    with caplog.at_level(logging.WARNING):
        recording = read_scene(path, config=ALL)
    assert [f.name for f in recording.frames] == ["0", "3"]
    assert recording.counts == {"pose not finite (tracking lost)": 1, "pose not rigid": 1}
    assert "frame 1" in caplog.text


def test_a_file_that_is_cut_off_gives_what_it_holds(tmp_path):
    whole = sens_bytes(small_frames(5))
    one = (len(whole) - len(sens_bytes(small_frames(3)))) // 2
    scene = write(tmp_path, small_frames(5))
    (scene / "scene0000_00.sens").write_bytes(whole[: -8 - one - 10])
    recording = read_scene(scene, config=ALL)
    assert [f.name for f in recording.frames] == ["0", "1", "2"]
    assert recording.counts == {"frame behind the end of the file": 2}


def test_a_damaged_image_costs_its_frame_alone(tmp_path):
    frames = small_frames(3)
    data = bytearray(sens_bytes(frames))
    first = data.index(b"\x89PNG")
    data[data.index(b"IEND", first) : data.index(b"IEND", first) + 4] = b"\0\0\0\0"
    scene = write(tmp_path, frames)
    (scene / "scene0000_00.sens").write_bytes(bytes(data))
    recording = read_scene(scene, config=ALL)
    assert [f.name for f in recording.frames] == ["1", "2"]
    assert recording.counts == {"damaged image": 1}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"version": 3}, "version 3"),
        ({"kinds": (1, 2)}, "'occi'"),
        ({"kinds": (7, 1)}, "'7'"),
        ({"units": 0.0}, "0.0 depth units"),
        ({"extrinsics": (np.eye(4), np.zeros((4, 4)))}, "not rigid"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, how, said):
    with pytest.raises(InputError, match=said):
        read_scene(write(tmp_path, small_frames(1), **how))


def test_intrinsics_are_the_files_own(tmp_path):
    with pytest.raises(InputError, match="leave --intrinsics out"):
        read_scene(write(tmp_path, small_frames(1)), ReadOptions(intrinsics=(1, 1, 1, 1)))


def test_exported_frames_go_before_the_stream(tmp_path):
    from recordings import write_folder

    scene = write_folder(tmp_path / "scene0000_00", 3)
    write(tmp_path, small_frames(12))
    assert len(read_scene(scene).frames) == 3
    for file in (scene / "pose").iterdir():
        file.unlink()
    (scene / "pose").rmdir()
    assert len(read_scene(scene, config=ALL).frames) == 12


def test_only_keyframes_are_decompressed(tmp_path, monkeypatch):
    seen = []
    original = sens.color_from_compressed
    monkeypatch.setattr(sens, "color_from_compressed", lambda data: seen.append(len(data)) or original(data))
    assert len(read_scene(write(tmp_path, small_frames(30))).frames) == 3
    assert len(seen) == 3


WHOLE = sens_bytes(small_frames(2))


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
def test_a_wrong_byte_or_an_early_end_is_an_input_error_or_costs_frames(at, value, end):
    data = bytearray(WHOLE)
    data[at] = value
    file = io.BytesIO(bytes(data[:end]))
    try:
        header = sens.read_header(file, Path("x.sens"))
        frames = sens.index_frames(file, header, end)
    except InputError:
        return
    assert len(frames) <= min(header.frames, 2)
    for frame in frames:
        assert frame.depth[0] + frame.depth[1] <= end

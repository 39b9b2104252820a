import cv2
import numpy as np
import pytest
from dataset_scenes import MATRIX, pose, small_frames, write_colmap, write_iphone
from recordings import HEIGHT, WIDTH, depth_image

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.layouts import map_mesh
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.scene.frames import Camera

ALL = KeyframeConfig(stride=1)
CAMERA = Camera(WIDTH, HEIGHT, MATRIX)
SHIFTED = {f"frame_{n:06d}.jpg": pose(n + 5) for n in (0, 2, 3)}  # elsewhere than ARKit says; frame 1 is not registered


@pytest.fixture
def scene(tmp_path):
    return write_iphone(tmp_path / "0a5c013435", small_frames(4))


def test_the_folder_asks_for_colmap_and_the_scene_for_arkit(scene):
    colmap = write_colmap(scene / "iphone" / "colmap", CAMERA, "PINHOLE", [], SHIFTED)
    assert np.allclose(read_scene(scene, config=ALL).frames[2].T_map_camera, pose(2))
    recording = read_scene(colmap, config=ALL)
    assert [f.name for f in recording.frames] == ["000000", "000002", "000003"]
    assert recording.counts == {}
    assert "COLMAP" in recording.description
    for frame, T in zip(recording.frames, SHIFTED.values(), strict=True):
        assert np.allclose(frame.T_map_camera, T)
        assert np.allclose(frame.camera.K, MATRIX[:3, :3])
    assert np.array_equal(recording.frames[1].depth, depth_image(2))
    (scene / "iphone" / "pose_intrinsic_imu.json").unlink()
    assert len(read_scene(scene, config=ALL).frames) == 3
    mesh = scene / "scans" / "mesh_aligned_0.05.ply"
    mesh.parent.mkdir()
    mesh.touch()
    assert map_mesh(colmap).samefile(mesh)


@pytest.mark.parametrize(
    ("model", "more", "undistort"),
    [
        ("OPENCV", [0.1, -0.05, 0.001, 0.002], cv2.undistort),
        ("OPENCV_FISHEYE", [0.1, -0.05, 0.0, 0.0], lambda i, K, D: cv2.fisheye.undistortImage(i, K, D, Knew=K)),
    ],
)
def test_distortion_is_taken_out_of_colour_and_depth(scene, model, more, undistort):
    colmap = write_colmap(scene / "iphone" / "colmap", CAMERA, model, more, SHIFTED)
    frame = read_scene(colmap, config=ALL).frames[0]
    jpeg = cv2.cvtColor(cv2.imread(str(scene / "iphone" / "rgb" / "frame_000000.jpg")), cv2.COLOR_BGR2RGB)
    expected = undistort(jpeg, CAMERA.K, np.array(more))
    assert np.abs(frame.color.astype(int) - expected.astype(int)).max() <= 2
    assert not np.array_equal(frame.color, jpeg)
    assert np.unique(frame.depth).size > 10  # the nearest of what was measured, no mean
    assert set(np.unique(frame.depth)) <= {0, *np.unique(depth_image(0))}


def test_one_focal_length(scene):
    square = Camera(WIDTH, HEIGHT, MATRIX)
    colmap = write_colmap(scene / "iphone" / "colmap", square, "SIMPLE_PINHOLE", [], SHIFTED)
    assert np.allclose(read_scene(colmap, config=ALL).frames[0].camera.K, MATRIX[:3, :3])


def test_what_cannot_be_read_is_said(scene):
    colmap = write_colmap(scene / "iphone" / "colmap", CAMERA, "PINHOLE", [], SHIFTED)
    cameras, images = (colmap / "cameras.txt").read_text(), (colmap / "images.txt").read_text()
    for file, text, said in (
        ("cameras.txt", cameras.replace("PINHOLE", "FOV"), "model FOV is not supported"),
        ("cameras.txt", "7 PINHOLE 32 24 30\n", "no COLMAP model"),
        ("cameras.txt", "8" + cameras.split("\n")[1][1:], "no COLMAP model"),
        ("images.txt", images.replace("frame_000000", "frame_first"), "no COLMAP model"),
        ("images.txt", "1 2 3\n", "no COLMAP model"),
    ):
        whole = (colmap / file).read_text()
        (colmap / file).write_text(text)
        with pytest.raises(InputError, match=said):
            read_scene(colmap)
        (colmap / file).write_text(whole)
    (colmap / "cameras.txt").unlink()
    with pytest.raises(InputError, match="cannot read the COLMAP model"):
        read_scene(colmap)

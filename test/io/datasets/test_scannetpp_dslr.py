import json

import numpy as np
import pytest
from boxes import POST, looking_at, render_boxes
from dataset_scenes import small_frames, write_dslr, write_iphone
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from any3dis_ros.config import InputConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.layouts import map_mesh
from any3dis_ros.io.datasets.scannetpp_dslr import pose_in_scan
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.scene.frames import Camera

CAMERA = Camera(160, 120, np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]))
POSES = {f"DSC0{n}.JPG": looking_at((2.0, n - 1.0, 1.4), (0.4, 0, 0.3)) for n in range(3)}


def test_depth_is_that_of_the_mesh_seen_by_the_camera(tmp_path):
    scene = write_dslr(tmp_path / "0a5c013435", CAMERA, POSES)
    recording = read_scene(scene)
    assert [f.name for f in recording.frames] == ["DSC00", "DSC01", "DSC02"]
    for frame, T in zip(recording.frames, POSES.values(), strict=True):
        assert np.allclose(frame.T_map_camera, T)
        assert np.allclose(frame.camera.K, CAMERA.K)
        expected = render_boxes([POST], T, CAMERA)[0].depth
        differs = np.abs(frame.depth.astype(int) - expected.astype(int)) > 1
        assert (expected > 0).sum() > 500
        assert differs.mean() < 0.002  # pixels whose centre lies on an edge
    assert map_mesh(scene) == scene / "scans" / "mesh_aligned_0.05.ply"
    assert map_mesh(scene / "dslr").samefile(map_mesh(scene))


def test_depth_is_rendered_for_the_reduced_photo(tmp_path):
    scene = write_dslr(tmp_path / "scene", CAMERA, POSES)
    frame = read_scene(scene, ReadOptions(input=InputConfig(max_width_px=80))).frames[0]
    expected = render_boxes([POST], next(iter(POSES.values())), CAMERA.resized(80, 60))[0].depth
    assert frame.depth.shape == (60, 80)
    assert (np.abs(frame.depth.astype(int) - expected.astype(int)) > 1).mean() < 0.004


def test_bad_photos_are_left_out_and_missing_ones_counted(tmp_path):
    scene = write_dslr(tmp_path / "scene", CAMERA, POSES, bad=["DSC01.JPG"])
    (scene / "dslr" / "resized_undistorted_images" / "DSC02.JPG").unlink()
    recording = read_scene(scene)
    assert [f.name for f in recording.frames] == ["DSC00"]
    assert recording.counts == {"photo marked as bad": 1, "damaged image": 1}


def test_the_phone_goes_first_and_the_folder_chooses(tmp_path):
    scene = write_dslr(write_iphone(tmp_path / "scene", small_frames(2)), CAMERA, POSES)
    assert "iPhone" in read_scene(scene).description
    assert "DSLR" in read_scene(scene / "dslr").description


def test_what_cannot_be_read_is_said(tmp_path):
    scene = write_dslr(tmp_path / "scene", CAMERA, POSES)
    path = scene / "dslr" / "nerfstudio" / "transforms_undistorted.json"
    whole = json.loads(path.read_text())
    for change, said in (
        ({"k1": 0.1}, "have distortion"),
        ({"fl_x": "wide"}, "no description"),
        ({"fl_x": -3}, "focal lengths"),
        ({"frames": [{}]}, "file_path"),
    ):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(InputError, match=said):
            read_scene(scene)
    path.write_text(json.dumps(whole))
    mesh = scene / "scans" / "mesh_aligned_0.05.ply"
    mesh.write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
        "end_header\n0 0 0\n"
    )
    with pytest.raises(InputError, match="no triangle mesh"):
        read_scene(scene)
    mesh.unlink()
    with pytest.raises(InputError, match="there is no mesh"):
        read_scene(scene)


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: sum(v * v for v in q) > 0.01),
    st.lists(st.floats(-10, 10), min_size=3, max_size=3),
)
def test_nerfstudio_poses_go_back_to_the_scan(quaternion, translation):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_quat(quaternion).as_matrix(), translation
    turned = T.copy()
    turned[:3, 1:3] *= -1
    turned = turned[[1, 0, 2, 3]]
    turned[2] *= -1
    assert np.allclose(pose_in_scan(turned.tolist()), T)


@pytest.mark.parametrize("value", [None, "lost", [[1, 2], [3, 4]], [[1], [2, 3]]])
def test_other_matrices_are_no_poses(value):
    assert pose_in_scan(value) is None

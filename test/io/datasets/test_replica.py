import json

import numpy as np
import pytest
from dataset_scenes import MATRIX, pose, small_frames, write_box_mesh, write_replica
from recordings import depth_image

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.layouts import map_mesh
from any3dis_ros.io.scenes import read_scene

ALL = KeyframeConfig(stride=1)


def test_frames_poses_scale_and_the_camera_beside_the_scene(tmp_path):
    scene = write_replica(tmp_path, small_frames(12))
    frames = read_scene(scene, config=ALL).frames
    assert [f.name for f in frames] == [f"{n:06d}" for n in range(12)]
    assert np.allclose(frames[11].T_map_camera, pose(11))
    assert np.array_equal(frames[11].depth, depth_image(11))  # 6553.5 a metre is fine enough for whole millimetres
    assert np.allclose(frames[0].camera.K, MATRIX[:3, :3])
    assert len(read_scene(scene).frames) == 2  # every tenth


def test_the_mesh_beside_the_scene_is_its_map(tmp_path):
    scene = write_replica(tmp_path, small_frames(1))
    assert map_mesh(scene) is None
    write_box_mesh(tmp_path / "office0_mesh.ply", [(np.zeros(3), np.ones(3))])
    assert map_mesh(scene).name == "office0_mesh.ply"


def test_what_is_missing_costs_its_frame_and_is_counted(tmp_path):
    scene = write_replica(tmp_path, small_frames(4))
    (scene / "results" / "depth000001.png").unlink()
    lines = (scene / "traj.txt").read_text().splitlines()
    lines[2] = lines[2].replace(lines[2].split()[0], "nan", 1)
    (scene / "traj.txt").write_text("\n".join(lines[:3]))
    recording = read_scene(scene, config=ALL)
    assert [f.name for f in recording.frames] == ["000000"]
    assert recording.counts == {
        "colour or depth image missing": 1,
        "pose not finite (tracking lost)": 1,
        "pose missing": 1,
    }


def test_what_cannot_be_read_is_said(tmp_path):
    scene = write_replica(tmp_path, small_frames(1))
    camera = tmp_path / "cam_params.json"
    whole = json.loads(camera.read_text())
    for text, said in (
        (json.dumps({"camera": {**whole["camera"], "scale": 0}}), "scale is 0"),
        (json.dumps({"camera": {**whole["camera"], "fx": -1}}), "focal lengths"),
        (json.dumps({"cam": {}}), "'camera'"),
        ("{", "no JSON"),
    ):
        camera.write_text(text)
        with pytest.raises(InputError, match=said):
            read_scene(scene)
    camera.unlink()
    with pytest.raises(InputError, match="nor beside it"):
        read_scene(scene)
    camera.write_text(json.dumps(whole))
    (scene / "traj.txt").unlink()
    with pytest.raises(InputError, match=r"traj\.txt"):
        read_scene(scene)

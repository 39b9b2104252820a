import logging

import numpy as np
import open3d as o3d
import pytest

from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud import read_cloud

POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
RGB = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]], np.uint8)
MAX = 1000


def cloud(points=POINTS, colors=True, normals=None):
    out = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    if colors:
        out.colors = o3d.utility.Vector3dVector(RGB / 255)
    if normals is not None:
        out.normals = o3d.utility.Vector3dVector(normals)
    return out


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".PLY"])
@pytest.mark.parametrize("normals", [None, np.tile([0, 0, 2.0], (4, 1))])
def test_cloud_round_trip(tmp_path, suffix, normals):
    path = tmp_path / f"map{suffix}"
    written = tmp_path / f"map{suffix.lower()}"
    o3d.io.write_point_cloud(str(written), cloud(normals=normals))
    written.rename(path)
    got = read_cloud(path, MAX)
    assert np.allclose(got.points, POINTS)
    assert np.array_equal(got.colors, RGB)
    assert got.edges is None
    if normals is None:
        assert got.normals is None
    else:
        assert np.allclose(got.normals, [[0, 0, 1]] * 4)


def test_faces_become_edges_each_once(tmp_path):
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(POINTS), o3d.utility.Vector3iVector([[0, 1, 2], [2, 3, 0]])
    )
    o3d.io.write_triangle_mesh(str(tmp_path / "mesh.ply"), mesh)
    got = read_cloud(tmp_path / "mesh.ply", MAX)
    assert got.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert got.edges.dtype == np.int32
    assert (got.colors == 128).all()


def test_points_that_are_not_finite_are_left_out_with_their_edges(tmp_path, caplog):
    lines = ["ply", "format ascii 1.0", "element vertex 4"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += ["element face 2", "property list uchar int vertex_indices", "end_header"]
    lines += ["0 0 0", "nan 0 0", "1 1 0", "0 1 0", "3 0 1 2", "3 2 3 0"]
    (tmp_path / "mesh.ply").write_text("\n".join(lines) + "\n")
    with caplog.at_level(logging.WARNING):
        got = read_cloud(tmp_path / "mesh.ply", MAX)
    assert got.points.tolist() == [[0, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert got.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert "1 of 4 points are not finite" in caplog.text


def test_normals_without_direction_are_none(tmp_path):
    normals = np.tile([0, 0, 1.0], (4, 1))
    normals[2] = 0
    o3d.io.write_point_cloud(str(tmp_path / "map.ply"), cloud(normals=normals))
    assert read_cloud(tmp_path / "map.ply", MAX).normals is None


def test_what_cannot_be_a_map(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_cloud(tmp_path / "map.ply", MAX)
    (tmp_path / "map.las").write_text("")
    with pytest.raises(InputError, match=r"is no cloud; expected one of \.ply, \.pcd"):
        read_cloud(tmp_path / "map.las", MAX)
    for suffix in ("ply", "pcd"):
        for content in (
            b"",
            b"rubbish",
            b"ply\nend_header\n",
            b"ply\nformat ascii 1.0\nelement vertex x\nend_header\n",
        ):
            (tmp_path / f"bad.{suffix}").write_bytes(content)
            with pytest.raises(InputError, match="is no valid"):
                read_cloud(tmp_path / f"bad.{suffix}", MAX)
    (tmp_path / "none.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nend_header\n")
    with pytest.raises(InputError, match="holds no points"):
        read_cloud(tmp_path / "none.ply", MAX)
    o3d.io.write_point_cloud(str(tmp_path / "map.ply"), cloud())
    with pytest.raises(InputError, match="holds 4 points; at most 3"):
        read_cloud(tmp_path / "map.ply", 3)
    o3d.io.write_point_cloud(str(tmp_path / "nan.pcd"), cloud(np.full((4, 3), np.nan)))
    with pytest.raises(InputError, match="none of the points"):
        read_cloud(tmp_path / "nan.pcd", MAX)


def test_faces_of_few_points_are_not_used(tmp_path, caplog):
    points = np.random.default_rng(0).random((50, 3))
    mesh = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(points), o3d.utility.Vector3iVector([[0, 1, 2]]))
    o3d.io.write_triangle_mesh(str(tmp_path / "mesh.ply"), mesh)
    got = read_cloud(tmp_path / "mesh.ply", MAX)
    assert got.edges is None
    assert len(got) == 50
    assert "only 3 of 50 points belong to a face" in caplog.text


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".ply", ".pcd"])
@pytest.mark.parametrize("how", [{}, {"write_ascii": True}, {"compressed": True}])
def test_a_file_that_was_cut_off_is_refused(tmp_path, suffix, how, share):
    points = np.random.default_rng(0).random((500, 3))
    path = tmp_path / f"map{suffix}"
    o3d.io.write_point_cloud(str(path), cloud(points, colors=False, normals=points), **how)
    assert len(read_cloud(path, MAX)) == 500
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share) - (60 if "write_ascii" in how else 0)])
    with pytest.raises(InputError, match=r"is cut off|holds no points"):
        read_cloud(path, MAX)


def test_a_mesh_that_was_cut_off_is_refused(tmp_path):
    mesh = o3d.geometry.TriangleMesh.create_sphere()
    for ascii_ in (True, False):
        o3d.io.write_triangle_mesh(str(tmp_path / "mesh.ply"), mesh, write_ascii=ascii_)
        assert read_cloud(tmp_path / "mesh.ply", MAX).edges is not None
        data = (tmp_path / "mesh.ply").read_bytes()
        (tmp_path / "mesh.ply").write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match=r"mesh\.ply is cut off"):
            read_cloud(tmp_path / "mesh.ply", MAX)

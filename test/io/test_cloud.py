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
        (tmp_path / f"bad.{suffix}").write_bytes(b"rubbish")
        with pytest.raises(InputError, match="holds no points, or is no valid"):
            read_cloud(tmp_path / f"bad.{suffix}", MAX)
    o3d.io.write_point_cloud(str(tmp_path / "map.ply"), cloud())
    with pytest.raises(InputError, match="holds 4 points; at most 3"):
        read_cloud(tmp_path / "map.ply", 3)
    o3d.io.write_point_cloud(str(tmp_path / "nan.pcd"), cloud(np.full((4, 3), np.nan)))
    with pytest.raises(InputError, match="none of the points"):
        read_cloud(tmp_path / "nan.pcd", MAX)

import collections

import numpy as np
import pytest
from boxes import BOXES
from dataset_annotations import write_replica_release
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud import read_cloud
from any3dis_ros.io.datasets.replica_truth import load_replica, majority, read_faces


@pytest.fixture
def scene(tmp_path):
    write_replica_release(tmp_path / "office_0", BOXES, 4, ["floor", "box", "pillar"])
    return tmp_path / "office_0"


def test_objects_of_faces_become_objects_of_vertices(scene):
    annotated = load_replica(scene)
    truth = annotated.truth
    assert np.array_equal(truth.instance, np.repeat([1, 2, 3], 6 * 25))
    assert truth.valid_ids.tolist() == [2, 3]
    assert np.allclose(truth.points[150:300].max(0), BOXES[1][1])
    assert load_replica(scene, stuff=["pillar"]).truth.valid_ids.tolist() == [1, 2]
    assert annotated.segment is None


def test_the_mesh_of_quads_is_a_map_with_the_same_vertices(scene):
    annotated = load_replica(scene)
    cloud = read_cloud(annotated.mesh, 10_000)
    assert np.array_equal(cloud.points, annotated.truth.points)
    assert len(cloud.edges) >= 6 * 40 * 3  # 40 sides of quads a side of a box, and diagonals


def test_what_cannot_be_read_is_said(scene):
    mesh = scene / "habitat" / "mesh_semantic.ply"
    data = mesh.read_bytes()
    for changed, said in (
        (data[:-1], "smaller than requested"),
        (data.replace(b"property int object_id", b"property int category"), "object_id"),
        (data.replace(b"binary_little", b"binary_bigger"), "no points that can be read"),
        (data[: -5 * 21] + b"\x03" + data[-5 * 21 + 1 :], "different numbers of corners"),
        (data[:-4] + b"\xff\xff\xff\xff", "object -1"),
    ):
        mesh.write_bytes(changed)
        with pytest.raises(InputError, match=said):
            load_replica(scene)
    mesh.write_bytes(data)
    (scene / "habitat" / "info_semantic.json").write_text('{"objects": [{"id": 1}]}')
    with pytest.raises(InputError, match="class_name"):
        load_replica(scene)


def test_faces_and_their_objects(scene):
    faces, objects = read_faces(scene / "habitat" / "mesh_semantic.ply")
    assert faces.shape == (3 * 6 * 16, 4)
    assert faces[0].tolist() == [0, 1, 6, 5]
    assert np.array_equal(objects, np.repeat([0, 1, 2], 96))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)), min_size=1))
def test_majority_is_the_vote_of_the_faces(rows):
    table = np.array(rows)
    votes: dict[int, collections.Counter] = collections.defaultdict(collections.Counter)
    for *corners, number in rows:
        for corner in corners:
            votes[corner][number] += 1
    expected = [min(votes[v], key=lambda o, v=v: (-votes[v][o], o)) if v in votes else -1 for v in range(8)]
    assert majority(table[:, :3], table[:, 3], 8).tolist() == expected

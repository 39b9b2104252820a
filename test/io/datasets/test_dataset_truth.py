import json
import logging

import numpy as np
import pytest
from boxes import BOXES
from dataset_annotations import annotate_scannet, annotate_scannetpp, groups_json, write_label_map
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets import scannet200
from any3dis_ros.io.datasets.annotations import Group, paint
from any3dis_ros.io.datasets.scannet200 import load_scannet200, read_label_map
from any3dis_ros.io.datasets.scannetpp_truth import load_scannetpp

HALVINGS = [1, 2, 1]
RUNS = [26, 98, 26]  # vertices of floor, crate, post
SEGMENTS = [3, 10, 17]
OBJECTS = [("floor", [3]), ("crate", [10]), ("post", [17])]


@pytest.fixture
def labels(tmp_path):
    return read_label_map(write_label_map(tmp_path / "labels.tsv"))


@pytest.fixture
def scannet(tmp_path):
    scene = tmp_path / "scene0000_00"
    scene.mkdir()
    assert annotate_scannet(scene, BOXES, HALVINGS, OBJECTS) == RUNS
    return scene


@pytest.fixture
def scannetpp(tmp_path):
    scene = tmp_path / "0a5c013435"
    assert annotate_scannetpp(scene, BOXES, HALVINGS, OBJECTS) == RUNS
    return scene


def test_there_are_200_categories_and_198_things():
    assert len(scannet200.CATEGORY_IDS) == 200
    assert len(scannet200.INSTANCE_IDS) == 198
    ids = scannet200.CATEGORY_IDS
    assert (sum(ids), sum(i * i for i in ids)) == (59240, 47481288)  # of VALID_CLASS_IDS_200 of the benchmark
    assert not {12, 20, 25, 30, 37, 43, 53, 60, 61, 81, 1177} & ids


def test_the_first_row_of_a_raw_label_counts(labels):
    assert labels == {"floor": 3, "crate": 8, "post": 39, "cat": 9999}


def test_objects_of_198_categories_are_things(scannet, labels):
    annotated = load_scannet200(scannet, labels)
    truth = annotated.truth
    assert truth.points.shape == (sum(RUNS), 3)
    assert np.array_equal(truth.instance, np.repeat([1, 2, 3], RUNS))
    assert truth.valid_ids.tolist() == [2, 3]
    assert np.array_equal(annotated.segment, np.repeat([0, 1, 2], RUNS))
    assert np.allclose(truth.points[RUNS[0] :].min(0), [-0.6, -0.3, 0])  # what comes after the floor is the boxes


def test_the_later_object_has_a_shared_segment_and_other_labels_are_void(scannet, labels, caplog):
    path = scannet / "scene0000_00.aggregation.json"
    path.write_text(groups_json([("crate", [10, 17, 99]), ("cat", [17]), ("lamp post", [3])]))
    with caplog.at_level(logging.WARNING):
        truth = load_scannet200(scannet, labels).truth
    assert np.array_equal(truth.instance, np.repeat([3, 1, 2], RUNS))
    assert truth.valid_ids.tolist() == [1]
    assert "lamp post" in caplog.text
    path.write_text(groups_json([("floor", [3])]))
    truth = load_scannet200(scannet, labels).truth
    assert len(truth.valid_ids) == 0  # a room of walls alone is scored, too: whatever is found there lies on void
    assert np.array_equal(truth.instance, np.repeat([1, 0, 0], RUNS))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("scene0000_00.aggregation.json", "{}", "no list segGroups"),
        ("scene0000_00.aggregation.json", '{"segGroups": [{"objectId": 0}]}', "no list segGroups"),
        ("scene0000_00_vh_clean_2.0.010000.segs.json", '{"segIndices": [0, 1]}', "its segments are of 2"),
        ("scene0000_00_vh_clean_2.0.010000.segs.json", '{"segIndices": [0, -1]}', "one segment for each vertex"),
        ("scene0000_00_vh_clean_2.0.010000.segs.json", '{"segIndices": [[0]]}', "one segment for each vertex"),
        ("scene0000_00_vh_clean_2.0.010000.segs.json", '{"segIndices": [0', "cut off"),
        ("scene0000_00_vh_clean_2.0.010000.segs.json", None, "cannot read"),
        ("scene0000_00_vh_clean_2.ply", None, "there is no cloud"),
    ],
)
def test_files_that_are_missing_damaged_or_of_another_scene_are_named(scannet, labels, file, text, said):
    (scannet / file).unlink() if text is None else (scannet / file).write_text(text)
    with pytest.raises(InputError, match=said) as error:
        load_scannet200(scannet, labels)
    assert "scene0000_00_vh_clean_2" in str(error.value) or file in str(error.value)


def test_two_objects_of_one_id_are_refused(scannet, labels):
    groups = json.loads(groups_json(OBJECTS))
    groups["segGroups"][1]["objectId"] = 0
    (scannet / "scene0000_00.aggregation.json").write_text(json.dumps(groups))
    with pytest.raises(InputError, match="not distinct"):
        load_scannet200(scannet, labels)


def test_a_table_that_is_no_label_map_is_refused(tmp_path):
    path = tmp_path / "labels.tsv"
    for text, said in (
        ("id\tname\n1\twall\n", "raw_category"),
        ("id\traw_category\nx\twall\n", "line 2"),
        ("", "no la"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_label_map(path)
    with pytest.raises(InputError, match="cannot read"):
        read_label_map(tmp_path / "none.tsv")


def test_scannetpp_things_are_the_classes_of_the_user(scannetpp):
    truth = load_scannetpp(scannetpp, ["crate", "post"]).truth
    assert np.array_equal(truth.instance, np.repeat([1, 2, 3], RUNS))
    assert truth.valid_ids.tolist() == [2, 3]
    assert load_scannetpp(scannetpp, ["post"]).truth.valid_ids.tolist() == [3]


def test_the_smallest_object_of_those_considered_has_a_shared_vertex(scannetpp):
    path = scannetpp / "scans" / "segments_anno.json"
    path.write_text(groups_json([("crate", [10]), ("furniture", [10, 17]), ("sticker", [10])]))
    truth = load_scannetpp(scannetpp, ["crate", "furniture"]).truth
    # crate and sticker are of one size: the later one has the vertices, and it is no thing
    assert np.array_equal(truth.instance, np.repeat([0, 3, 2], RUNS))
    assert truth.valid_ids.tolist() == [2]
    truth = load_scannetpp(scannetpp, ["crate", "furniture"], semantic=["crate", "furniture"]).truth
    assert np.array_equal(truth.instance, np.repeat([0, 1, 2], RUNS))


def test_anonymous_vertices_do_not_count(scannetpp):
    mask = scannetpp / "scans" / "mesh_aligned_0.05_mask.txt"
    whole = load_scannetpp(scannetpp, ["crate", "post"]).truth
    mask.write_text("0\n1\n30\n")
    annotated = load_scannetpp(scannetpp, ["crate", "post"])
    assert np.array_equal(annotated.truth.points, np.delete(whole.points, [0, 1, 30], 0))
    assert np.array_equal(annotated.truth.instance, np.delete(whole.instance, [0, 1, 30]))
    assert len(annotated.segment) == sum(RUNS)  # of the mesh, all of it
    mask.write_text(" ".join(str(k) for k in range(26, 124)))
    assert load_scannetpp(scannetpp, ["crate", "post"]).truth.valid_ids.tolist() == [3]
    mask.write_text("")
    assert len(load_scannetpp(scannetpp, ["post"]).truth.points) == sum(RUNS)
    mask.write_text(str(sum(RUNS)))
    with pytest.raises(InputError, match="does not list vertices"):
        load_scannetpp(scannetpp, ["post"])


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.lists(st.integers(-1, 12), max_size=4), max_size=5),
)
def test_painting_is_asking_every_group_for_every_vertex(segments, groups):
    given_groups = [Group(k, "x", np.array(g, np.int64)) for k, g in enumerate(groups)]
    expected = [max((k + 1 for k, g in enumerate(groups) if s in g), default=0) for s in segments]
    painted = paint(np.array(segments), given_groups, [k + 1 for k in range(len(groups))])
    assert painted.tolist() == expected

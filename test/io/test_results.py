"""What is written is read back the same, by us and by others; what fails leaves nothing half-written."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_result import SIDE, small_result

from any3dis_ros.config import Config, MergingConfig, OutputConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io import results
from any3dis_ros.io.archive import load_archive, plain, save_archive
from any3dis_ros.io.results import load_results, write_results
from any3dis_ros.objects.instances import Instances
from any3dis_ros.tracking.masks import PackedMask

CUBE = SIDE**3


@pytest.fixture
def written(tmp_path):
    instances, frames = small_result()
    config = Config(merging=MergingConfig(duplicate_iou=0.7))
    return tmp_path / "out", instances, write_results(instances, tmp_path / "out", config, frames, "a room/1")


def assert_same(a: Instances, b: Instances) -> None:
    for name in ("points", "colors", "superpoint", "proposals", "scores", "labels", "ids"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype, name
    assert a.best_views == b.best_views
    assert [list(m) for m in a.masks] == [list(m) for m in b.masks]
    for one, other in zip(a.masks, b.masks, strict=True):
        for t in one:
            assert one[t].frame_shape == other[t].frame_shape
            np.testing.assert_array_equal(one[t].dense(), other[t].dense())
    assert a.statistics == b.statistics


def test_files(written):
    folder, _, paths = written
    assert [p.name for p in paths] == ["instances.ply", "instances.npz", "scannet", "instances.json"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in paths)


def test_ply_read_by_open3d(written):
    folder, instances, _ = written
    cloud = o3d.t.io.read_point_cloud(str(folder / "instances.ply"))
    np.testing.assert_array_equal(cloud.point.positions.numpy(), instances.points)
    np.testing.assert_array_equal(cloud.point.colors.numpy(), instances.colors)
    np.testing.assert_array_equal(cloud.point["label"].numpy().ravel(), np.repeat([1, 1, 0], CUBE))
    np.testing.assert_array_equal(cloud.point["instance_id"].numpy().ravel(), np.repeat([1, 2, 0], CUBE))


def test_archive_gives_the_same_segmentation(written):
    folder, instances, _ = written
    assert_same(load_results(folder), instances)
    assert_same(load_results(folder / "instances.npz"), instances)


def test_archive_can_be_read_without_us(written):
    with np.load(written[0] / "instances.npz", allow_pickle=False) as data:
        assert data["ids"].tolist() == [1, 2]
        np.testing.assert_allclose(data["centroids"], [[0.05, 0.05, 0.05], [0.55, 0.05, 0.05]], atol=1e-6)
        np.testing.assert_allclose(data["box_sizes"], np.full((2, 3), 0.1), atol=1e-6)
        np.testing.assert_allclose(data["aabbs"][1], [[0.5, 0, 0], [0.6, 0.1, 0.1]], atol=1e-6)
        packed = np.unpackbits(data["proposals"], axis=1, count=int(data["superpoints"]))
        assert packed.tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0]]


def test_ids_are_what_every_file_speaks_and_come_back(tmp_path):
    instances, frames = small_result()
    instances = dataclasses.replace(instances, ids=np.array([70_000, 1, 9], np.int32))  # rank 2 is object 1
    write_results(instances, tmp_path, Config(), frames)
    assert_same(load_results(tmp_path), instances)
    ids = np.repeat([70_000, 1, 0], CUBE)
    cloud = o3d.t.io.read_point_cloud(str(tmp_path / "instances.ply"))
    np.testing.assert_array_equal(cloud.point["instance_id"].numpy().ravel(), ids)
    assert [i["id"] for i in json.loads((tmp_path / "instances.json").read_text())["instances"]] == [70_000, 1]
    with np.load(tmp_path / "instances.npz", allow_pickle=False) as data:
        assert data["ids"].tolist() == [70_000, 1]
        np.testing.assert_array_equal(data["labels"], ids)


def test_files_from_before_proposals_had_ids(written):
    folder, instances, _ = written
    with np.load(folder / "instances.npz") as data:
        np.savez(folder / "instances.npz", **{k: v for k, v in data.items() if k != "proposal_ids"})
    assert_same(load_results(folder), instances)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"proposal_ids": np.array([1, 1, 2])}, "the 3 proposals have no positive, distinct ids"),
        ({"proposal_ids": np.array([0, 1, 2])}, "the 3 proposals have no positive, distinct ids"),
        ({"proposal_ids": np.array([1, 2])}, "the 3 proposals have no positive, distinct ids"),
        ({"labels": np.full(3 * CUBE, 4)}, "a point belongs to an object that is not there"),
        ({"labels": np.full(3 * CUBE, -1)}, "a point belongs to an object that is not there"),
    ],
)
def test_ids_that_cannot_be(written, broken, says):
    path = written[0] / "instances.npz"
    with np.load(path) as data:
        np.savez(path, **{**data, **broken})
    with pytest.raises(InputError, match=says):
        load_results(path)


@settings(max_examples=20)
@given(
    hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=20)),
    st.lists(hnp.arrays(bool, (7, 9)), max_size=3),
)
def test_archive_round_trip(tmp_path_factory, proposals, masks):
    Q, L = proposals.shape
    path = tmp_path_factory.mktemp("archive") / "instances.npz"
    packed = {3 * i: PackedMask.pack(mask, (14, 18)) for i, mask in enumerate(masks)}
    instances = Instances(
        points=np.arange(3 * L, dtype=np.float32).reshape(-1, 3),
        colors=np.zeros((L, 3), np.uint8),
        superpoint=np.arange(L, dtype=np.int32),
        proposals=proposals,
        scores=np.linspace(1, 0, Q, dtype=np.float32),
        labels=np.zeros(L, np.int32),
        best_views=tuple(tuple(range(q % 3)) for q in range(Q)),
        masks=tuple(packed for _ in range(Q)),
    )
    save_archive(path, instances)
    assert_same(load_archive(path), instances)


def test_json(written):
    data = json.loads((written[0] / "instances.json").read_text())
    assert data["schema"] == 1
    assert (data["points"], data["labelled_points"], data["proposals"]) == (3 * CUBE, 2 * CUBE, 3)
    assert data["parameters"]["merging"]["duplicate_iou"] == 0.7
    assert data["versions"]["numpy"] == np.__version__
    assert data["statistics"]["seconds"] == {"tracking": 1.5, "merging": 0.25}
    first, second = data["instances"]
    assert (first["id"], first["score"], first["points"]) == (1, 0.9, CUBE)
    assert first["best_keyframes"] == [
        {"index": 1, "name": "second", "stamp": 2 * 10**9},
        {"index": 0, "name": "first", "stamp": 10**9},
    ]
    assert second["centroid"] == [0.55, 0.05, 0.05]
    assert second["axis_aligned_box"] == {"min": [0.5, 0.0, 0.0], "max": [0.6, 0.1, 0.1]}
    box = second["oriented_box"]
    assert (box["center"], box["size"], box["quaternion"]) == ([0.55, 0.05, 0.05], [0.1, 0.1, 0.1], [0, 0, 0, 1])


def test_scannet_predictions(written):
    folder, instances, _ = written
    lines = (folder / "scannet" / "a_room_1.txt").read_text().splitlines()
    assert lines[1] == "predicted_masks/a_room_1_001.txt 1 0.625000"
    assert len(lines) == 3
    for q, line in enumerate(lines):
        name, label, score = line.split()
        assert (label, float(score)) == ("1", pytest.approx(instances.scores[q]))
        mask = np.loadtxt(folder / "scannet" / name, dtype=int)
        np.testing.assert_array_equal(mask, instances.proposal_points(q))


def test_scannet_masks_are_left_out_when_too_large(tmp_path, caplog):
    instances, frames = small_result()
    with caplog.at_level(logging.WARNING):
        write_results(instances, tmp_path, Config(output=OutputConfig(scannet_max_mb=0.001)), frames)
    assert not (tmp_path / "scannet").exists()
    assert "scannet_max_mb" in caplog.text


def test_second_run_replaces_the_first(written):
    folder, instances, _ = written
    (folder / "notes.txt").write_text("mine")
    (folder / "report.html").write_text("of the first run")
    fewer = dataclasses.replace(
        instances,
        proposals=instances.proposals[:1],
        scores=instances.scores[:1],
        labels=np.where(instances.labels == 1, 1, 0).astype(np.int32),
        best_views=instances.best_views[:1],
        masks=instances.masks[:1],
    )
    write_results(fewer, folder, Config(), (), "a room/1")
    assert_same(load_results(folder), fewer)
    assert len(list((folder / "scannet" / "predicted_masks").iterdir())) == 1
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "report.html").exists()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("step", ["_write_ply", "save_archive", "_write_scannet", "describe"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_interrupted_run_leaves_the_former_results(written, monkeypatch, step, failure):
    folder, instances, _ = written
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    def fail(*_):
        raise failure

    monkeypatch.setattr(results, step, fail)
    with pytest.raises((KeyboardInterrupt, InputError)) as caught:
        write_results(instances, folder, Config())
    if isinstance(failure, OSError):
        assert "No space left on device" in str(caught.value)
        assert str(folder) in str(caught.value)
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before


def test_results_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*instances\.npz: No such file"):
        load_results(tmp_path)
    (tmp_path / "instances.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="is no segmentation"):
        load_results(tmp_path)
    np.savez(tmp_path / "instances.npz", points=np.zeros((1, 3)))
    with pytest.raises(InputError, match="is no segmentation"):
        load_results(tmp_path)
    np.savez(tmp_path / "instances.npz", schema=99)
    with pytest.raises(InputError, match="has schema 99; this version reads 1"):
        load_results(tmp_path)


def test_truncated_archive(written):
    path = written[0] / "instances.npz"
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load_results(path)


def test_plain_values():
    value = {1: np.float32(0.5), "a": (np.int64(3), [np.nan]), "b": np.array([True, False]), "c": Path("x"), "d": None}
    assert plain(value) == {"1": 0.5, "a": [3, [None]], "b": [True, False], "c": "x", "d": None}
    json.dumps(plain(value), allow_nan=False)

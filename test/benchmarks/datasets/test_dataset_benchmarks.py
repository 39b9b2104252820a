"""Each driver from a tiny copy of its data set to the table: two boxes, a tracker that knows them, AP by hand."""

import csv
import json
import logging
import sys

import numpy as np
import pytest
from boxes import BOXES, PerfectTracker
from dataset_annotations import (
    annotate_scannet,
    annotate_scannetpp,
    groups_json,
    write_label_map,
    write_replica_release,
)
from dataset_scenes import sens_bytes, write_iphone, write_replica
from scene_folder import write_scene_folder

from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import SceneOverlap
from benchmarks import cli
from benchmarks.datasets import kept
from benchmarks.datasets import run as driver
from benchmarks.datasets.kept import SceneResult, Store

HALVINGS = [4, 4, 3]  # floor, crate, post: 1538, 1538 and 386 vertices
OBJECTS = [("floor", [3]), ("crate", [10]), ("post", [17])]
AS_ONE = [("floor", [3]), ("crate", [10, 17])]  # the crate is 0.799 of it, the post 0.201


@pytest.fixture(autouse=True)
def perfect(two_boxes, monkeypatch):
    monkeypatch.setattr(driver, "make_tracker", lambda config: PerfectTracker(two_boxes[1]))


@pytest.fixture
def scannet(tmp_path, two_boxes):
    """Two scenes: one as exported frames, one as .sens where crate and post are annotated as one object."""
    root = tmp_path / "scannet"
    exported = write_scene_folder(root / "scans" / "scene0000_00", two_boxes[0])
    annotate_scannet(exported, BOXES, HALVINGS, OBJECTS)
    stream = root / "scans" / "scene0001_00"
    stream.mkdir()
    (stream / "scene0001_00.sens").write_bytes(sens_bytes(two_boxes[0]))
    annotate_scannet(stream, BOXES, HALVINGS, AS_ONE)
    write_label_map(root / "scannetv2-labels.combined.tsv")
    return root


def bench(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["before"])
    return cli.main([str(a) for a in arguments])


def pooled(folder):
    """The pooled table by confidence, percent."""
    lines = [line.strip("| ").split("|") for line in (folder / "table.md").read_text().splitlines() if line[:1] == "|"]
    head, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: dict(zip(head[1:], map(float, row[1:]), strict=True)) for row in rows}


def by_scene(folder):
    with (folder / "table.csv").open() as file:
        return {row["scene"]: row for row in csv.DictReader(line for line in file if not line.startswith("# "))}


GIVEN = ("--superpoints", "given", "--stride", "1", "--quiet")


def test_scannet200_pools_its_scenes_to_the_ap_that_hand_computation_gives(scannet, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert bench(monkeypatch, "scannet200", scannet, *GIVEN, "--output", out) == 0
    # up to IoU 0.75: three objects found, the post of the second scene wrong: r = 1, p = 3/4, AP = r (1 + p) / 2;
    # beyond: the crate of the second scene is wrong, too: r = 2/3, p = 2/4
    low, high = 0.875, 0.5
    constant = pooled(out)["constant"]
    assert constant["ap50"] == constant["ap25"] == 87.5
    assert constant["ap"] == pytest.approx(100 * (6 * low + 4 * high) / 10, abs=0.06)
    assert constant["ap_to_90"] == pytest.approx(100 * (6 * low + 3 * high) / 9, abs=0.06)
    assert constant["rc"] == pytest.approx(100 * (6 + 4 * 2 / 3) / 10, abs=0.06)
    assert (constant["precision50"], constant["objects"]) == (75.0, 3)
    scenes = by_scene(out)
    assert float(scenes["scene0000_00"]["ap"]) == 1.0
    assert float(scenes["scene0001_00"]["rc50"]) == 1.0
    assert scenes["scene0000_00"]["keyframes"] == scenes["scene0001_00"]["keyframes"] == "8"
    assert scenes["scene0000_00"]["superpoints"] == "3"
    text = (out / "table.md").read_text()
    assert "198 categories" in text
    assert "open3d 0." in text
    assert "engine: perfect" in text


def test_an_interrupted_run_goes_on_and_other_settings_are_refused(scannet, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    measured = []
    original = driver.measure

    def interrupted(scene, *rest):
        measured.append(scene.name)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return original(scene, *rest)

    monkeypatch.setattr(driver, "measure", interrupted)
    arguments = ("scannet200", scannet, *GIVEN, "--output", out)
    assert bench(monkeypatch, *arguments) == 130
    assert not (out / "table.md").exists()
    assert bench(monkeypatch, *arguments) == 0
    assert measured == ["scene0000_00", "scene0001_00", "scene0001_00"]
    assert bench(monkeypatch, *arguments) == 0
    assert len(measured) == 3
    assert bench(monkeypatch, *arguments, "--set", "merging.containment=0.9") == 2
    assert "other settings (parameters.merging.containment)" in capsys.readouterr().err
    file = out / "scenes" / "scene0000_00.npz"
    file.write_bytes(file.read_bytes()[:50])  # damaged: computed again
    assert bench(monkeypatch, *arguments) == 0
    assert measured[3:] == ["scene0000_00"]


def test_a_scene_that_cannot_be_read_is_named_and_left_out(scannet, tmp_path, monkeypatch, caplog):
    (scannet / "scans" / "scene0001_00" / "scene0001_00.sens").write_bytes(b"\x03\0\0\0")
    out = tmp_path / "out"
    with caplog.at_level(logging.WARNING):
        assert bench(monkeypatch, "scannet200", scannet, *GIVEN, "--output", out) == 0
    assert "left out scene0001_00" in caplog.text
    assert pooled(out)["own"]["ap"] == 100.0
    assert "Left out, 1 scenes:\n\n- scene0001_00:" in (out / "table.md").read_text()
    (scannet / "scans" / "scene0000_00" / "scene0000_00_vh_clean_2.ply").unlink()
    assert bench(monkeypatch, "scannet200", scannet, *GIVEN, "--output", tmp_path / "none") == 2


def test_splits_single_scenes_fused_maps_and_own_superpoints(scannet, tmp_path, monkeypatch, capsys):
    (scannet / "val.txt").write_text("scene0000_00\n")
    settings = ("--stride", "1", "--quiet", "--map", "fused", "--set", "map.voxel_size_m=0.02")
    assert bench(monkeypatch, "scannet200", scannet, "--split", "val", *settings, "--output", tmp_path / "a") == 0
    row = by_scene(tmp_path / "a")["scene0000_00"]
    assert int(row["points"]) > 1000
    assert (
        float(row["rc25"]) == 1.0
    )  # fused depth of 160×120 pixels, held against the whole boxes, lower sides included
    assert "map.voxel_size_m=0.02" in (tmp_path / "a" / "table.md").read_text()
    one = scannet / "scans" / "scene0000_00"
    assert bench(monkeypatch, "scannet200", one, *GIVEN, "--output", tmp_path / "b") == 0  # the label map is above it
    assert list(by_scene(tmp_path / "b")) == ["scene0000_00"]
    (scannet / "val.txt").write_text("scene0000_00\nscene0404_00\n")
    for arguments, said in (
        (("--split", "val"), "scene0404_00"),
        (("--split", "test"), "no split test"),
        (("--superpoints", "given", "--map", "fused"), "--map mesh alone"),
        (("--labels", tmp_path / "none.tsv"), "no label map"),
    ):
        assert bench(monkeypatch, "scannet200", scannet, "--quiet", "--output", tmp_path / "c", *arguments) == 2
        assert said in capsys.readouterr().err


def test_scannetpp_scores_the_classes_of_the_users_lists(tmp_path, two_boxes, monkeypatch):
    root = tmp_path / "scannetpp"
    scene = write_iphone(root / "data" / "0a5c013435", two_boxes[0], step=10)
    annotate_scannetpp(scene, BOXES, HALVINGS, [*OBJECTS, ("sticker", [10])])
    (root / "metadata").mkdir()
    (root / "metadata" / "instance_classes.txt").write_text("crate\npost\n")
    (root / "metadata" / "semantic_classes.txt").write_text("floor\ncrate\npost\n")
    (root / "splits").mkdir()
    (root / "splits" / "nvs_sem_val.txt").write_text("0a5c013435\n")
    settings = ("--superpoints", "given", "--quiet", "--split", "nvs_sem_val")
    assert bench(monkeypatch, "scannetpp", root, *settings, "--output", tmp_path / "a") == 0
    assert pooled(tmp_path / "a")["own"]["ap"] == 100.0
    assert by_scene(tmp_path / "a")["0a5c013435"]["objects"] == "2"
    (tmp_path / "crates.txt").write_text("crate\n")
    one = ("--classes", tmp_path / "crates.txt")
    assert bench(monkeypatch, "scannetpp", root, *settings, *one, "--output", tmp_path / "b") == 0
    assert by_scene(tmp_path / "b")["0a5c013435"]["objects"] == "1"
    assert pooled(tmp_path / "b")["own"]["ap"] == 100.0  # the post lies on void, and is no error
    (scene / "scans" / "segments_anno.json").write_text(groups_json([("crate", [10, 17]), ("floor", [3])]))
    assert bench(monkeypatch, "scannetpp", root, *settings, "--output", tmp_path / "c") == 0
    # constant confidence: one object found up to IoU 0.75 beside one wrong proposal, then two wrong ones
    assert pooled(tmp_path / "c")["constant"]["ap"] == pytest.approx(100 * 6 * 0.75 / 10, abs=0.06)


def test_replica_scores_frames_and_release_together(tmp_path, two_boxes, monkeypatch, capsys):
    write_replica(tmp_path / "Replica", two_boxes[0])
    write_replica_release(tmp_path / "replica_v1" / "office_0", BOXES, 16, ["floor", "box", "pillar"])
    arguments = ("replica", tmp_path / "Replica", "--stride", "1", "--quiet")
    truth = ("--truth", tmp_path / "replica_v1")
    assert bench(monkeypatch, *arguments, *truth, "--output", tmp_path / "a") == 0
    row = by_scene(tmp_path / "a")["office0"]
    assert (row["objects"], row["keyframes"], row["points"]) == ("2", "8", str(3 * 6 * 17**2))
    assert float(row["rc50"]) == 1.0
    assert bench(monkeypatch, *arguments, *truth, "--stuff", "--output", tmp_path / "b") == 0
    assert by_scene(tmp_path / "b")["office0"]["objects"] == "3"
    assert bench(monkeypatch, *arguments, "--truth", tmp_path, "--output", tmp_path / "c") == 2
    assert "neither office_0/habitat nor office0/habitat" in capsys.readouterr().err


def test_settings_name_what_differs():
    assert kept._differing({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 5}, "e": 3}) == ["a.c", "d", "e"]


def test_results_come_back_as_they_were_kept(tmp_path):
    overlap = SceneOverlap(
        np.array([0.5, 0.25]),
        np.array([[3], [4]]),
        np.array([5, 6]),
        np.array([2, 2]),
        np.array([9]),
        np.array([7]),
    )
    store = Store(tmp_path / "scenes", {"map": "mesh"})
    assert store.load("a") is None
    store.keep("a", SceneResult(overlap, {"keyframes": np.int64(3)}))
    found = Store(tmp_path / "scenes", {"map": "mesh"}).load("a")
    assert found.told == {"keyframes": 3}
    for name in ("scores", "intersection", "predicted", "void", "truth", "ids"):
        assert np.array_equal(getattr(found.overlap, name), getattr(overlap, name))
    (tmp_path / "scenes" / "settings.json").write_text(json.dumps({"map": "fused"}))
    with pytest.raises(InputError, match=r"other settings \(map\)"):
        Store(tmp_path / "scenes", {"map": "mesh"})

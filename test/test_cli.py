from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from any3dis_ros import cli
from any3dis_ros.io.results import load_results


@pytest.fixture(scope="session")
def folder(two_boxes, tmp_path_factory):
    """The box scene as an exported folder, with its ground truth."""
    root = tmp_path_factory.mktemp("scene")
    frames, _ = two_boxes
    for name in ("color", "depth", "pose", "intrinsic"):
        (root / name).mkdir()
    for i, f in enumerate(frames):
        cv2.imwrite(str(root / f"color/{i}.png"), f.color[..., ::-1])
        cv2.imwrite(str(root / f"depth/{i}.png"), f.depth)
        np.savetxt(root / f"pose/{i}.txt", f.T_map_camera)
    K = np.eye(4)
    K[:3, :3] = frames[0].camera.K
    for kind in ("color", "depth"):
        np.savetxt(root / f"intrinsic/intrinsic_{kind}.txt", K)
    return root


@pytest.fixture(scope="session")
def segmented(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "result"
    assert cli.main(["segment", str(folder), "-o", str(out), "--set", "map.voxel_size_m=0.03", "--quiet"]) == 0
    return out


def test_segment_leaves_every_file(segmented):
    names = {p.name for p in segmented.iterdir()}
    assert {"instances.ply", "instances.npz", "instances.json", "report.html", "scannet"} <= names
    told = json.loads((segmented / "instances.json").read_text())
    assert told["parameters"]["map"]["voxel_size_m"] == 0.03
    assert told["statistics"]["engine"] == "geometric"
    assert {"reading", "map", "tracking"} <= set(told["statistics"]["seconds"])
    assert len(told["instances"]) == len(load_results(segmented).instances) >= 2


def test_the_crate_and_the_post_are_found(segmented):
    sizes = [sorted(np.round(o.box.size, 2)) for o in load_results(segmented).instances]
    assert any(np.allclose(s, [0.5, 0.5, 0.6], atol=0.08) for s in sizes)
    assert any(np.allclose(s, [0.3, 0.4, 0.8], atol=0.08) for s in sizes)


def test_evaluate_prints_ap(segmented, tmp_path, capsys):
    result = load_results(segmented)
    np.savez(tmp_path / "scene_gt.npz", xyz=result.points, instance=result.labels)
    assert cli.main(["evaluate", str(segmented), str(tmp_path / "scene_gt.npz")]) == 0
    table = capsys.readouterr().out
    assert "AP50" in table
    assert "own" in table
    assert "constant" in table


def test_config_prints_yaml_that_is_taken_back(capsys, tmp_path, folder):
    assert cli.main(["config"]) == 0
    path = tmp_path / "any3dis.yaml"
    path.write_text(capsys.readouterr().out)
    options = cli._parser().parse_args(
        ["segment", "x", "-o", "y", "--config", str(path), "--set", "keyframes.stride=3"]
    )
    assert cli.configuration(options).keyframes.stride == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segment", "/nowhere/at/all", "-o", "{out}"], "/nowhere/at/all does not exist"),
        (["segment", "{folder}", "-o", "{out}", "--set", "map.voxel_size"], "map.voxel_size"),
        (["segment", "{folder}", "-o", "{out}", "--set", "map.voxels=1"], "did you mean"),
        (["segment", "{folder}", "-o", "{out}", "--set", "tracker.engine=sam2"], "SAM 2|sam2"),
        (["segment", "{folder}", "-o", "{out}", "--config", "/nowhere.yaml"], "nowhere.yaml"),
        (["segment", "{folder}", "-o", "{out}", "--map", "/nowhere.ply"], "nowhere.ply"),
        (["segment", "{folder}", "-o", "/proc/any3dis"], "/proc/any3dis"),
        (["segment", "{folder}", "-o", "{out}", "--stride", "0"], "stride"),
        (["evaluate", "{out}", "{folder}"], "instances.npz|scene_gt.npz"),
    ],
)
def test_bad_input_ends_in_one_sentence(arguments, words, folder, tmp_path, capsys):
    import re

    filled = [a.format(folder=folder, out=tmp_path / "out") for a in arguments]
    assert cli.main(filled) == 2
    error = capsys.readouterr().err
    assert re.search(words, error)
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(tmp_path, capsys):
    assert cli.main(["segment", "/nowhere", "-o", str(tmp_path / "o"), "--debug"]) == 2
    assert "any3dis: /nowhere does not exist" in capsys.readouterr().err


def test_an_interrupted_run_leaves_no_result(folder, tmp_path, monkeypatch, capsys):
    import any3dis_ros.pipeline

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(any3dis_ros.pipeline, "segment", interrupted)
    assert cli.main(["segment", str(folder), "-o", str(tmp_path / "out"), "--set", "map.voxel_size_m=0.05"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_defect_is_told_apart_from_bad_input(folder, tmp_path, monkeypatch, capsys):
    import any3dis_ros.pipeline

    def broken(*args, **kwargs):
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(any3dis_ros.pipeline, "segment", broken)
    assert cli.main(["segment", str(folder), "-o", str(tmp_path / "out"), "--set", "map.voxel_size_m=0.05"]) == 1
    assert "ZeroDivisionError: deep inside; run again with --debug" in capsys.readouterr().err


def test_without_a_terminal_progress_is_one_line_a_stage(folder, tmp_path):
    command = [sys.executable, "-m", "any3dis_ros.cli", "segment", str(folder), "-o", str(tmp_path / "out")]
    run = subprocess.run(
        [*command, "--set", "map.voxel_size_m=0.05"], capture_output=True, text=True, env=os.environ, check=True
    )
    stages = [line.split("  ")[0] for line in run.stderr.splitlines()]
    assert {"map", "visibility", "merging", "writing"} <= set(stages)
    assert "\r" not in run.stderr
    assert "report:" in run.stdout


def test_the_core_needs_neither_torch_nor_ros():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['rclpy'] = None\n"
        "import any3dis_ros.cli, any3dis_ros.pipeline, any3dis_ros.tracking.geometric, any3dis_ros.io.scenes\n"
        "import any3dis_ros.io.rosbag, any3dis_ros.objects.report\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from file_server import file_server
from scene_folder import write_scene_folder

from any3dis_ros import cli
from any3dis_ros.arguments import make_parser
from any3dis_ros.io.results import load_results
from any3dis_ros.tracking.sam2.checkpoints import CHECKPOINTS, Checkpoint, resolve


@pytest.fixture(scope="session")
def folder(two_boxes, tmp_path_factory):
    """The box scene as an exported folder."""
    return write_scene_folder(tmp_path_factory.mktemp("scene") / "boxes", two_boxes[0])


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
    options = make_parser().parse_args(
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
        (["segment", "{folder}", "-o", "{out}", "--proposals", "/nowhere.npz"], "nowhere.npz"),
        (["segment", "{folder}", "-o", "/proc/any3dis"], "/proc/any3dis"),
        (["segment", "{folder}", "-o", "{out}", "--stride", "0"], "stride"),
        (["evaluate", "{out}", "{folder}"], "instances.npz|scene_gt.npz"),
    ],
)
def test_bad_input_ends_in_one_sentence(arguments, words, folder, tmp_path, capsys):
    filled = [a.format(folder=folder, out=tmp_path / "out") for a in arguments]
    assert cli.main(filled) == 2
    error = capsys.readouterr().err
    assert re.search(words, error)
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("any3dis:")]) == 1
    assert not list(tmp_path.iterdir())


def test_proposals_of_a_network_are_merged_and_named(segmented, folder, tmp_path):
    result = load_results(segmented)
    masks = np.stack([result.proposal_points(q) for q in range(2)])
    np.savez(tmp_path / "network.npz", masks=masks, scores=[1.0, 1.0])
    arguments = [
        "segment",
        str(folder),
        "-o",
        str(tmp_path / "out"),
        "--quiet",
        "--map",
        str(segmented / "instances.ply"),
    ]
    assert cli.main([*arguments, "--proposals", str(tmp_path / "network.npz")]) == 0
    told = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert [o["source"] for o in told["instances"]][:2] == ["network", "network"]
    assert [o.source for o in load_results(tmp_path / "out").instances] == [o["source"] for o in told["instances"]]
    assert told["statistics"]["proposals_from_network"] == 2


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


COMMAND = [sys.executable, "-m", "any3dis_ros.cli"]


def test_without_a_terminal_progress_is_one_line_a_stage(folder, tmp_path, capsys):
    assert cli.main(["segment", str(folder), "-o", str(tmp_path / "out"), "--set", "map.voxel_size_m=0.05"]) == 0
    told = capsys.readouterr()
    stages = [line.split("  ")[0] for line in told.err.splitlines()]
    assert {"map", "visibility", "merging", "writing"} <= set(stages)
    assert "\r" not in told.err
    assert "report:" in told.out


def test_quiet_says_nothing_when_all_is_well(folder, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    arguments = ["segment", str(folder), "-o", str(tmp_path / "out"), "--quiet", "--stride", "4"]
    assert cli.main([*arguments, "--set", "map.voxel_size_m=0.05"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


@pytest.mark.parametrize(
    ("stage", "number", "words"),
    [("map", signal.SIGTERM, "ended by SIGTERM"), ("superpoints", signal.SIGINT, "interrupted")],
)
def test_a_signal_ends_the_run_without_a_trace(folder, tmp_path, stage, number, words):
    command = [*COMMAND, "segment", str(folder), "-o", str(tmp_path / "new" / "out"), "--set", "map.voxel_size_m=0.03"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        while (line := run.stderr.readline()) and not line.startswith(stage):
            pass
        run.send_signal(number)
        error = run.stderr.read()
    assert run.returncode == 128 + number
    assert error.splitlines()[-1] == f"any3dis: {words}; nothing half-written is left"
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_is_no_error():
    command = " ".join([*COMMAND, "config"])
    shell = f"set -o pipefail; {command} | true"
    run = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_files_that_cannot_be_accessed_are_named(tmp_path, capsys):
    assert cli.main(["segment", str(tmp_path / ("x" * 300)), "-o", str(tmp_path / "out")]) == 2
    assert re.search("any3dis: cannot access .*xxx: File name too long", capsys.readouterr().err)


@pytest.mark.parametrize(
    "setting", ["", "=", "=5", "map", "map=5", "map=", "map.voxel_size_m={a: 1}", "map..x=1", "a='"]
)
def test_odd_settings_are_told(setting, tmp_path, capsys):
    assert cli.main(["segment", str(tmp_path), "-o", str(tmp_path / "out"), "--set", setting]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search("expected|set one of them|did you mean", error)


WEIGHTS = b"weights" * 200_000


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A server that stands in for Meta's and has a small file as `tiny`; the cache is `tmp_path / cache`."""
    sound = dataclasses.replace(CHECKPOINTS["tiny"], size=len(WEIGHTS), sha256=hashlib.sha256(WEIGHTS).hexdigest())
    monkeypatch.setitem(CHECKPOINTS, "tiny", sound)
    monkeypatch.setenv("ANY3DIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server(WEIGHTS) as server:
        monkeypatch.setattr(Checkpoint, "address", server.address)
        yield server


def test_a_checkpoint_is_fetched_once_and_its_use_told(published, tmp_path, capsys):
    path = tmp_path / "cache" / "checkpoints" / "sam2.1_hiera_tiny.pt"
    assert cli.main(["download-checkpoint", "tiny"]) == 0
    told = capsys.readouterr()
    assert path.read_bytes() == WEIGHTS
    assert str(path) in told.out
    assert "--set tracker.checkpoint=tiny" in told.out
    assert [line.split()[0] for line in told.err.splitlines()] == ["downloading", "verifying"]
    assert resolve("tiny") == path

    assert cli.main(["download-checkpoint", "tiny"]) == 0
    assert "already there" in capsys.readouterr().out
    assert published.ranges == [None]


def test_a_checkpoint_elsewhere_is_used_by_its_path(published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["download-checkpoint", "tiny", "--folder", "mine"]) == 0
    path = tmp_path / "mine" / "sam2.1_hiera_tiny.pt"
    assert f"--set tracker.checkpoint={path}" in capsys.readouterr().out
    assert resolve(str(path)) == path


def test_a_quiet_download_prints_the_path_alone(published, tmp_path, capsys):
    assert cli.main(["download-checkpoint", "tiny", "--quiet", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr() == (f"{tmp_path / 'sam2.1_hiera_tiny.pt'}\n", "")


def test_a_checkpoint_that_cannot_be_fetched_ends_in_one_sentence(published, tmp_path, capsys):
    published.status = 404
    assert cli.main(["download-checkpoint", "tiny"]) == 2
    assert cli.main(["download-checkpoint", "huge"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("any3dis:")]
    assert re.search("the server answers 404 Not Found; to do it by hand, save that address as", errors[0])
    assert re.search("'huge'; expected one of tiny, small, base_plus, large", errors[1])
    assert len(errors) == 2


def test_an_interrupted_download_says_that_it_can_go_on(published, tmp_path, monkeypatch, capsys):
    def interrupted(self, stage, done, total, instances=0):
        if done:
            raise KeyboardInterrupt

    with monkeypatch.context() as pressed:
        pressed.setattr("any3dis_ros.terminal.Bars.__call__", interrupted)
        assert cli.main(["download-checkpoint", "tiny"]) == 130
    assert "interrupted; what has come is kept, and the same command goes on from there" in capsys.readouterr().err
    assert [p.suffix for p in (tmp_path / "cache" / "checkpoints").iterdir()] == [".part"]
    assert cli.main(["download-checkpoint", "tiny", "--quiet"]) == 0
    assert re.fullmatch(r"bytes=\d+-", published.ranges[1] or "")


def test_the_core_needs_neither_torch_nor_ros():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['rclpy'] = None\n"
        "import any3dis_ros.cli, any3dis_ros.pipeline, any3dis_ros.tracking.geometric, any3dis_ros.io.scenes\n"
        "import any3dis_ros.io.rosbag, any3dis_ros.objects.report\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

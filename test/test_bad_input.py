"""Bad input through the command line: one sentence and status 2, or left out with a counted warning."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import open3d as o3d
import pytest
from recordings import (
    COLOR,
    DEPTH,
    PERIOD,
    SECOND,
    START,
    BagSpec,
    add_frames,
    add_poses,
    color_image,
    depth_image,
    whole_bag,
    without,
)
from scene_folder import write_scene_folder

from any3dis_ros import cli
from any3dis_ros.io.results import load_results


@pytest.fixture
def scene(two_boxes, tmp_path) -> Path:
    return write_scene_folder(tmp_path / "a scène", two_boxes[0][:3])


def run(source: Path, *options: str) -> tuple[int, Path]:
    out = source.parent / "out"
    arguments = ["segment", str(source), "-o", str(out), "--stride", "1", "--set", "map.voxel_size_m=0.05", *options]
    return cli.main(arguments), out


def told(capsys) -> list[str]:
    """The warnings and errors, without the lines of the stages."""
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith(("WARNING", "any3dis"))]


def each(folder: Path, change) -> None:
    for file in sorted(folder.iterdir()):
        change(file)


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def write(file: Path, image: np.ndarray) -> None:
    assert cv2.imwrite(str(file), image)


def zero(file: Path) -> None:
    write(file, np.zeros((120, 160), np.uint16))


def pose(file: Path, T: np.ndarray) -> None:
    np.savetxt(file, T)


ENDS = {
    "empty folder": (lambda d: each(d, shutil.rmtree), "the folder .* is empty; expected color, depth, pose"),
    "no depth": (lambda d: shutil.rmtree(d / "depth"), "has no folder 'depth'"),
    "colour of another shape": (
        lambda d: each(d / "color", lambda f: write(f, np.zeros((60, 160, 3), np.uint8))),
        "colour is 160×60 and depth 160×120 pixels",
    ),
    "eight-bit depth": (
        lambda d: each(d / "depth", lambda f: write(f, np.ones((120, 160), np.uint8))),
        "expected one 16",
    ),
    "all poses missing": (lambda d: each(d / "pose", Path.unlink), "pose holds no"),
    "all poses lost": (
        lambda d: each(d / "pose", lambda f: pose(f, np.full((4, 4), -np.inf))),
        "no usable frame: 3 × pose not finite",
    ),
    "all poses scaled": (
        lambda d: each(d / "pose", lambda f: pose(f, np.diag([2.0, 2, 2, 1]))),
        r"no usable frame: 3 × pose not rigid \(frame 0: .*\|R Rᵀ - I\| = 3",
    ),
    "depth all zero": (lambda d: each(d / "depth", zero), "no usable frame: 3 × depth all zero"),
    "depth in metres": (
        lambda d: each(d / "depth", lambda f: write(f, np.full((120, 160), 2, np.uint16))),
        r"no keyframe has depth between 0.3 and 5 m \(measured: 0.002 to 0.002 m\); check the unit",
    ),
    "all images truncated": (lambda d: each(d / "depth", halve), "no usable frame: 3 × damaged image"),
    "no intrinsics": (lambda d: each(d / "intrinsic", Path.unlink), "lacks intrinsic/intrinsic_depth.txt; add it"),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_folder_that_cannot_be_used_ends_in_one_sentence(scene, capsys, what):
    spoil, words = ENDS[what]
    spoil(scene)
    status, out = run(scene)
    [line] = told(capsys)
    assert status == 2
    assert re.search(words, line)
    assert not out.exists()


GOES_ON = {
    "one pose missing": (lambda d: (d / "pose/1.txt").unlink(), "1 × pose missing (frame 1)"),
    "a NaN pose": (lambda d: pose(d / "pose/1.txt", np.full((4, 4), np.nan)), "1 × pose not finite"),
    "a pose that is not rigid": (lambda d: pose(d / "pose/1.txt", np.diag([1.0, 1, -1, 1])), "1 × pose not rigid"),
    "one depth image of zeros": (lambda d: zero(d / "depth/1.png"), "1 × depth all zero (frame 1)"),
    "a truncated depth PNG": (
        lambda d: halve(d / "depth/1.png"),
        "1 × damaged image (depth/1.png: the image",
    ),
    "a truncated colour PNG": (lambda d: halve(d / "color/1.png"), "1 × damaged image (color/1.png"),
    "an empty file": (lambda d: (d / "color/1.png").write_bytes(b""), "1 × damaged image (color/1.png"),
    "another size": (lambda d: write(d / "depth/1.png", np.ones((60, 80), np.uint16)), "1 × depth of another size"),
}


@pytest.mark.parametrize("what", GOES_ON)
def test_a_frame_that_cannot_be_used_is_left_out_and_counted(scene, capsys, what):
    spoil, words = GOES_ON[what]
    spoil(scene)
    status, out = run(scene)
    assert status == 0
    [line] = told(capsys)
    assert words in line
    assert load_results(out).statistics["keyframes"] == 2
    assert words.split(" (")[0] in (out / "report.html").read_text(encoding="utf-8")


def test_one_keyframe_and_fewer_superpoints_than_seeds(scene, capsys):
    status, out = run(scene, "--stride", "100")
    assert status == 0
    assert told(capsys) == []
    statistics = load_results(out).statistics
    assert statistics["keyframes"] == 1
    assert 0 < statistics["superpoints"] < 512


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_a_map_without_colours_and_normals_serves_unless_its_unit_is_wrong(scene, capsys, unit):
    assert run(scene)[0] == 0
    points = load_results(scene.parent / "out").points.astype(float)
    o3d.io.write_point_cloud(
        str(scene.parent / "map.ply"), o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points * unit))
    )
    capsys.readouterr()
    status, _ = run(scene, "--map", str(scene.parent / "map.ply"))
    if unit == 1.0:
        assert (status, told(capsys)) == (0, [])
    else:
        assert status == 2
        assert "check that map, poses and depth share one frame and one unit" in told(capsys)[0]


def test_an_output_folder_that_cannot_be_written(scene, capsys):
    (scene.parent / "out").write_text("a file stands here")
    status, out = run(scene)
    assert status == 2
    assert "cannot write to the output folder" in told(capsys)[0]
    assert out.read_text() == "a file stands here"


def bag_with_gap() -> BagSpec:
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + 2 * PERIOD)
    add_poses(spec, START + 30 * PERIOD, START + 34 * PERIOD)
    add_frames(spec, 32)
    return spec


def bag_that_restarts() -> BagSpec:
    """The clock of a simulation restarts: the same stamps, half a period later, are logged long after."""
    spec = whole_bag(30)
    for topic, kind, log_ns, message in whole_bag(30).entries:
        if not topic.endswith(("static", "info")):
            header = message.transforms[0].header if topic == "/tf" else message.header
            header.stamp.nanosec = (header.stamp.nanosec + PERIOD // 2) % SECOND
            spec.entries.append((topic, kind, log_ns + 100 * PERIOD, message))
    return spec


def bag_of(stamps: list[int], encoding: str = "rgb8") -> BagSpec:
    """A bag of image pairs at these stamps (in periods)."""
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + 5 * PERIOD)
    spec.info("/camera/color/camera_info", START)
    for n, stamp in enumerate(stamps):
        log_ns = START + n * PERIOD
        spec.image(COLOR, START + stamp * PERIOD, color_image(n), encoding, log_ns=log_ns)
        spec.image(DEPTH, START + stamp * PERIOD, depth_image(n), "16UC1", log_ns=log_ns + 1)
    return spec


BAGS = {
    "no /tf": (lambda: without(whole_bag(3), "/tf", "/tf_static"), 2, "holds no transforms (/tf, /tf_static)"),
    "no camera_info": (lambda: without(whole_bag(3), "/camera/color/camera_info"), 2, "--camera-info-topic"),
    "no depth": (lambda: without(whole_bag(3), DEPTH), 2, "the bag has no depth images"),
    "an unknown encoding": (lambda: bag_of([0, 1], "hsv9"), 2, "colour encoding 'hsv9' is not supported; expected"),
    "a gap in TF": (bag_with_gap, 0, "no pose: gap in TF ('odom' → 'base_link'"),
    "time running backwards": (bag_that_restarts, 0, "1 × time ran backwards"),
    "duplicated stamps": (lambda: bag_of([0, 1, 1, 2]), 0, "1 × colour stamp duplicated; 1 × depth stamp duplicated"),
}


@pytest.mark.parametrize("what", BAGS)
def test_bags(tmp_path, capsys, what):
    make, expected, words = BAGS[what]
    status, out = run(make().write(tmp_path / "bag"))
    lines = told(capsys)
    assert status == expected
    assert words in lines[0]
    assert len(lines) == 1 or status == 0
    assert out.exists() == (status == 0)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_truncated_bag(tmp_path, capsys, storage):
    bag = whole_bag(3).write(tmp_path / "bag", storage)
    [halve(f) for f in bag.iterdir() if f.suffix in (".mcap", ".db3")]
    status, out = run(bag)
    [line] = told(capsys)
    assert status == 2
    assert "cannot be opened" in line
    assert "mends a recording that was cut off" in line
    assert not out.exists()

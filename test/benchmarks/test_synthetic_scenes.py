"""Synthetic scenes by name: the same every time, made once, whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.errors import Cancelled, InputError
from benchmarks import make_scenes, scenes, synthetic
from benchmarks.rooms.catalogue import FOLDER
from benchmarks.rooms.noise import LEVELS
from benchmarks.rooms.room import CATALOGUE, KINDS, PROCEDURAL
from benchmarks.rooms.tags import TAGS
from benchmarks.synthetic import SceneSpec, cached, scenes_folder

TINY = SceneSpec("room", 3, "high", PROCEDURAL, 80, 60, 3)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANY3DIS_CACHE", str(tmp_path / "cache"))
    return scenes_folder()


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


specs = st.builds(
    SceneSpec,
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.sampled_from(list(LEVELS)),
    st.sampled_from((CATALOGUE, PROCEDURAL)),
    st.integers(8, 2000),
    st.integers(8, 2000),
    st.integers(1, 300),
)


@given(specs)
def test_a_name_says_everything(spec):
    assert SceneSpec.parse(spec.name) == spec


def test_usual_names_are_short_and_others_are_none():
    assert SceneSpec("room", 7).name == "room7-middle"
    assert SceneSpec.parse("tabletop12-low") == SceneSpec("tabletop", 12, "low")
    assert [SceneSpec.parse(n) for n in ("room32", "room7-loud", "room-low", "x/room7-low", "room7-low-320x240")] == [
        None
    ] * 5


def test_a_scene_is_made_once_and_is_the_same_again(cache, tmp_path, monkeypatch):
    told = []
    folder = cached(TINY, lambda stage, done, total, instances=0: told.append((stage, done, total)))
    assert folder == cache / "room3-high-procedural-80x60x3"
    assert told == [(TINY.name, k, 3) for k in range(4)]
    first = files(folder)
    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "make_scene", lambda *_: pytest.fail("it is kept already"))
        assert cached(TINY) == folder
    monkeypatch.setenv("ANY3DIS_CACHE", str(tmp_path / "other"))
    again = files(cached(TINY))
    assert set(again) == set(first)
    assert {n for n, data in again.items() if data != first[n] and not n.endswith(".npz")} == set()
    for name, array in np.load(folder / "scene_gt.npz").items():
        np.testing.assert_array_equal(array, np.load(scenes_folder() / TINY.name / "scene_gt.npz")[name])


def test_pictures_come_from_the_true_poses_and_tags_reach_the_benchmark(cache):
    scene = scenes.load(TINY.name)
    folder = cache / TINY.name
    told = json.loads((folder / "scene.json").read_text())
    assert told["voxel_m"] == 0.01
    assert told["noise"]["pose"]["drift_m"] == LEVELS["high"].pose.drift_m
    assert told["credits"] == []
    assert frozenset().union(*scene.tags.values()) <= set(TAGS)
    assert scene.tags == {t["id"]: frozenset(t["tags"]) for t in told["instances"] if t.get("tags")}
    assert scene.tags
    assert scenes.describe(TINY.name).level == "high"
    poses = [[np.loadtxt(folder / kind / f"{n}.txt") for n in range(3)] for kind in ("pose", "pose_true")]
    np.testing.assert_allclose([f.T_map_camera for f in scene.frames], poses[0], atol=1e-6)
    off = np.linalg.norm(np.array(poses[0])[:, :3, 3] - np.array(poses[1])[:, :3, 3], axis=1)
    assert (off > 1e-3).all()
    assert (off < 0.15).all()
    # The points of the ground truth lie on the exact surface: the floor is flat in the true frame.
    floor = scene.truth.points[scene.truth.instance == 1]
    assert np.abs(floor[:, 2]).max() < 1e-3


def test_what_a_run_left_behind_is_made_anew(cache, monkeypatch):
    def stopped(stage, done, total, instances=0):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        cached(TINY, stopped)
    assert not (cache / TINY.name).exists()
    assert (cache / f".{TINY.name}.part" / "color" / "0.jpg").exists()
    (cache / f".{TINY.name}.part" / "color" / "99.jpg").write_text("of another run")
    folder = cached(TINY)
    assert sorted(p.name for p in (folder / "color").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    assert (folder / "scene.json").is_file()
    assert not (cache / f".{TINY.name}.part").exists()


def test_a_scene_of_other_furniture_than_is_installed_is_made_anew(cache, monkeypatch):
    made = []

    def make_scene(folder, *_):
        folder.mkdir(parents=True)
        (folder / "scene.json").write_text(json.dumps({"furniture_version": synthetic.edition()}))
        (folder / f"by {synthetic.edition()}").touch()
        made.append(synthetic.edition())

    monkeypatch.setattr(synthetic, "make_scene", make_scene)
    for version in ("1.7", "1.7", "1.8", "", "1.8"):  # none installed: what is kept will do
        monkeypatch.setattr(synthetic, "edition", lambda version=version: version)
        folder = cached(SceneSpec("room", 3))
    assert made == ["1.7", "1.8"]
    assert {p.name for p in folder.iterdir()} == {"scene.json", "by 1.8"}
    (folder / "scene.json").write_text("{")
    cached(SceneSpec("room", 3))
    assert made == ["1.7", "1.8", "1.8"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANY3DIS_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set ANY3DIS_CACHE to another folder"):
        cached(TINY)


def test_a_name_that_is_none_is_refused_with_an_example():
    with pytest.raises(InputError, match="room7-middle"):
        scenes.load("room7-loud")


def test_a_damaged_summary_is_named(cache):
    folder = cached(TINY)
    (folder / "scene.json").write_text('{"instances": [{"tags": 3')
    with pytest.raises(InputError, match=r"scene\.json describes no scene"):
        scenes.load(folder)


def test_the_command_writes_into_a_folder_or_into_the_cache(cache, tmp_path, monkeypatch, capsys):
    size = ["--width", "80", "--height", "60", "--keyframes", "3", "--seeds", "3"]
    monkeypatch.setattr("sys.argv", ["scenes", str(tmp_path / "out"), *size])
    make_scenes.main()
    assert "voxel_m" in json.loads((tmp_path / "out" / "seed3" / "scene.json").read_text())
    assert not (tmp_path / "out" / "seed3" / "pose_true").exists()
    monkeypatch.setattr("sys.argv", ["scenes", *size, "--furniture", "procedural", "--noise", "high"])
    make_scenes.main()
    assert (cache / TINY.name / "pose_true" / "0.txt").is_file()
    assert "things count; clutter" in capsys.readouterr().out


def test_scenes_made_at_once_are_those_made_one_by_one(tmp_path, monkeypatch, capsys):
    size = ["--width", "80", "--height", "60", "--keyframes", "2", "--seeds", "3-4"]
    found = {}
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        monkeypatch.setattr("sys.argv", ["scenes", str(out), *size, "--jobs", jobs])
        make_scenes.main()
        found[jobs] = {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:2]] == [
            str(out / "seed3"),
            str(out / "seed4"),
        ]
    assert len(found["1"]) > 10
    assert found["1"] == found["2"]


@pytest.mark.parametrize("jobs", ["0", "-1", "all"])
def test_no_scenes_at_once_are_refused(jobs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["scenes", str(tmp_path), "--jobs", jobs])
    with pytest.raises(SystemExit):
        make_scenes.main()
    assert "no count of scenes; expected 1 or more" in capsys.readouterr().err


@pytest.mark.skipif(
    not any(FOLDER.glob("*.sh3f")), reason="needs `apt-get install sweethome3d-furniture`, 127 MB of models"
)
def test_a_scene_of_the_installed_package_names_who_made_its_models(cache):
    spec = SceneSpec("tabletop", 1, "low", CATALOGUE, 80, 60, 3)
    scene = scenes.load(spec.name)
    told = json.loads((cache / spec.name / "scene.json").read_text())
    assert len(scene.truth.valid_ids) >= 6
    assert told["credits"]
    assert all(c["by"] and c["licence"] for c in told["credits"])

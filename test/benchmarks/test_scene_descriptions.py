from __future__ import annotations

import json
from pathlib import Path

import pytest

from any3dis_ros.errors import InputError
from benchmarks.scenes import describe


def scene_folder(tmp_path: Path, name: str, about: object = None) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "scene_gt.npz").touch()
    if about is not None:
        (folder / "scene.json").write_text(about if isinstance(about, str) else json.dumps(about))
    return folder


def test_without_a_description_the_name_is_all_that_is_known(tmp_path: Path) -> None:
    plain, levelled = (describe(scene_folder(tmp_path, name)) for name in ("room32", "room1-middle"))
    assert (plain.name, plain.level, plain.origin, plain.tags) == ("room32", "", "room32", {})
    assert (levelled.level, levelled.origin) == ("middle", "room1-middle (level middle)")


def test_seed_level_versions_and_tags_are_read(tmp_path: Path) -> None:
    objects = {
        "3": {"name": "mug", "points": 40, "tags": ["small", "glossy"]},
        "4": {"name": "wall", "points": 9000, "tags": []},
        "5": {"name": "book", "points": 200},
    }
    about = {"seed": 7, "level": "harsh", "generator_version": 3, "furniture_version": "1.8", "objects": objects}
    found = describe(scene_folder(tmp_path, "kitchen", about))
    assert found.origin == "kitchen (seed 7, level harsh, generator 3, furniture 1.8)"
    assert found.tags == {3: {"small", "glossy"}}


def test_objects_may_be_a_list_of_instances_and_the_level_a_part_of_the_name(tmp_path: Path) -> None:
    instances = [{"id": 3, "name": "mug", "points": 40, "tags": ["small"]}, {"id": 4, "name": "wall", "points": 9000}]
    found = describe(scene_folder(tmp_path, "room7-harsh-procedural-320x240x20", {"instances": instances}))
    assert found.level == "harsh"
    assert found.tags == {3: {"small"}}


@pytest.mark.parametrize(
    "about", ["{", [1], {"objects": [1]}, {"objects": {"mug": {"tags": ["small"]}}}, {"instances": [{"tags": ["x"]}]}]
)
def test_a_damaged_description_is_refused_with_what_is_expected(tmp_path: Path, about: object) -> None:
    with pytest.raises(InputError, match=r"scene\.json describes no scene .* expected .*objects"):
        describe(scene_folder(tmp_path, "room", about))


def test_a_scene_without_ground_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"give a folder holding scene_gt\.npz"):
        describe(tmp_path / "nowhere")

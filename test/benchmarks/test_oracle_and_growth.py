from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from benchmarks import oracle, scenes
from benchmarks.growth import exponent, loads
from benchmarks.prepared import make_cloud

needs_tabletop = pytest.mark.skipif(
    not scenes.available("tabletop31"), reason="the shared scene tabletop31 is not beside the repository"
)


def test_means_and_ratio_over_scenes() -> None:
    rows: list[dict[str, object]] = [
        {"scene": s, "cloud": "exact", "bound_ap50": b, "perfect_ap50": p, "of_bound": p / b}
        for s, b, p in (("a", 1.0, 1.0), ("b", 0.5, 0.25))
    ]
    mean = oracle.with_means(rows)[-1]
    assert mean["scene"] == "mean"
    assert mean["bound_ap50"] == 0.75
    assert mean["of_bound"] == pytest.approx(0.625 / 0.75)


@pytest.mark.parametrize(("power", "shown"), [(1, "1.00"), (2, "2.00"), (0, "0.00")])
def test_exponent_of_a_power_law(power: int, shown: str) -> None:
    assert exponent([100, 200, 400], [3.0 * x**power for x in (100, 200, 400)], 0.1) == shown


def test_exponent_is_left_out_where_all_is_too_small() -> None:
    assert exponent([1, 2, 4], [0.01, 0.02, 0.04], 0.1) == "–"


def test_each_axis_grows_alone() -> None:
    all_loads = loads("room32", 40)
    assert [load.keyframes for load in all_loads if load.axis == "keyframes"] == [10, 20, 40]
    assert [load.tracks for load in all_loads if load.axis == "tracks"] == [100, 200, 400]
    points = [load.voxel_size_m for load in all_loads if load.axis == "points"]
    assert (np.array(points) ** -2 * 0.02**2).tolist() == pytest.approx([1, 2, 4])
    assert {load.keyframes for load in all_loads if load.axis != "keyframes"} == {40}


def test_missing_scenes_and_unknown_clouds_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scene_gt\.npz"):
        scenes.load(tmp_path)


@needs_tabletop
def test_perfect_tracks_reach_the_bound_of_the_superpoints() -> None:
    scene = scenes.load("tabletop31")
    assert all(set(np.unique(i)) <= {0, *scene.truth.instance} for i in scene.instance_images.values())
    row = oracle.measure(scene, "exact", Config())
    assert row["things"] == 13
    assert float(str(row["bound_ap50"])) >= 0.9
    assert float(str(row["of_bound"])) >= 0.97
    assert float(str(row["proposals_per_thing"])) <= 1.5
    with pytest.raises(InputError, match="exact, fused"):
        make_cloud(scene, "meshed", Config())

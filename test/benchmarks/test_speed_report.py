from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from any3dis_ros.scene.frames import Camera
from benchmarks.meter import Meter
from benchmarks.speed import report
from benchmarks.speed.large_room import SurfaceSampler
from benchmarks.speed.run import LOADS


@pytest.mark.parametrize(("power", "shown"), [(1, "1.00"), (2, "2.00"), (0, "0.00")])
def test_exponent_of_a_power_law(power: int, shown: str) -> None:
    assert report.exponent([100, 200, 400], [3.0 * x**power for x in (100, 200, 400)], 0.1) == shown


def test_exponent_is_left_out_where_all_is_too_small() -> None:
    assert report.exponent([1, 2, 4], [0.01, 0.02, 0.04], 0.1) == "–"


@pytest.mark.parametrize("axis", report.AXES)
def test_each_axis_grows_alone_over_a_factor_of_four_or_more(axis: str) -> None:
    own = [load for load in LOADS if axis in load.axes]
    held = {tuple(getattr(load, other) for other in report.AXES if other != axis) for load in own}
    grown = [getattr(load, axis) for load in own]
    assert len(held) == 1
    assert len(own) == len(set(grown)) == 3
    assert max(grown) >= 4 * min(grown)


def result(points: int, seconds: float) -> report.Result:
    cost = {"lifting": [seconds / 2, seconds, 10.0], "features": [1.0, 2.0, 3.0]}
    sizes = {"points": points, "keyframes": 5, "tracks": 7}
    return report.Result(
        sizes, ["points"], cost, {"lifting": [5.0, 4.0, 99.0]}, {"lifting": 0.1}, {"lifting": "3 masks"}
    )


def test_a_part_of_the_reference_is_scaled_and_said_to_be() -> None:
    told = report.against(result(100, 2.0)).splitlines()
    lifting = [c.strip() for c in next(line for line in told if "lifting" in line).split("|")[1:-1]]
    assert lifting == ["lifting", "1.00", "2.00", "10", "50 (scaled)", "40", "99", "3 masks", "50×", "20×"]
    assert "| features | 1.00   | 2.00  | 3       | – " in "\n".join(told)


def test_of_several_rounds_the_median_of_each_cost_counts_and_the_first_reference() -> None:
    rounds = [result(100, 2.0), *(replace(result(100, s), reference={}, share={}, subset={}) for s in (50.0, 3.0))]
    together = report.median_of(rounds)
    assert together.product == {"lifting": [1.5, 3.0, 10.0], "features": [1.0, 2.0, 3.0]}
    assert (together.reference, together.share) == (rounds[0].reference, rounds[0].share)
    assert report.median_of(rounds[:1]) == rounds[0]


def test_growth_and_rows_of_three_loads() -> None:
    loads = [result(n, n / 100) for n in (400, 100, 200)]
    lifting = next(
        line for line in report.text(loads).splitlines() if "lifting" in line and "1.00 " in line and "4.00" in line
    )
    assert [c.strip() for c in lifting.split("|")[1:6]] == ["lifting", "1.00", "2.00", "4.00", "1.00"]
    whole = next(line for line in report.text(loads).splitlines() if "a whole run" in line)
    assert [c.strip() for c in whole.split("|")[2:5]] == ["3.00", "4.00", "6.00"]  # with the two seconds of features
    kept = report.rows(loads)
    assert len(kept) == 6
    assert kept[0]["reference_share"] == 0.1
    assert kept[1]["reference_cpu_s"] == ""


def test_a_meter_sees_time_and_memory() -> None:
    meter = Meter()
    with meter("filling"):
        began = time.process_time()
        while time.process_time() < began + 0.02:
            np.ones(4_000_000)
    (cost,) = meter.costs["filling"]
    assert cost.cpu_s >= 0.02
    assert cost.wall_s > 0
    assert 25 < cost.peak_mb < 200


def test_a_surface_keeps_one_point_a_voxel() -> None:
    camera = Camera(40, 30, np.array([[30.0, 0, 19.5], [0, 30.0, 14.5], [0, 0, 1]]))
    T = np.eye(4)
    T[:3, 3] = 0.5, 0.5, 0.0
    sampler = SurfaceSampler(0.1, np.array([1.0, 1.0, 2.0]))
    for _ in range(2):  # what is seen twice is kept once
        sampler.add(np.full((30, 40), 1.0, np.float32), camera, T)
    points = sampler.points()
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[:, 2], 1.0)
    cell = np.floor((points + 0.1) / 0.1).astype(int)
    assert len(np.unique(cell, axis=0)) == len(points) > 80
    assert (np.diff(cell @ [10000, 100, 1]) > 0).all()

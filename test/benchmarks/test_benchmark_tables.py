from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from any3dis_ros.config import Config, MergingConfig
from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import SceneOverlap
from any3dis_ros.proposals.refinement import STRATEGIES
from benchmarks import ablation, oracle, scenes, tables
from benchmarks.prepared import make_cloud

needs_tabletop = pytest.mark.skipif(
    not scenes.available("tabletop31"), reason="the shared scene tabletop31 is not beside the repository"
)


def one_of_two(hit: bool) -> SceneOverlap:
    """Two objects of 200 points, one proposal that is one of them or a void region."""
    inside = 200 if hit else 0
    return SceneOverlap(
        np.array([0.9]),
        np.array([[inside, 0]]),
        np.array([200]),
        np.array([0 if hit else 60]),
        np.array([200, 200]),
        np.array([1, 2]),
    )


def test_scores_pool_the_scenes_of_a_replicate() -> None:
    case = ablation.Case("exact", "mild", "exact", "none", 0)
    own, constant = ablation.scored({case: [one_of_two(True), one_of_two(True)]})
    assert (own["rc50"], own["precision50"], own["proposals"]) == (0.5, 1.0, 2)
    assert own["ap50"] == constant["ap50"] == 0.5
    (miss, _) = ablation.scored({case: [one_of_two(False)]})
    assert miss["ap50"] == 0.0


def test_the_report_averages_replicates_and_points_out_the_default() -> None:
    config = Config()
    found = {
        ablation.Case("exact", "mild", strategy, merging, replicate): [
            one_of_two(strategy == config.refinement.strategy or replicate == 0)
        ]
        for strategy in STRATEGIES
        for merging in ablation.mergings(config.merging)
        for replicate in range(2)
    }
    text = ablation.report(ablation.scored(found), config)
    assert "50.0 / 50.0" in next(line for line in text.splitlines() if line.startswith("| robust_exact"))
    assert "25.0 / 25.0" in next(line for line in text.splitlines() if line.startswith("| exact"))
    assert text.count("(default)") == 1


def test_mergings_add_one_thing_at_a_time() -> None:
    default = MergingConfig()
    off, duplicates, full = ablation.mergings(default).values()
    assert (off.duplicate_iou, off.containment) == (1.0, 1.0)
    assert duplicates == dataclasses.replace(default, containment=1.0)
    assert full == default


def test_means_and_ratio_over_scenes() -> None:
    rows: list[dict[str, object]] = [
        {"scene": s, "cloud": "exact", "bound_ap50": b, "perfect_ap50": p, "of_bound": p / b}
        for s, b, p in (("a", 1.0, 1.0), ("b", 0.5, 0.25))
    ]
    mean = oracle.with_means(rows)[-1]
    assert mean["scene"] == "mean"
    assert mean["bound_ap50"] == 0.75
    assert mean["of_bound"] == pytest.approx(0.625 / 0.75)


def test_tables_are_kept_as_markdown_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tables.markdown(["name", "v"], [["long name", "1"]])
    assert table.splitlines() == ["| name      | v |", "|-----------|---|", "| long name | 1 |"]
    tables.keep("t", table, [{"name": "long name", "v": 1}], tmp_path)
    assert table in capsys.readouterr().out
    assert (tmp_path / "t.md").read_text() == table + "\n"
    with (tmp_path / "t.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"name": "long name", "v": "1"}]


def test_cells_show_shares_in_percent() -> None:
    assert [tables.cell("ap50", 0.5), tables.cell("segment_s", 2.0), tables.cell("things", 3)] == ["50.0", "2.00", "3"]


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

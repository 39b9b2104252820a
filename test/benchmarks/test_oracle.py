from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from benchmarks import oracle, scenes
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

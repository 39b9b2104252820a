"""Variants on the same tracks, and the rows they give, on overlaps and scenes whose scores are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from boxes import BOXES
from overlaps import one_of_two

from any3dis_ros.config import Config, MapConfig, RefinementConfig, Sam2Config
from any3dis_ros.errors import InputError
from any3dis_ros.objects.evaluation import GroundTruth
from any3dis_ros.proposals.refinement import STRATEGIES
from any3dis_ros.scene.mapping import MapCloud, fuse
from benchmarks import study, table1, table7, table8, variations
from benchmarks.engines import ENGINES, make_engine, replicates_of
from benchmarks.prepared import prepare
from benchmarks.scenes import BenchmarkScene
from benchmarks.study import Setting, Variant

HARSH, GEOMETRIC = Setting("fused", "simulated-harsh"), Setting("fused", "geometric")


@pytest.fixture(scope="module")
def boxes(two_boxes) -> BenchmarkScene:
    """The crate and the post as things on a floor that is none."""
    frames, hits = two_boxes
    cloud = fuse(frames, MapConfig(voxel_size_m=0.03))
    apart = [np.maximum(np.maximum(low - cloud.points, cloud.points - high), 0) for low, high in BOXES]
    instance = 1 + np.argmin([np.linalg.norm(a, axis=1) for a in apart], axis=0).astype(np.int32)
    images = {f.name: (hit + 1).astype(np.int32) for f, hit in zip(frames, hits, strict=True)}
    truth = GroundTruth(cloud.points, instance, np.array([2, 3]))
    return BenchmarkScene("boxes", tuple(frames), images, truth, MapCloud(cloud.points, cloud.colors))


def test_rows_pool_scenes_and_average_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study.scenes, "load", lambda name: name)
    monkeypatch.setattr(study, "prepare", lambda scene, cloud, config: scene)

    def overlaps(scene, setting, replicate, variants):
        # variant 0 always hits; variant 1 in the first replicate alone
        return [one_of_two(k == 0 or replicate == 0) for k in range(len(variants))]

    monkeypatch.setattr(study, "overlaps", overlaps)
    variants = [Variant({"what": "good"}), Variant({"what": "bad"}, confidence="constant")]
    rows = study.run(["a", "b"], [GEOMETRIC, HARSH], variants, replicates=2)
    assert [(r["engine"], r["what"], r["replicates"], r["things"]) for r in rows] == [
        ("geometric", "good", 1, 4),
        ("geometric", "bad", 1, 4),
        ("simulated-harsh", "good", 2, 4),
        ("simulated-harsh", "bad", 2, 4),
    ]
    assert [(r["ap50"], r["ap50_sd"], r["rc50"], r["proposals"]) for r in rows] == [
        (0.5, 0, 0.5, 2),
        (0.5, 0, 0.5, 2),
        (0.5, 0, 0.5, 2),
        (0.25, 0.25, 0.25, 2),  # a miss lies on void by less than half: a false positive
    ]


def test_perfect_tracks_find_both_boxes_by_every_variant(boxes: BenchmarkScene) -> None:
    config = Config(map=MapConfig(voxel_size_m=0.03))
    prepared = prepare(boxes, "exact", config)
    first = dataclasses.replace(config.seeding, pivot="first_seen")
    cut = dataclasses.replace(config, refinement=RefinementConfig(piece_m=0.05, piece_iou=1.0))
    variants = [Variant({}, config), Variant({}, dataclasses.replace(config, seeding=first)), Variant({}, cut)]
    for reached in study.overlaps(prepared, Setting("exact", "perfect"), 0, variants):
        assert reached.iou.max(0).min() > 0.9


def test_the_pivot_decides_where_seeds_are_prompted(boxes: BenchmarkScene) -> None:
    config = Config(map=MapConfig(voxel_size_m=0.03))
    prepared = prepare(boxes, "exact", config)
    one_view = dataclasses.replace(config.tracker, sam2=Sam2Config(pivot_views=1))
    tracker = make_engine("perfect", boxes, dataclasses.replace(config, tracker=one_view))
    for pivot in ("first_seen", "3d_aware"):
        seeding = dataclasses.replace(config.seeding, pivot=pivot)
        pool = study.track_counts(prepared, tracker, dataclasses.replace(config, seeding=seeding))
        seen = prepared.views.seen >= seeding.min_seen_points
        first = [track.pivot == int(seen[:, track.seed].argmax()) for track, _ in pool]
        assert all(first) == (pivot == "first_seen")


def test_only_drawn_errors_are_repeated() -> None:
    assert {e: replicates_of(e, 5) for e in ENGINES} == {
        "geometric": 1,
        "sam2": 1,
        "perfect": 1,
        "simulated-mild": 5,
        "simulated-harsh": 5,
    }


def test_engines_go_by_their_names(boxes: BenchmarkScene) -> None:
    assert make_engine("geometric", boxes, Config()).name == "geometric"
    assert make_engine("simulated-mild", boxes, Config()).name == "simulated-mild"
    with pytest.raises(InputError, match="download-checkpoint"):
        make_engine("sam2", boxes, Config())


def test_table_7_crosses_pivot_and_optimisation_with_one_pivot_view_and_keeps_as_the_paper_first() -> None:
    variants = table7.variants(Config())
    assert len(variants) == len({tuple(v.labels.values()) for v in variants}) == 2 * 3 * 2
    for v in variants:
        c, paper = v.config, v.labels["merging"] == "none"
        assert c.tracker.geometric.pivot_views == c.tracker.sam2.pivot_views == 1
        assert c.seeding.pivot == v.labels["pivot"]
        assert c.refinement.strategy == table7.OPTIMISATIONS[v.labels["optimisation"]]
        assert c.merging == (study.paper_merging(Config().merging) if paper else Config().merging)
        assert c.refinement.piece_m == (0.0 if paper else Config().refinement.piece_m)
        assert v.confidence == ("constant" if paper else "own")


def test_table_8_has_every_strategy_on_the_same_tracks() -> None:
    variants = table8.variants(Config())
    assert [v.labels["strategy"] for v in variants] == [*STRATEGIES] * 2
    assert {(v.config.seeding, v.config.tracker) for v in variants} == {(Config().seeding, Config().tracker)}
    whole = [v for v in variants if v.labels["merging"] == "none"]
    assert all(v.config.refinement.piece_m == 0.0 and v.confidence == "constant" for v in whole)
    assert all(v.config.refinement.piece_m == Config().refinement.piece_m for v in variants if v not in whole)


def test_variations_change_one_section_at_a_time_but_the_last() -> None:
    default, *others, paper = variations.variants(Config())
    assert (default.config, default.confidence) == (Config(), "own")
    for v in others:
        changed = [f.name for f in dataclasses.fields(Config) if getattr(v.config, f.name) != getattr(Config(), f.name)]
        assert len(changed) == 1 or (not changed and v.confidence == "constant")
    assert [v.config.refinement.piece_m for v in others].count(0.0) == 1
    assert (paper.config.refinement.strategy, paper.config.refinement.piece_m) == ("view_dp", 0.0)
    assert paper.config.merging == study.paper_merging(Config().merging)
    assert paper.confidence == "constant"


def measured(name: str, level: str, hits: list[bool], tags=None) -> table1.Measured:
    return table1.Measured(name, level, tags or {}, {("fused", "simulated-mild"): [one_of_two(h) for h in hits]})


def test_table_1_has_scenes_levels_all_pooled_and_their_mean() -> None:
    rows = table1.rows_of([measured("a-mild", "mild", [True, True]), measured("b-harsh", "harsh", [False, True])])
    found = {r["scene"]: (r["ap50"], r["rc50"], r["things"]) for r in rows}
    assert list(found) == ["a-mild", "b-harsh", "pooled, mild", "pooled, harsh", "pooled", "mean"]
    assert found["a-mild"] == found["pooled, mild"] == (0.5, 0.5, 2)
    assert found["b-harsh"] == (0.25, 0.25, 2)  # one of its two replicates
    assert found["mean"] == (0.375, 0.375, 2.0)
    # pooled: recall 2/4 at precision 1, and 1/4 at 1/2 with a trapezoid from (0, 1)
    assert found["pooled"] == (pytest.approx((0.5 + 0.25 * 0.75) / 2, abs=1e-4), 0.375, 4)


def test_table_1_has_rows_of_tags_and_none_for_groups_without_a_thing() -> None:
    rows = table1.rows_of([measured("a", "", [True], {1: frozenset({"thin"})}), measured("b", "", [True])])
    assert {r["things_of"] for r in rows} == {"100 points and more", "thin, 30 points and more"}
    thin = [(r["scene"], r["rc50"], r["things"]) for r in rows if str(r["things_of"]).startswith("thin")]
    assert thin == [("a", 1.0, 1), ("pooled", 1.0, 1)]


def test_constant_confidence_stands_beside_the_own() -> None:
    (row,) = table1.rows_of([measured("a", "", [True])])
    assert row["ap50_constant"] == row["ap50"] == 0.5

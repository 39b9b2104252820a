"""What each of our additions contributes, one thing changed at a time: `python -m benchmarks.variations [SCENE ...]`.

Merging of duplicates and of parts, consensus, confidence, drift rejection, pieces of superpoints and the pivot view are
varied by themselves, and all of the paper's choices at once, for each engine and each noise level of the scenes.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from any3dis_ros.config import Config
from benchmarks import scenes, study
from benchmarks.study import Variant


def variants(default: Config) -> list[Variant]:
    """Return the default and what differs from it in one thing."""
    unmerged = study.paper_merging(default.merging)

    def merging(**changed: object) -> Config:
        return dataclasses.replace(default, merging=dataclasses.replace(default.merging, **changed))  # type: ignore[arg-type]

    def named(what: str, value: str, config: Config, confidence: str = "own") -> Variant:
        return Variant({"varied": what, "value": value}, config, confidence)

    first_seen = dataclasses.replace(default.seeding, pivot="first_seen")
    return [
        named("nothing", "default", default),
        named("merging", "none", dataclasses.replace(default, merging=unmerged)),
        named("merging", "duplicates alone", merging(containment=1.0)),
        named("consensus", "off", merging(consensus_iou=1.0)),
        named("confidence", "evidence alone", merging(confidence="evidence")),
        named("confidence", "constant", merging(confidence="constant"), "constant"),
        named("confidence", "own to merge, constant to score", default, "constant"),
        named("drift rejection", "off", study.refining(default, "exact")),
        named("refinement", "Algorithm 1", study.refining(default, "view_dp")),
        named("superpoints", "whole", study.whole(default)),
        named("pivot", "first_seen", dataclasses.replace(default, seeding=first_seen)),
        named("pivot", "one view of each seed", study.one_view(default)),
        named(
            "all", "as in the paper", study.refining(study.as_published(study.one_view(default)), "view_dp"), "constant"
        ),
    ]


def main() -> None:
    """Run the study and keep its table."""
    args = study.parser(__doc__, "variations", ("geometric", "simulated-mild", "simulated-harsh")).parse_args()
    chosen = variants(study.base_config(args))
    by_level: dict[str, list[str]] = defaultdict(list)
    for name in args.scenes:
        by_level[scenes.describe(name).level or "none named"].append(name)
    rows = [
        {"level": level, **row}
        for level, names in by_level.items()
        for row in study.run(names, study.settings(args), chosen, args.replicates)
    ]
    title = (
        "## One thing varied at a time, percent\n\n"
        "level: of the scenes' sensor noise. confidence, evidence alone: without the objectness that is learnt for the "
        "geometric engine. drift rejection, off: exact in place of robust_exact. all, as in the paper: every proposal, "
        "constant confidence, whole superpoints, Algorithm 1, one view of each seed. The geometric engine's "
        "superpoints are whole in every row."
    )
    study.keep(title, ("level", "cloud", "engine"), rows, args)


if __name__ == "__main__":
    main()

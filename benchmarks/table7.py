"""What the 3D-aware pivot view and mask optimisation contribute, as Tab. 7: `python -m benchmarks.table7 [SCENE ...]`.

Without the first, the pivot is the first keyframe that sees the seed; without the second, every lifted superpoint is
kept. As in the paper, each seed is prompted in one view. The paper keeps every proposal with one confidence; the same
rows are given with our merging, confidence and pieces of superpoints too.

How SAM 2's errors depend on the pivot view is unknown: simulated engines are run without such a dependence, and with
an assumed one (`simulated_tracks`). What the latter shows of the pivot's worth is no more than that assumption.
"""

from __future__ import annotations

import dataclasses

from any3dis_ros.config import Config
from benchmarks import study
from benchmarks.engines import ERRING
from benchmarks.study import Setting, Variant

OPTIMISATIONS = {"none": "all_lifted", "Algorithm 1": "view_dp", "default": Config().refinement.strategy}


def variants(default: Config) -> list[Variant]:
    """Return pivot × optimisation, first as the paper keeps and scores proposals, then as we do."""
    default = study.one_view(default)
    kept = {"none": study.as_published(default), "default": default}
    return [
        Variant(
            {"merging": merging, "pivot": pivot, "optimisation": optimisation},
            dataclasses.replace(
                study.refining(base, strategy), seeding=dataclasses.replace(default.seeding, pivot=pivot)
            ),
            "constant" if merging == "none" else "own",
        )
        for merging, base in kept.items()
        for optimisation, strategy in OPTIMISATIONS.items()
        for pivot in ("first_seen", "3d_aware")
    ]


def main() -> None:
    """Run the study and keep its table."""
    parser = study.parser(__doc__, "table7", ("geometric", "simulated-harsh"))
    parser.add_argument(
        "--view-sensitivity", type=float, nargs="+", default=[0.0, 2.0], help="assumed, of simulated errors"
    )
    args = parser.parse_args()
    settings = [
        Setting(cloud, engine, sensitivity)
        for cloud in args.clouds
        for engine in args.engine
        for sensitivity in (args.view_sensitivity if engine in ERRING else [0.0])
    ]
    rows = study.run(args.scenes, settings, variants(study.base_config(args)), args.replicates)
    title = (
        "## 3D-aware pivot view and mask optimisation, percent (paper, Tab. 7)\n\n"
        "merging none: superpoints stay whole and every proposal is kept, with constant confidence, as in the paper; "
        "default: our merging and confidence, and pieces of superpoints. view sensitivity: how much simulated errors "
        "are assumed to grow where the pivot view shows little of the object."
    )
    study.keep(title, ("cloud", "engine", "view_sensitivity", "merging"), rows, args)


if __name__ == "__main__":
    main()

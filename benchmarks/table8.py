"""Every strategy of mask optimisation on the same tracks, as Tab. 8: `python -m benchmarks.table8 [SCENE ...]`.

The paper's rows are all lifted superpoints, those of the top 1, 5 and 10 views, and Algorithm 1 (`view_dp`); ours are
the exact optimum of its objective, that of the IoU, and the exact one with drift rejection. Each is given as the paper
keeps and scores proposals, of whole superpoints, and with our merging, confidence and pieces of superpoints.
"""

from __future__ import annotations

from any3dis_ros.config import Config
from any3dis_ros.proposals.refinement import STRATEGIES
from benchmarks import study
from benchmarks.study import Variant


def variants(default: Config) -> list[Variant]:
    """Return all strategies, first as the paper keeps and scores proposals, then as we do."""
    kept = {"none": study.as_published(default), "default": default}
    return [
        Variant(
            {"merging": merging, "strategy": strategy},
            study.refining(base, strategy),
            "constant" if merging == "none" else "own",
        )
        for merging, base in kept.items()
        for strategy in STRATEGIES
    ]


def main() -> None:
    """Run the study and keep its table."""
    args = study.parser(__doc__, "table8", ("geometric", "simulated-mild", "simulated-harsh")).parse_args()
    rows = study.run(args.scenes, study.settings(args), variants(study.base_config(args)), args.replicates)
    title = (
        "## Strategies of mask optimisation, percent (paper, Tab. 8)\n\n"
        "merging none: superpoints stay whole and every proposal is kept, with constant confidence, as in the paper; "
        "default: our merging and confidence, and pieces of superpoints."
    )
    study.keep(title, ("cloud", "engine", "merging"), rows, args)


if __name__ == "__main__":
    main()

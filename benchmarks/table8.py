"""Every strategy of mask optimisation on the same tracks, as Tab. 8: `python -m benchmarks.table8 [SCENE ...]`.

The paper's rows are all lifted superpoints, those of the top 1, 5 and 10 views, and Algorithm 1 (`view_dp`); ours are
the exact optimum of its objective, that of the IoU, and the exact one with drift rejection. Each is given as the paper
keeps and scores proposals, and with our merging and confidence.
"""

from __future__ import annotations

import dataclasses

from any3dis_ros.config import Config
from any3dis_ros.proposals.refinement import STRATEGIES
from benchmarks import study
from benchmarks.study import Variant


def variants(default: Config) -> list[Variant]:
    """Return all strategies, first as the paper keeps and scores proposals, then as we do."""
    paper = study.paper_merging(default.merging)
    return [
        Variant(
            {"merging": merging, "strategy": strategy},
            dataclasses.replace(
                default,
                refinement=dataclasses.replace(default.refinement, strategy=strategy),
                merging=paper if merging == "none" else default.merging,
            ),
            "constant" if merging == "none" else "own",
        )
        for merging in ("none", "default")
        for strategy in STRATEGIES
    ]


def main() -> None:
    """Run the study and keep its table."""
    args = study.parser(__doc__, "table8", ("geometric", "simulated-mild", "simulated-harsh")).parse_args()
    rows = study.run(args.scenes, study.settings(args), variants(study.base_config(args)), args.replicates)
    title = (
        "## Strategies of mask optimisation, percent (paper, Tab. 8)\n\n"
        "merging none: every proposal is kept, with constant confidence, as in the paper; default: our merging and "
        "confidence."
    )
    study.keep(title, ("cloud", "engine", "merging"), rows, args)


if __name__ == "__main__":
    main()

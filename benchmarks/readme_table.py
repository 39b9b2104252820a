"""The README's table of accuracy, written from the kept results: `python -m benchmarks.readme_table`.

Every figure and every command in it is read from `results/*.csv`; a test compares README and files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from any3dis_ros.errors import InputError
from benchmarks import tables
from benchmarks.groups import MAIN
from benchmarks.tables import Kept

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- accuracy: written by any3dis-bench readme -->"
END = "<!-- /accuracy -->"


@dataclass(frozen=True)
class Line:
    """One row: which kept table it reads, and how it says what it found there.

    Attributes:
        table: name of the kept table, whose command is given with it.
        what: the first cell.
        ap50: the second.
    """

    table: str
    what: Callable[[Kept], str]
    ap50: Callable[[Kept], str]

    def written(self, folder: Path) -> str:
        """Return the row in Markdown."""
        kept = tables.read(self.table, folder)
        return f"| {self.what(kept)} | {self.ap50(kept)} | `{kept.facts['command']}` |"


def percent(row: dict[str, str], *metrics: str) -> str:
    """Return metrics in whole percent: the first one, others by their name in brackets after it."""
    first, *others = (f"{100 * float(row[m]):.0f}" for m in metrics)
    named = ", ".join(f"{m.upper()} {v}" for m, v in zip(metrics[1:], others, strict=True))
    return f"{first} ({named})" if named else first


def oracle(kept: Kept) -> dict[str, str]:
    """Return the mean over scenes on the fused map."""
    return kept.row(scene="mean", cloud="fused")


def simulated(kept: Kept, strategy: str) -> str:
    """Return AP50 of a strategy with mild / harsh errors, merged by default."""
    where = {"cloud": "fused", "merging": "default", "strategy": strategy}
    return " / ".join(percent(kept.row(engine=f"simulated-{level}", **where), "ap50") for level in ("mild", "harsh"))


def geometric(kept: Kept, scene: str) -> dict[str, str]:
    """Return what the geometric engine reaches on the fused map of a scene, or in the "mean" over them."""
    return reached(kept, "geometric", scene)


def reached(kept: Kept, engine: str, scene: str = "pooled") -> dict[str, str]:
    """Return what an engine reaches on the fused map of a scene, or of all of them, pooled."""
    return kept.row(engine=engine, cloud="fused", things_of=MAIN.name, scene=scene)


def rendered(kept: Kept) -> str:
    """Say what the geometric engine reaches on each of the two rendered scenes."""
    room, table = (percent(geometric(kept, scene), "ap50") for scene in ("room32", "tabletop31"))
    return f"the geometric engine, defaults, fused map: room {room}, table {table}"


def shelf(kept: Kept) -> str:
    """Say what the geometric engine recalls of the shelf bin."""
    row = geometric(kept, "apc_bin")
    recall = f"recall {float(row['rc25']):.2f} at IoU 0.25, {float(row['rc50']):.2f} at 0.5"
    return f"a shelf bin of four objects, a quarter of the depth valid: {recall}"


def mean(kept: Kept) -> str:
    """Return AP50 and AP25 of the geometric engine, mean over scenes."""
    return percent(geometric(kept, "mean"), "ap50", "ap25")


def pooled_things(kept: Kept) -> str:
    """Return how many things a table that has no rows of single scenes pools."""
    return kept.rows[0]["things"]


def mild_harsh(kept: Kept, metric: str, scene: str = "pooled") -> str:
    """Return a metric with mild / harsh errors."""
    return " / ".join(percent(reached(kept, f"simulated-{level}", scene), metric) for level in ("mild", "harsh"))


def erring(kept: Kept) -> str:
    """Say what else simulated tracks reach than the pooled AP50."""
    mean_of_scenes, precision = mild_harsh(kept, "ap50", "mean"), mild_harsh(kept, "precision50")
    return f"tracks that err mildly / harshly, pooled (mean {mean_of_scenes}; precision {precision})"


def things(kept: Kept) -> int:
    """Return how many things the scenes hold."""
    return sum(int(row["things"]) for row in kept.rows if row["scene"] != "mean")


LINES = (
    Line("oracle", lambda _: "bound that the superpoints set, fused map", lambda k: percent(oracle(k), "bound_ap50")),
    Line(
        "oracle",
        lambda k: f"perfect 2D tracker: {float(oracle(k)['proposals_per_thing']):.1f} proposals a thing",
        lambda k: percent(oracle(k), "perfect_ap50"),
    ),
    Line(
        "table8",
        lambda k: (
            f"ten scenes on which parameters were chosen, {pooled_things(k)} things: tracks that err mildly / harshly"
        ),
        lambda k: simulated(k, "robust_exact"),
    ),
    Line(
        "table8",
        lambda _: "the same with Algorithm 1 of the paper in place of the default",
        lambda k: simulated(k, "view_dp"),
    ),
    Line("table1", rendered, mean),
    Line("table1_shelf", shelf, lambda k: percent(geometric(k, "apc_bin"), "ap50", "ap25")),
    Line(
        "oracle_fresh",
        lambda k: f"ten fresh scenes, {things(k)} things: bound / perfect tracker, mean",
        lambda k: f"{percent(oracle(k), 'bound_ap50')} / {percent(oracle(k), 'perfect_ap50')}",
    ),
    Line(
        "table1_fresh_simulated",
        lambda k: f"the same ten, {erring(k)}",
        lambda k: mild_harsh(k, "ap50"),
    ),
    Line(
        "table1_fresh",
        lambda _: "the same ten, the geometric engine",
        lambda k: percent(reached(k, "geometric"), "ap50", "ap25"),
    ),
)


def table(folder: Path = tables.RESULTS) -> str:
    """Return the table in Markdown.

    Raises:
        InputError: a kept table or a row of it is missing, and how to make it.
    """
    return "\n".join(["| what | AP50 | command |", "| --- | --- | --- |", *(line.written(folder) for line in LINES)])


def updated(readme: str, written: str) -> str:
    """Return the README with `written` between its two markers.

    Raises:
        InputError: a marker is missing, or there are several.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise InputError(f"README.md must hold '{BEGIN}' and, after it, '{END}' once each; put them around the table")
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n{written}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the table into the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument("--results", type=Path, default=tables.RESULTS, help="folder of the kept tables")
    args = parser.parse_args()
    args.readme.write_text(updated(args.readme.read_text(), table(args.results)))
    print(f"{args.readme}: {len(LINES)} rows written")


if __name__ == "__main__":
    main()

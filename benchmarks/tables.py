"""How a benchmark's result is printed and kept: Markdown for reading, CSV for everything else.

Both begin with what it takes to make them again: command, versions, and what the benchmark adds (scenes with seeds and
levels, replicates, evaluation). In a CSV these are lines `# name: value` before the header, which :func:`read` returns.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import any3dis_ros
from any3dis_ros.errors import InputError

RESULTS = Path(__file__).resolve().parent / "results"
_LIBRARIES = ("numpy", "numba", "open3d")

Row = Mapping[str, object]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its columns aligned for reading as plain text."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def cell(name: str, value: object) -> str:
    """Return a value as a table shows it: shares (AP, recall, precision) in percent, seconds and ratios short."""
    if not isinstance(value, float):
        return str(value)
    share = name.startswith(("ap", "rc", "precision")) or name.endswith(("_ap", "_ap50"))
    return f"{100 * value:.1f}" if share else f"{value:.2f}"


def sections(rows: Sequence[Row], by: Sequence[str]) -> str:
    """Return one Markdown table for each combination of the columns `by`, which become its heading."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in by), []).append(row)
    parts = []
    for key, own in groups.items():
        columns = [k for k in own[0] if k not in by]
        body = [[cell(k, row[k]) for k in columns] for row in own]
        heading = ", ".join(f"{k} {v}" for k, v in zip(by, key, strict=True))
        parts.append(f"### {heading.replace('_', ' ')}\n\n{markdown(columns, body)}")
    return "\n\n".join(parts)


def keep(
    name: str, text: str, rows: Sequence[Row], folder: Path = RESULTS, facts: Mapping[str, str] | None = None
) -> None:
    """Print `text` and write `<name>.md`, and `<name>.csv` of `rows` (all with the same columns), both with the facts.

    Args:
        name: of the two files.
        text: Markdown; the facts follow its title, or come first where it has none.
        rows: what the CSV holds.
        folder: where to.
        facts: of the run, beside the command and the versions, which are added here.
    """
    print(text)
    stated = {**circumstances(), **(facts or {})}
    said = "\n".join(f"- {k}: {f'`{v}`' if k == 'command' else v}" for k, v in stated.items())
    title, _, rest = text.partition("\n") if text.startswith("#") else ("", "", text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text("\n\n".join(filter(None, [title, said, rest.strip("\n")])) + "\n")
    with (folder / f"{name}.csv").open("w", newline="") as file:
        file.writelines(f"# {k}: {v}\n" for k, v in stated.items())
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"\nkept in {folder / name}.md and .csv")


@dataclass(frozen=True)
class Kept:
    """A kept table.

    Attributes:
        name: of its file.
        facts: by name, as :func:`keep` wrote them.
        rows: cells as text, by column.
    """

    name: str
    facts: dict[str, str]
    rows: list[dict[str, str]]

    def row(self, **where: str) -> dict[str, str]:
        """Return the one row with these cells.

        Raises:
            InputError: none or several.
        """
        found = [r for r in self.rows if all(r.get(k) == v for k, v in where.items())]
        if len(found) != 1:
            asked = ", ".join(f"{k} {v}" for k, v in where.items())
            made = self.facts.get("command", f"any3dis-bench {self.name}")
            raise InputError(f"{self.name}.csv has {len(found)} rows with {asked}, expected one; make it again: {made}")
        return found[0]


def read(name: str, folder: Path = RESULTS) -> Kept:
    """Read back what :func:`keep` wrote.

    Raises:
        InputError: there is no such table.
    """
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"there is no table {path}; make it with any3dis-bench (any3dis-bench --help lists them)")
    with path.open(newline="") as file:
        lines = file.read().splitlines()
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return Kept(name, facts, list(csv.DictReader(line for line in lines if not line.startswith("# "))))


def circumstances() -> dict[str, str]:
    """Return the command of this run and the versions of what it ran with."""
    libraries = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    return {
        "command": command(sys.argv),
        "versions": f"any3dis_ros {any3dis_ros.__version__} ({revision()}), {libraries}",
    }


def command(arguments: Sequence[str]) -> str:
    """Return the command line as another machine would type it: folders by their names, without where it is kept."""
    program, *given = arguments
    if not program.startswith("any3dis-bench"):
        inside = Path(program).with_suffix("").as_posix().rpartition("/benchmarks/")[2]
        program = f"python -m benchmarks.{inside.replace('/', '.')}"
    for folder in ("--output", "--work"):
        if folder in given:
            k = given.index(folder)
            given = given[:k] + given[k + 2 :]
    return " ".join([program, *(Path(g).name if "/" in g else g for g in given)])


def revision() -> str:
    """Return what git calls the code that runs, with "-dirty" where it was changed, or "unknown revision"."""
    root = str(Path(__file__).resolve().parents[1])
    code = ["any3dis_ros", "benchmarks", ":!benchmarks/results"]
    try:
        described = subprocess.run(
            ["git", "-C", root, "describe", "--always", "--tags"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", root, "status", "--porcelain", "--", *code], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown revision"
    return described + ("-dirty" if changed else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"

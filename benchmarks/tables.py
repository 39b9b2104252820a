"""How a benchmark's result is printed and kept: Markdown for reading, CSV for everything else."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


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


def keep(name: str, text: str, rows: Sequence[Mapping[str, object]], folder: Path = RESULTS) -> None:
    """Print `text` and write `<name>.md`, and `<name>.csv` of `rows` (all with the same columns)."""
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n")
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    print(f"\nkept in {folder / name}.md and .csv")

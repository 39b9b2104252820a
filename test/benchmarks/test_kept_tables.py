"""Every kept table says by which command, and with which versions, it was made."""

from __future__ import annotations

import pytest

from benchmarks import tables

OLDER = {"sam2_memory_cpu", "sam2_speed_cpu"}  # than the lines that say so; benchmarks/README.md names them
KEPT = sorted({path.stem for path in tables.RESULTS.glob("*.csv")} - OLDER)


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_table_says_how_it_was_made(name: str) -> None:
    facts = tables.read(name).facts
    assert facts["command"].startswith(("any3dis-bench ", "python -m benchmarks."))
    assert facts["versions"].startswith("any3dis_ros ")
    text = (tables.RESULTS / f"{name}.md").read_text()
    for fact, value in facts.items():
        assert f"- {fact}: {f'`{value}`' if fact == 'command' else value}\n" in text


def test_all_tables_are_kept_both_ways() -> None:
    assert {p.stem for p in tables.RESULTS.glob("*.md")} == {*KEPT, *OLDER}

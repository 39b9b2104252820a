from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from any3dis_ros.errors import InputError
from benchmarks import tables

OLDER = {"sam2_memory_cpu", "sam2_speed_cpu"}  # than the facts that tables begin with; benchmarks/README.md names them
KEPT = sorted({path.stem for path in tables.RESULTS.glob("*.csv")} - OLDER)


def test_tables_are_kept_as_markdown_and_csv_with_the_facts_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["any3dis-bench t", "room1-mild"])
    table = tables.markdown(["name", "v"], [["long name", "1"]])
    assert table.splitlines() == ["| name      | v |", "|-----------|---|", "| long name | 1 |"]
    rows = [{"name": "long, name", "v": 1}, {"name": "#2", "v": 2.5}]
    tables.keep("t", f"## Title\n\n{table}", rows, tmp_path, {"scenes": "room1-mild (seed 1): one"})
    assert table in capsys.readouterr().out
    kept = tables.read("t", tmp_path)
    assert kept.rows == [{"name": "long, name", "v": "1"}, {"name": "#2", "v": "2.5"}]
    assert kept.facts["command"] == "any3dis-bench t room1-mild"
    assert kept.facts["scenes"] == "room1-mild (seed 1): one"
    assert re.fullmatch(r"any3dis_ros [\d.]+ \(.+\), numpy [\d.]+, numba [\d.]+, open3d [\d.]+", kept.facts["versions"])
    title, blank, command, *rest = (tmp_path / "t.md").read_text().splitlines()
    assert (title, blank, command) == ("## Title", "", "- command: `any3dis-bench t room1-mild`")
    assert rest[1] == "- scenes: room1-mild (seed 1): one"
    assert rest[-3:] == table.splitlines()


def test_text_without_a_title_follows_the_facts(tmp_path: Path) -> None:
    tables.keep("t", "VGA at 30 Hz.\n\n| a |", [{"a": 1}], tmp_path, {"k": "v"})
    text = (tmp_path / "t.md").read_text()
    assert text.startswith("- command: ")
    assert text.endswith("- k: v\n\nVGA at 30 Hz.\n\n| a |\n")


def test_rows_are_found_by_their_cells_or_the_remedy_is_told(tmp_path: Path) -> None:
    kept = tables.Kept("t", {"command": "any3dis-bench t x"}, [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}])
    assert kept.row(b="3") == {"a": "1", "b": "3"}
    with pytest.raises(InputError, match=r"0 rows with b 4.*any3dis-bench t x"):
        kept.row(b="4")
    with pytest.raises(InputError, match=r"2 rows with a 1"):
        kept.row(a="1")
    with pytest.raises(InputError, match=r"no table .*absent\.csv; make it with any3dis-bench"):
        tables.read("absent", tmp_path)


def test_a_command_names_folders_as_another_machine_would(tmp_path: Path) -> None:
    given = ["any3dis-bench table1", str(tmp_path / "room1-mild"), "--output", "/elsewhere", "--replicates", "2"]
    assert tables.command(given) == "any3dis-bench table1 room1-mild --replicates 2"
    assert tables.command(["/home/me/benchmarks/oracle.py", "room32"]) == "python -m benchmarks.oracle room32"
    nested = ["/benchmarks/x/benchmarks/speed/run.py", "--work", "/scratch/room", "--loads", "0-2"]
    assert tables.command(nested) == "python -m benchmarks.speed.run --loads 0-2"


def test_cells_show_shares_in_percent() -> None:
    assert [tables.cell("ap50", 0.5), tables.cell("segment_s", 2.0), tables.cell("things", 3)] == ["50.0", "2.00", "3"]


def test_sections_take_their_headings_from_columns() -> None:
    rows = [{"cloud": c, "view_sensitivity": 0.0, "x": i} for i, c in enumerate(["exact", "fused", "exact"])]
    exact, fused = tables.sections(rows, ("cloud", "view_sensitivity")).split("\n\n### ")
    assert exact.splitlines() == ["### cloud exact, view sensitivity 0.0", "", "| x |", "|---|", "| 0 |", "| 2 |"]
    assert fused.splitlines()[-1] == "| 1 |"


def test_the_revision_is_git_s_and_says_where_code_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"describe": "1.0-3-gabc\n", "status": ""}

    def git(arguments, **_):
        return subprocess.CompletedProcess(arguments, 0, stdout=answers[arguments[3]])

    monkeypatch.setattr(tables.subprocess, "run", git)
    assert tables.revision() == "1.0-3-gabc"
    answers["status"] = " M benchmarks/tables.py\n"
    assert tables.revision() == "1.0-3-gabc-dirty"

    def fail(arguments, **_):
        raise FileNotFoundError("git")

    monkeypatch.setattr(tables.subprocess, "run", fail)
    assert tables.revision() == "unknown revision"


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

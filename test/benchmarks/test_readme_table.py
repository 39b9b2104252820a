"""The README's table of accuracy is what the kept results say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from any3dis_ros.errors import InputError
from benchmarks import readme_table, tables
from benchmarks.readme_table import BEGIN, END, LINES, README, percent, table, updated


def test_the_readme_shows_what_the_results_say() -> None:
    """If this fails: any3dis-bench readme."""
    text = README.read_text()
    assert updated(text, table()) == text


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the kept results."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in {line.table for line in LINES}:
        shutil.copy(tables.RESULTS / f"{name}.csv", folder)
    return folder


def test_a_changed_result_changes_its_row_and_no_other(results: Path) -> None:
    before = table(results).splitlines()
    path = results / "oracle.csv"
    lines = path.read_text().splitlines()
    (k,) = (k for k, line in enumerate(lines) if line.startswith("mean,fused"))
    columns = next(line for line in lines if not line.startswith("#")).split(",")
    cells = lines[k].split(",")
    cells[columns.index("bound_ap50")] = "0.123"
    path.write_text("\n".join([*lines[:k], ",".join(cells), *lines[k + 1 :]]))
    after = table(results).splitlines()
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [2]
    assert "| 12 |" in after[2]


def test_a_missing_file_or_row_is_refused_with_the_remedy(results: Path) -> None:
    path = results / "table8.csv"
    path.write_text(re.sub(r"(?m)^fused,simulated-harsh,default,view_dp.*\n", "", path.read_text()))
    with pytest.raises(InputError, match=r"table8\.csv has 0 rows .*view_dp.*make it again: any3dis-bench table8"):
        table(results)
    path.unlink()
    with pytest.raises(InputError, match=r"no table .*table8\.csv; make it with any3dis-bench"):
        table(results)


def test_writing_is_a_round_trip_that_leaves_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n\n{BEGIN}\n| old |\n{END}\n\nbelow\n")
    monkeypatch.setattr("sys.argv", ["any3dis-bench readme", "--readme", str(readme)])
    readme_table.main()
    assert readme.read_text() == f"above\n\n{BEGIN}\n{table()}\n{END}\n\nbelow\n"
    assert f"{len(LINES)} rows written" in capsys.readouterr().out
    once = readme.read_text()
    readme_table.main()
    assert readme.read_text() == once


@pytest.mark.parametrize("text", ["no marker", f"{BEGIN}", f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN}"])
def test_a_readme_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="once each; put them around the table"):
        updated(text, "| new |")


def test_metrics_are_whole_percents_with_the_names_of_all_but_the_first() -> None:
    row = {"ap50": "0.6986", "ap25": "0.852"}
    assert (percent(row, "ap50"), percent(row, "ap50", "ap25")) == ("70", "70 (AP25 85)")

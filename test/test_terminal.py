"""What a person sees: bars that vanish, one line a stage, a table."""

from __future__ import annotations

import io
import logging
import re

import pytest
from small_result import small_result

from any3dis_ros.terminal import Bars, LogLines, instance_table


class Terminal(io.StringIO):
    """A stream that shows what is left on a terminal's screen."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        shown = []
        for line in self.getvalue().split("\n"):
            cells: list[str] = []
            for part in line.split("\r"):
                cells[: len(part)] = part
            shown.append("".join(cells).rstrip())
        return shown


def work(bars: Bars) -> None:
    for done in range(3):
        bars("map", done, 2)
    bars("tracking", 0, 4)
    bars("tracking", 3, 4, 17)


def test_a_bar_is_drawn_and_leaves_one_line():
    terminal = Terminal()
    bars = Bars(False, terminal)
    work(bars)
    bars._bar.refresh()
    assert re.search(r"tracking: +75%.*3/4.*17 proposals", terminal.getvalue())
    bars.close()
    assert [line.split("  ")[0] for line in terminal.screen] == ["map", "tracking", ""]
    assert all(re.fullmatch(r"\w+ +\d+\.\d s", line) for line in terminal.screen[:2])


def test_bytes_are_shown_in_millions():
    terminal = Terminal()
    bars = Bars(False, terminal)
    bars("downloading", 0, 898_083_611)
    bars("downloading", 449_000_000, 898_083_611)
    bars._bar.refresh()
    bars.close()
    assert re.search(r"downloading: +50%.*449M/898M", terminal.getvalue())


def test_elsewhere_there_is_one_line_a_stage():
    stream = io.StringIO()
    bars = Bars(False, stream)
    work(bars)
    assert re.fullmatch(r"map +\d+\.\d s\n", stream.getvalue())
    bars.close()
    bars.close()
    assert re.fullmatch(r"map +\d+\.\d s\ntracking +\d+\.\d s\n", stream.getvalue())


def test_quiet_says_nothing():
    stream = Terminal()
    bars = Bars(True, stream)
    work(bars)
    bars.close()
    assert stream.getvalue() == ""


def test_a_warning_stands_above_the_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    bars = Bars(False)
    bars("read", 1, 4)
    handler = LogLines()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, "%d torn", (2,), None))
    bars("read", 4, 4)
    assert terminal.screen[0] == "WARNING: 2 torn"
    assert terminal.screen[1].startswith("read ")


def test_the_table_lists_what_owns_points_best_first():
    instances, _ = small_result()
    lines = instance_table(instances).splitlines()
    assert " ".join(lines[0].split()) == "id score points size cm (l × w × h) centroid m (map frame)"
    # cubes of 6 points at 2 cm: 10 cm wide, the first about (0.05, 0.05, 0.05)
    assert lines[1].split() == ["1", "0.90", "216", "10", "×", "10", "×", "10", "0.05", "0.05", "0.05"]
    assert lines[2].split()[:3] == ["2", "0.62", "216"]
    assert len(lines) == 3


def test_a_long_table_says_what_it_leaves_out():
    instances, _ = small_result()
    assert instance_table(instances, limit=1).splitlines()[2:] == ["      … and 1 more in instances.json"]


@pytest.mark.parametrize("total", [0, 1])
def test_a_stage_without_steps_ends_at_once(total):
    stream = io.StringIO()
    Bars(False, stream)("features", total, total)
    assert stream.getvalue().startswith("features")

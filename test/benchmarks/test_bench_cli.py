import sys
from types import SimpleNamespace

import pytest

from any3dis_ros.errors import InputError
from benchmarks import cli


@pytest.mark.parametrize("module", cli.COMMANDS.values())
def test_every_name_leads_to_a_module_that_says_what_it_measures(module):
    assert len(cli.purpose(module)) > 15


def test_the_listing_names_every_measurement(capsys):
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in cli.COMMANDS)


def test_an_unknown_name_is_refused_with_those_that_there_are(capsys):
    assert cli.main(["speeed"]) == 2
    said = capsys.readouterr().err
    assert "'speeed' is unknown" in said
    assert "oracle" in said


def test_options_reach_the_measurement_and_its_refusal_becomes_one_sentence(monkeypatch, capsys):
    seen = []

    def refuse():
        seen.extend(sys.argv)
        raise InputError("no scene 'x'")

    monkeypatch.setattr(cli, "import_module", lambda name: SimpleNamespace(main=refuse))
    monkeypatch.setattr(sys, "argv", ["before"])
    assert cli.main(["oracle", "x", "--output", "y"]) == 2
    assert seen == ["any3dis-bench oracle", "x", "--output", "y"]
    assert capsys.readouterr().err == "any3dis-bench oracle: no scene 'x'\n"

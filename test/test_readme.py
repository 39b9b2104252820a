from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from any3dis_ros.cli import main
from any3dis_ros.config import Config
from any3dis_ros.parameters import parameters, to_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_parameter_is_documented_as_in_the_code():
    """If this fails: write the output of `any3dis config --markdown` under the heading of docs/parameters.md."""
    text = (ROOT / "docs" / "parameters.md").read_text()
    assert text[text.index("| parameter") :].strip() == to_markdown(Config).strip()


def test_the_parameters_named_in_the_readme_are_those_of_the_code():
    documented = to_markdown(Config).splitlines()
    groups = {p.name.partition(".")[0] for p in parameters(Config)}
    named = [line for line in README.splitlines() if (m := re.match(r"\| `(\w+)\.", line)) and m[1] in groups]
    assert len(named) >= 8
    for line in named:
        assert line in documented


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_files_named_in_it_exist():
    for name in re.findall(r"`((?:scene|tracking|proposals|objects|io)/[\w/]*(?:\.py)?)`", README):
        assert (ROOT / "any3dis_ros" / name).exists(), name


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^    any3dis ([\w-]+)", README, re.MULTILINE))))
def test_commands_named_in_it_exist(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: any3dis" in capsys.readouterr().out


@pytest.mark.slow
def test_the_python_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) > 5

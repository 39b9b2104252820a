"""Names of checkpoints, paths of them, and where they are kept."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from any3dis_ros.errors import InputError
from any3dis_ros.tracking.sam2.checkpoints import CHECKPOINTS, cache_folder, named, resolve


def test_the_published_checkpoints():
    assert list(CHECKPOINTS) == ["tiny", "small", "base_plus", "large"]
    for name, model in CHECKPOINTS.items():
        assert model.file == f"sam2.1_hiera_{name}.pt"
        assert model.address == f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{model.file}"
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert sorted(m.size for m in CHECKPOINTS.values()) == [m.size for m in CHECKPOINTS.values()]
    assert named("base+") is named("base_plus") is CHECKPOINTS["base_plus"]


def test_an_unknown_name_lists_the_known():
    with pytest.raises(InputError, match="'huge'; expected one of tiny, small, base_plus, large"):
        named("huge")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"ANY3DIS_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own/checkpoints"),
        ({"ANY3DIS_CACHE": "~/own"}, "/home/robot/own/checkpoints"),
        ({"ANY3DIS_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/any3dis/checkpoints"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/robot/.cache/any3dis/checkpoints"),
        ({"XDG_CACHE_HOME": ""}, "/home/robot/.cache/any3dis/checkpoints"),
        ({}, "/home/robot/.cache/any3dis/checkpoints"),
    ],
)
def test_where_checkpoints_are_kept(environment, folder, monkeypatch):
    for name in ("ANY3DIS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/robot", **environment}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANY3DIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return cache_folder()


@pytest.mark.parametrize("name", ["base_plus", "base+"])
def test_a_name_means_the_file_in_the_cache(name, cache, monkeypatch):
    monkeypatch.setitem(CHECKPOINTS, "base_plus", dataclasses.replace(CHECKPOINTS["base_plus"], size=5))
    path = cache / "sam2.1_hiera_base_plus.pt"
    with pytest.raises(
        InputError, match=rf"not at {re.escape(str(path))}; run `any3dis download-checkpoint base_plus`"
    ):
        resolve(name)
    cache.mkdir(parents=True)
    path.write_bytes(b"1234")
    with pytest.raises(InputError, match="has 4 bytes, the published file 5"):
        resolve(name)
    path.write_bytes(b"12345")
    assert resolve(name) == path


def test_a_name_is_no_path_unless_it_is_written_as_one(cache, tmp_path):
    (tmp_path / "large").write_bytes(b"mine")
    with pytest.raises(InputError, match="download-checkpoint large"):
        resolve("large")
    assert resolve("./large").read_bytes() == b"mine"


def test_paths(cache, tmp_path):
    (tmp_path / "home").mkdir()
    for path in (tmp_path / "mine.pt", tmp_path / "home" / "own.pt"):
        path.write_bytes(b"x")
    assert resolve(str(tmp_path / "mine.pt")) == tmp_path / "mine.pt"
    assert resolve("mine.pt").samefile(tmp_path / "mine.pt")
    assert resolve("~/own.pt") == tmp_path / "home" / "own.pt"


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("huge", "'huge' does not exist"),
        ("nowhere/weights.pt", "'nowhere/weights.pt' does not exist"),
        ("home", "'home' is a folder"),
        ("empty.pt", "'empty.pt' is empty"),
        ("~nobody-of-that-name/x.pt", "home folder"),
        ("a\0b", "does not exist"),
    ],
)
def test_what_cannot_be_a_checkpoint_is_told_with_the_remedy(checkpoint, words, cache, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "empty.pt").touch()
    with pytest.raises(InputError, match=words) as caught:
        resolve(checkpoint)
    assert "home folder" in words or "`any3dis download-checkpoint large`" in str(caught.value)
    assert "home folder" in words or "tiny, small, base_plus, large" in str(caught.value)


def test_names_and_downloads_need_no_torch():
    code = "import sys; sys.modules['torch'] = sys.modules['sam2'] = None\nimport any3dis_ros.tracking.sam2.checkpoints"
    subprocess.run([sys.executable, "-c", code], check=True)

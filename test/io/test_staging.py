"""An output folder is filled whole or not at all."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from any3dis_ros.errors import InputError
from any3dis_ros.io import staging
from any3dis_ros.io.staging import check_writable, staged

NAMES = ("a", "b", "done")


def tree(folder: Path) -> dict[str, str | None]:
    return {
        str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in sorted(folder.rglob("*"))
    }  # hidden ones included


def fill(folder: Path, text: str, failure: BaseException | None = None) -> None:
    with staged(folder, NAMES) as new:
        (new / "a").write_text(text)
        (new / "b").mkdir()
        (new / "b" / "c").write_text(text)
        (new / "done").write_text(text)
        if failure is not None:
            raise failure


@pytest.mark.parametrize("depth", ["out", "one/two/out"])
def test_all_files_appear_at_the_end(tmp_path, depth):
    folder = tmp_path / depth
    with staged(folder, NAMES) as new:
        (new / "done").write_text("x")
        assert not (folder / "done").exists()
    assert tree(folder) == {"done": "x"}


def test_former_files_go_also_where_no_new_one_comes(tmp_path):
    fill(tmp_path, "old")
    (tmp_path / "mine").write_text("kept")
    with staged(tmp_path, NAMES) as new:
        (new / "a").mkdir()  # a folder takes the place of a file
    assert tree(tmp_path) == {"a": None, "mine": "kept"}


@pytest.mark.parametrize("failure", [OSError(28, "full"), KeyboardInterrupt(), ValueError("defect")])
def test_a_failure_leaves_what_was_there(tmp_path, failure):
    fill(tmp_path / "there", "old")
    before = tree(tmp_path)
    for folder in (tmp_path / "there", tmp_path / "not" / "yet"):
        with pytest.raises(type(failure)):
            fill(folder, "new", failure)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("moves", range(6))
def test_a_failure_among_the_moves_is_undone(tmp_path, monkeypatch, moves):
    fill(tmp_path / "out", "old")
    before = tree(tmp_path)
    rename, left = Path.rename, [moves]

    def fails_once(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(OSError, match="Input/output"):
        fill(tmp_path / "out", "new")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_among_the_moves_waits_for_their_end(tmp_path, monkeypatch, number):
    fill(tmp_path / "out", "old")
    replace = staging._replace

    def signalled(*args):
        os.kill(os.getpid(), number)
        replace(*args)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(staging, "_replace", signalled)
    former = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            fill(tmp_path / "out", "new")
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, former)
    assert tree(tmp_path / "out") == {"a": "new", "b": None, "b/c": "new", "done": "new"}


def test_other_threads_may_write_too(tmp_path):
    thread = threading.Thread(target=fill, args=(tmp_path, "x"))
    thread.start()
    thread.join()
    assert (tmp_path / "done").read_text() == "x"


def test_check_writable_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert tree(tmp_path) == {}
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / "there")
    assert tree(tmp_path) == {"there": None}


def test_folder_under_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="it is a file; choose another one"):
        check_writable(tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot write to the output folder .*Not a directory; choose another one"):
        check_writable(tmp_path / "file" / "out" / "deeper")
    with pytest.raises(InputError, match="name too long"):
        check_writable(tmp_path / "new" / ("x" * 300))
    assert tree(tmp_path) == {"file": ""}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        check_writable(tmp_path)


def test_folder_on_a_read_only_file_system():
    with pytest.raises(InputError, match="cannot write to the output folder"):
        check_writable(Path("/proc/any3dis"))

"""A download against a server of our own that resumes, does not, lies, breaks off or is not there."""

from __future__ import annotations

import hashlib
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from file_server import file_server

from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.tracking.sam2 import checkpoints, transfer
from any3dis_ros.tracking.sam2.checkpoints import Checkpoint, download

CONTENT = np.random.default_rng(0).bytes(3 * transfer.CHUNK_BYTES + 12345)
MODEL = Checkpoint("small", "weights.pt", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def server():
    with file_server(CONTENT) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def part_of(folder: Path) -> Path:
    return folder / "weights.pt.part"


class Recorder:
    """Progress as told; cancels once `limit` bytes of `stage` are told."""

    def __init__(self, stage: str = "", limit: int = 0) -> None:
        self.told: list[tuple[str, int, int]] = []
        self._stop = stage, limit

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        self.told.append((stage, done, total))
        if stage == self._stop[0] and done >= self._stop[1]:
            raise Cancelled("enough")

    def of(self, stage: str) -> list[int]:
        return [done for s, done, _ in self.told if s == stage]


def test_a_fresh_download_is_whole_and_told_by_bytes(server, tmp_path):
    progress = Recorder()
    folder = tmp_path / "new" / "folder"
    assert download(MODEL, folder, progress, server.address) == folder / "weights.pt"
    assert (folder / "weights.pt").read_bytes() == CONTENT
    assert [p.name for p in folder.iterdir()] == ["weights.pt"]
    assert server.ranges == [None]
    for stage in ("downloading", "verifying"):
        done = progress.of(stage)
        assert done[0] == 0
        assert done[-1] == MODEL.size
        assert done == sorted(done)
        assert np.diff(done).max() <= transfer.CHUNK_BYTES
    assert {total for _, _, total in progress.told} == {MODEL.size}


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "weights.pt").write_bytes(CONTENT)
    progress = Recorder()
    assert download(MODEL, tmp_path, progress, server.address) == tmp_path / "weights.pt"
    assert server.ranges == []
    assert progress.of("downloading") == []
    assert progress.of("verifying")[-1] == MODEL.size


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT[:-1] + b"x", b""], ids=["shorter", "other", "empty"])
def test_another_file_of_that_name_is_told_and_left_alone(wrong, server, tmp_path):
    (tmp_path / "weights.pt").write_bytes(wrong)
    with pytest.raises(InputError, match=r"weights\.pt is not the published file: .*(bytes|SHA-256).*remove it"):
        download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == wrong
    assert server.ranges == []


@pytest.mark.parametrize("have", [1, 1_000_000, MODEL.size - 1])
def test_a_part_is_gone_on_from(have, server, tmp_path):
    part_of(tmp_path).write_bytes(CONTENT[:have])
    progress = Recorder()
    download(MODEL, tmp_path, progress, server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={have}-"]
    assert progress.of("downloading")[0] == have
    assert not part_of(tmp_path).exists()


def test_a_server_that_cannot_resume_sends_it_all(server, tmp_path):
    server.resumes = False
    part_of(tmp_path).write_bytes(CONTENT[:1_000_000])
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000000-"]


def test_a_complete_part_needs_no_server(server, tmp_path):
    part_of(tmp_path).write_bytes(CONTENT)
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == []


def test_a_part_that_is_too_long_starts_again(server, tmp_path):
    part_of(tmp_path).write_bytes(CONTENT + b"more")
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_length_that_is_not_announced_is_no_hindrance(server, tmp_path):
    server.announces_length = False
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


def test_more_than_the_published_bytes_is_not_read(server, tmp_path):
    server.announces_length = False
    server.content = CONTENT + b"x" * 100
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


def fails(folder: Path, address: str, words: str) -> str:
    with pytest.raises(InputError, match=words) as caught:
        download(MODEL, folder, address=address)
    told = str(caught.value)
    assert "\n" not in told
    assert address in told
    assert re.search(
        f"by hand, .* {re.escape(str(folder / 'weights.pt'))} .{MODEL.size} bytes, SHA-256 {MODEL.sha256}", told
    )
    assert not (folder / "weights.pt").exists()
    return told


def test_a_wrong_sum_removes_what_came(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    told = fails(tmp_path, server.address, "not the published file and was removed: its SHA-256 is")
    assert hashlib.sha256(server.content).hexdigest() in told
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert download(MODEL, tmp_path, address=server.address).read_bytes() == CONTENT


def test_a_part_of_something_else_ends_in_a_wrong_sum(server, tmp_path):
    part_of(tmp_path).write_bytes(b"x" * 1000)
    fails(tmp_path, server.address, "its SHA-256 is")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("have", [0, 1000])
def test_another_announced_length_is_refused_before_reading(have, server, tmp_path):
    server.content = b"<html>please log in</html>" * 100
    part_of(tmp_path).write_bytes(CONTENT[:have])
    fails(tmp_path, server.address, f"announces 2600 bytes instead of {MODEL.size}")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([CONTENT[:have]] if have else [])


def test_a_line_that_breaks_keeps_what_came(server, tmp_path):
    server.breaks_after = 2_000_000
    fails(
        tmp_path,
        server.address,
        rf"(ended after 2000000 of {MODEL.size} bytes; the same command goes on|IncompleteRead)",
    )
    assert part_of(tmp_path).read_bytes() == CONTENT[:2_000_000]
    server.breaks_after = None
    assert download(MODEL, tmp_path, address=server.address).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=2000000-"]


def test_a_server_without_more_has_the_part_verified(server, tmp_path):
    server.content = CONTENT[:1000]
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    fails(tmp_path, server.address, f"removed: it has 1000 bytes instead of {MODEL.size}")
    assert list(tmp_path.iterdir()) == []


def test_another_range_than_asked_is_refused(server, tmp_path):
    server.content_range = f"bytes 0-{MODEL.size - 1}/{MODEL.size}"
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    fails(tmp_path, server.address, "instead of what follows byte 1000")
    assert part_of(tmp_path).read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("status", [404, 503])
def test_an_answer_of_failure_leaves_nothing(status, server, tmp_path):
    server.status = status
    fails(tmp_path, server.address, f"the server answers {status} ")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_connection_is_told(server, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    fails(tmp_path, f"http://127.0.0.1:{port}/weights.pt", "Connection refused")
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_tls_is_told(server, tmp_path):
    fails(tmp_path, server.address.replace("http", "https"), "SSL|TLS")


def test_an_unknown_scheme_is_told(tmp_path):
    fails(tmp_path, "nothing://at/all", "unknown url type")


def test_a_cancelled_download_is_gone_on_from(server, tmp_path):
    with pytest.raises(Cancelled):
        download(MODEL, tmp_path, Recorder("downloading", 1_000_000), server.address)
    have = part_of(tmp_path).stat().st_size
    assert 1_000_000 <= have < MODEL.size
    assert part_of(tmp_path).read_bytes() == CONTENT[:have]
    download(MODEL, tmp_path, address=server.address)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={have}-"]


def test_a_cancelled_verification_is_taken_up(server, tmp_path):
    with pytest.raises(Cancelled):
        download(MODEL, tmp_path, Recorder("verifying", 1), server.address)
    assert part_of(tmp_path).read_bytes() == CONTENT
    download(MODEL, tmp_path, address=server.address)
    assert server.ranges == [None]


def test_two_at_once_do_not_mix(server, tmp_path):
    """The second is started while the first holds half of the file."""
    refused = []

    def second(stage: str, done: int, total: int, instances: int = 0) -> None:
        if stage == "downloading" and done >= 1_000_000 and not refused:
            with pytest.raises(InputError, match="downloaded by another process") as caught:
                download(MODEL, tmp_path, address=server.address)
            refused.append(caught.value)

    download(MODEL, tmp_path, second, server.address)
    assert len(refused) == 1
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges == [None]


def test_one_that_ends_just_before_the_other_locks_is_seen(server, tmp_path, monkeypatch):
    lock, first = transfer.fcntl.flock, []

    def late(file, how):
        if not first:
            first.append(True)
            download(MODEL, tmp_path, address=server.address)
        lock(file, how)

    monkeypatch.setattr(transfer.fcntl, "flock", late)
    assert download(MODEL, tmp_path, address=server.address).read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pt"]
    assert server.ranges == [None]


def test_too_little_space_is_told_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(InputError, match=r"needs 3 MB more in .*, where 1 MB are free"):
        download(MODEL, tmp_path, address=server.address)
    assert server.ranges == []
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_is_told_and_keeps_what_came(server, tmp_path, monkeypatch):
    write = transfer._write

    def full(file, chunk):
        write(file, chunk[:10])
        with transfer.on_disk(Path(file.name)):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "_write", full)
    with pytest.raises(InputError, match=r"weights\.pt\.part: No space left on device"):
        download(MODEL, tmp_path, address=server.address)
    assert part_of(tmp_path).read_bytes() == CONTENT[:10]


def test_a_folder_that_is_a_file_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match=r"cannot use .*file"):
        download(MODEL, tmp_path / "file", address=server.address)

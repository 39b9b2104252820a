"""Fetching one large file over HTTP: resumed where it broke off, by one process at a time."""

from __future__ import annotations

import fcntl
import http.client
import io
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0  # without a byte


class TransferError(Exception):
    """The file could not be had from its address; the message says why."""


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the file system refuses within the block into an InputError that names `path`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot use {path}: {error.strerror or error}; choose another folder, or mend its permissions or space"
        ) from error


@contextmanager
def exclusive(path: Path) -> Iterator[io.FileIO]:
    """Open `path` for reading and appending, for this process alone; an empty file is removed in the end.

    The lock is the file's own, so that it vanishes with the process that holds it.

    Raises:
        InputError: another process has it open in this way, or it cannot be opened.
    """
    with _locked(path) as file:
        try:
            yield file
        finally:
            if not os.fstat(file.fileno()).st_size:
                path.unlink(missing_ok=True)


def receive(address: str, file: io.FileIO, size: int, progress: Progress) -> None:
    """Append what is missing of a file of `size` bytes; `file` is open for reading and appending.

    Starts again where the server cannot resume. On any failure, what has come stays in `file`, to be gone on from. The
    caller checks size and contents in the end: a server may claim that there is no more.

    Args:
        address: of the whole file.
        file: unbuffered; as much of it as came earlier, at its end what comes now.
        size: bytes of the whole file.
        progress: stage `downloading`, in bytes; may raise Cancelled.

    Raises:
        TransferError: the server cannot be reached, answers with something else, or breaks off.
    """
    done = os.fstat(file.fileno()).st_size
    if done > size:
        file.truncate(done := 0)
    progress("downloading", done, size)
    if done == size:
        return
    response = _request(address, done)
    if response is None:
        return
    with response:
        done, total = _extent(response, done)
        if total not in (None, size):
            raise TransferError(f"the server announces {total} bytes instead of {size}")
        with on_disk(Path(file.name)):
            file.truncate(done)
        while done < size:
            with _network():
                chunk = response.read1(min(CHUNK_BYTES, size - done))
            if not chunk:
                raise TransferError(
                    f"the connection ended after {done} of {size} bytes; the same command goes on from there"
                )
            _write(file, chunk)
            done += len(chunk)
            progress("downloading", done, size)


def _write(file: io.FileIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    with on_disk(Path(file.name)):
        while left:
            left = left[file.write(left) :]


def _locked(path: Path) -> io.FileIO:
    while True:
        with on_disk(path):
            file = path.open("a+b", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    return file
                file.close()  # between opening and locking, its former owner renamed or removed it
            except BlockingIOError as error:
                file.close()
                raise InputError(f"{path} is being downloaded by another process; wait until that has ended") from error
            except BaseException:
                file.close()
                raise


def _request(address: str, start: int) -> http.client.HTTPResponse | None:
    """Ask for the file from byte `start` on; None where the server says that it has no more than that."""
    request = urllib.request.Request(address, headers={"User-Agent": "any3dis"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with _network():
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            raise TransferError(f"the server answers {error.code} {error.reason}") from error
    return response


def _extent(response: http.client.HTTPResponse, asked: int) -> tuple[int, int | None]:
    """Return the byte at which the answer starts, and the size of the whole file, if it says so."""
    if response.status != http.client.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    given = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given.strip())
    if not match or int(match[1]) != asked:
        raise TransferError(f"the server answers with the range {given!r} instead of what follows byte {asked}")
    return asked, None if match[2] == "*" else int(match[2])


@contextmanager
def _network() -> Iterator[None]:
    """Turn what goes wrong on the line into a TransferError."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)  # URLError wraps what happened
        raise TransferError(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) from error

"""The checkpoints of SAM 2.1: what they are called, where they lie, and how one is fetched.

Meta publishes the files (Apache-2.0; addresses from the official repository, release of 29 September 2024), but no
sums. Sizes and SHA-256 below are those on which independent users of the files agree.

Needs neither torch nor sam2, so that a robot's image can be built, and a wrong name be told, without loading them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from any3dis_ros.cache import cache_root, expanded
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from any3dis_ros.tracking.sam2.transfer import CHUNK_BYTES, TransferError, exclusive, on_disk, receive


@dataclass(frozen=True)
class Checkpoint:
    """A published file of weights.

    Attributes:
        name: what `tracker.checkpoint` and the command line call it.
        file: its file name.
        size: bytes.
        sha256: of the whole file, hexadecimal.
    """

    name: str
    file: str
    size: int
    sha256: str

    @property
    def address(self) -> str:
        """Where Meta publishes it."""
        return f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{self.file}"


CHECKPOINTS = {
    c.name: c
    for c in (
        Checkpoint(
            "tiny",
            "sam2.1_hiera_tiny.pt",
            156_008_466,
            "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
        ),
        Checkpoint(
            "small",
            "sam2.1_hiera_small.pt",
            184_416_285,
            "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
        ),
        Checkpoint(
            "base_plus",
            "sam2.1_hiera_base_plus.pt",
            323_606_802,
            "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
        ),
        Checkpoint(
            "large",
            "sam2.1_hiera_large.pt",
            898_083_611,
            "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
        ),
    )
}
_ALIASES = {"base+": "base_plus"}


def named(name: str) -> Checkpoint:
    """Return the checkpoint called `name`: tiny, small, base_plus (or base+), large.

    Raises:
        InputError: there is none of that name.
    """
    known = CHECKPOINTS.get(_ALIASES.get(name, name))
    if known is None:
        raise InputError(f"there is no SAM 2.1 checkpoint {name!r}; expected one of {', '.join(CHECKPOINTS)}")
    return known


def cache_folder() -> Path:
    """Return where checkpoints are kept: the folder `checkpoints` of the cache, which need not exist yet."""
    return cache_root() / "checkpoints"


def resolve(checkpoint: str) -> Path:
    """Return the file that `tracker.checkpoint` means: a known name its file in the cache, all else a path.

    A file that happens to be called like a model is reached by `./large`. Of a name's file only the size is compared:
    its sum was checked when it was downloaded.

    Raises:
        InputError: no such file, or one that cannot be a checkpoint; the message names the remedy.
    """
    if checkpoint in CHECKPOINTS or checkpoint in _ALIASES:
        model = named(checkpoint)
        path = cache_folder() / model.file
        if not path.is_file():
            raise InputError(
                f"SAM 2.1's checkpoint {checkpoint!r} is not at {path}; run `any3dis download-checkpoint {model.name}`"
            )
        if (size := path.stat().st_size) != model.size:
            raise InputError(
                f"{path} has {size} bytes, the published file {model.size}; remove it and run "
                f"`any3dis download-checkpoint {model.name}`, or name a file of your own by its path"
            )
        return path
    path = expanded(checkpoint)
    remedy = (
        f"give the path of a SAM 2.1 checkpoint, or one of {', '.join(CHECKPOINTS)} after "
        "`any3dis download-checkpoint large`"
    )
    if not checkpoint.strip():
        raise InputError(f"tracker.checkpoint is empty; {remedy}")
    if path.is_dir():
        raise InputError(f"the checkpoint {checkpoint!r} is a folder; {remedy}")
    if not path.exists():
        raise InputError(f"the checkpoint {checkpoint!r} does not exist; {remedy}")
    if not path.stat().st_size:
        raise InputError(f"the checkpoint {checkpoint!r} is empty; {remedy}")
    return path


def present(model: Checkpoint, folder: Path, progress: Progress = silent) -> Path | None:
    """Return the checkpoint's path in `folder` if it is there and sound, None if it is not there.

    Raises:
        InputError: another file stands in its place; it may be somebody's own and is not touched.
    """
    path = folder / model.file
    with on_disk(path):
        if not path.exists():
            return None
        file = path.open("rb")
    with file:
        wrong = _unsound(model, file, progress)
    if wrong:
        raise InputError(
            f"{path} is not the published file: {wrong}; remove it and try again, or choose another folder"
        )
    return path


def download(model: Checkpoint, folder: Path, progress: Progress = silent, address: str | None = None) -> Path:
    """Fetch a checkpoint into `folder`, unless it is there already, and return its path.

    What has come lies in `<file>.part` until its sum was checked; where a call is cut short, the next one goes on from
    there. One process at a time downloads a file into a folder. Proxies are taken from the environment.

    Args:
        model: what to fetch.
        folder: destination, created where missing.
        progress: told bytes, stage `downloading` and then `verifying`; may raise Cancelled.
        address: fetch from here instead of from Meta's address.

    Raises:
        InputError: it could not be fetched or is not the published file; the message says how to do it by hand.
        Cancelled: raised by `progress`.
    """
    address = address or model.address
    path, part = folder / model.file, folder / f"{model.file}.part"
    if present(model, folder, progress):
        return path
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(part) as file:
            if present(model, folder, progress):  # another process ended its download since we looked
                return path
            _check_space(model, folder, os.fstat(file.fileno()).st_size)
            receive(address, file, model.size, progress)
            if wrong := _unsound(model, file, progress):
                part.unlink()
                raise TransferError(f"what came is not the published file and was removed: {wrong}")
            with on_disk(part):
                os.fsync(file.fileno())
                part.replace(path)
    except TransferError as error:
        raise InputError(
            f"cannot download {model.file} from {address}: {error}; to do it by hand, save that address as "
            f"{path.absolute()} ({model.size} bytes, SHA-256 {model.sha256})"
        ) from error
    return path


def _unsound(model: Checkpoint, file: BinaryIO, progress: Progress) -> str:
    """Say what tells an open file from the published one; nothing where they are the same."""
    size = os.fstat(file.fileno()).st_size
    if size != model.size:
        return f"it has {size} bytes instead of {model.size}"
    digest = hashlib.sha256()
    file.seek(0)
    done = 0
    progress("verifying", 0, size)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        done += len(chunk)
        progress("verifying", done, size)
    return "" if digest.hexdigest() == model.sha256 else f"its SHA-256 is {digest.hexdigest()}"


def _check_space(model: Checkpoint, folder: Path, have: int) -> None:
    free, missing = shutil.disk_usage(folder).free, model.size - have
    if free < missing:
        raise InputError(
            f"{model.file} needs {missing / 1e6:.0f} MB more in {folder}, where {free / 1e6:.0f} MB are free; "
            "make room or choose another folder"
        )

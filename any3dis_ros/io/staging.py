"""An output folder that is filled whole or not at all, whatever ends the run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from any3dis_ros.errors import InputError
from any3dis_ros.interrupts import uninterrupted


def check_writable(folder: Path) -> None:
    """Prove, before a long computation, that `folder` can be created and written; nothing is left behind.

    Raises:
        InputError: it cannot.
    """
    made: list[Path] = []
    try:
        made = _missing(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(
            f"cannot write to the output folder {folder}: {reason}; choose another one or mend its permissions"
        ) from error
    finally:
        _remove(made)


@contextmanager
def staged(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield a hidden folder to write into; when the block ends well, its files take their places in `folder`.

    Files of these `names` that stood in `folder` are replaced together, by renaming, without being interrupted. When
    the block fails, `folder` is as it was before, and is gone if it was not there.

    Args:
        folder: destination; created where missing.
        names: all files and folders that belong to a result; those not written are removed from `folder`.

    Raises:
        OSError: the folder cannot be written.
    """
    made = _missing(folder)
    staging: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with uninterrupted():
            staging = Path(tempfile.mkdtemp(prefix=".any3dis-", dir=folder))
        (staging / "new").mkdir()
        yield staging / "new"
        with uninterrupted():
            _replace(staging, folder, names)
            made = []
    finally:
        with uninterrupted():
            if staging is not None:
                shutil.rmtree(staging, ignore_errors=True)
            _remove(made)


def _replace(staging: Path, folder: Path, names: Sequence[str]) -> None:
    """Exchange the former files for the new ones; where that fails half-way, put the former back."""
    new, old = staging / "new", staging / "old"
    old.mkdir()
    undo: list[tuple[Path, Path]] = []
    try:
        # the last name goes first and comes last: while it is absent the folder is not complete
        for source, target, order in ((folder, old, reversed(names)), (new, folder, names)):
            for name in order:
                if (source / name).exists() or (source / name).is_symlink():
                    (source / name).rename(target / name)
                    undo.append((target / name, source / name))
    except OSError:
        for moved, origin in reversed(undo):
            with suppress(OSError):
                moved.rename(origin)
        raise


def _missing(folder: Path) -> list[Path]:
    """Return `folder` and those of its parents that do not exist, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove(folders: Sequence[Path]) -> None:
    """Remove folders that are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()

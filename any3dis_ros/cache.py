"""Where files are kept that can be fetched or made again: checkpoints, rendered scenes."""

from __future__ import annotations

import os
from pathlib import Path

from any3dis_ros.errors import InputError


def cache_root() -> Path:
    """Return $ANY3DIS_CACHE, else $XDG_CACHE_HOME/any3dis, else ~/.cache/any3dis; it need not exist yet.

    Raises:
        InputError: it is named from the home folder, and there is none.
    """
    if own := os.environ.get("ANY3DIS_CACHE"):
        return expanded(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    caches = Path(shared) if Path(shared).is_absolute() else expanded("~/.cache")  # the XDG rule: relative = unset
    return caches / "any3dis"


def expanded(path: str) -> Path:
    """Return `path` with `~` written out.

    Raises:
        InputError: there is no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"cannot find the home folder in {path!r}: {error}; write it out, or set ANY3DIS_CACHE"
        ) from error

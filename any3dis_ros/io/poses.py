"""Poses as files hold them: checked, and where one is of no use, why, by a short phrase to count by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.scene.frames import check_pose


class PoseError(ValueError):
    """A pose that cannot be used; `reason` counts it, `detail` belongs behind the name of its frame."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason + detail)
        self.reason, self.detail = reason, detail


def checked_pose(values: ArrayLike | None, what: str) -> NDArray[np.float64]:
    """Return 16 numbers, in rows, as a 4×4 float64 ``T_map_camera``.

    Args:
        values: the numbers; None = the source has none.
        what: what the source calls it, for the detail.

    Raises:
        PoseError: missing, not 16 numbers, not finite (how data sets say that tracking was lost), or not rigid.
    """
    if values is None:
        raise PoseError("pose missing")
    try:
        T = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise PoseError("pose unreadable", f": {error}") from None
    if T.size != 16:
        raise PoseError("pose unreadable", f": {T.size} numbers, expected the 16 of a 4×4 matrix")
    T = T.reshape(4, 4)
    if not np.isfinite(T).all():
        raise PoseError("pose not finite (tracking lost)")
    try:
        check_pose(T, what)
    except InputError as error:
        raise PoseError("pose not rigid", f": {error}") from None
    return T


def read_pose(path: Path | None) -> NDArray[np.float64]:
    """Read the 4×4 of a text file, as :func:`checked_pose`."""
    if path is None:
        raise PoseError("pose missing")
    try:
        numbers: Sequence[str] = path.read_text().split()
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise PoseError("pose unreadable", f": {error}") from None
    return checked_pose(numbers, path.name)

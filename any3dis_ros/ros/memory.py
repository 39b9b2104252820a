"""Memory of a process that runs for days: what is kept long lies apart, what is freed goes back to the system."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Frame

_Pixel = TypeVar("_Pixel", bound=np.generic)


def kept(frame: Frame) -> Frame:
    """Return the same frame with its pixels in pages of their own.

    On the heap keyframes would settle in the holes that images passing through leave, and break them: a fifth more
    memory a keyframe, none of which comes back when they are forgotten.
    """
    return replace(frame, color=_in_own_pages(frame.color), depth=_in_own_pages(frame.depth))


def _in_own_pages(array: NDArray[_Pixel]) -> NDArray[_Pixel]:
    out = np.frombuffer(mmap.mmap(-1, max(array.nbytes, 1)), array.dtype, array.size).reshape(array.shape)
    out[...] = array
    return out


def give_back() -> None:
    """Return freed memory to the system, which glibc keeps for each thread that once needed it; elsewhere nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

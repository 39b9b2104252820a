"""Tracking as published: one object after the other, from its pivot to either end of the sequence, dense masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.tracking.base import PromptedObject, TrackingSession, TrackRequest


def track_alone(session: TrackingSession, prompted: PromptedObject, frames: int) -> dict[int, NDArray[np.bool_]]:
    """Return the object's masks (h×w bool by keyframe), every keyframe visited whether it can see the object or not."""
    masks = {prompted.frame: prompted.mask.packed().dense()}
    for visited in (range(prompted.frame - 1, -1, -1), range(prompted.frame + 1, frames)):
        for track in session.track([TrackRequest(prompted.object_id, visited)]):
            masks |= {t: mask.packed().dense() for t, mask in track.masks.items()}
    return masks

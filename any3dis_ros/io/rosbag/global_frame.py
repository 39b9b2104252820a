"""Which frame of a TF tree stands for the map."""

from __future__ import annotations

from any3dis_ros.errors import InputError
from any3dis_ros.io.transforms import TransformError, TransformTree

_PREFERRED = ("map", "odom", "world")  # REP-105, most to least globally consistent; then the root
_NAMED_FRAMES = 20


def choose_global_frame(trees: list[TransformTree], camera_frame: str, wanted: str) -> str:
    """Return the wanted frame, else the first of map, odom and world above the camera, else the root above it.

    Args:
        trees: the TF trees of a recording, one a stretch of time.
        camera_frame: optical frame of the colour camera.
        wanted: the user's choice, or empty.

    Raises:
        InputError: no transforms at all, none of the camera, an unknown frame, or only static ones to a frame that
            may itself be moving.
    """
    frames = sorted(set().union(*(tree.frames for tree in trees)))
    if not frames:
        raise InputError(
            "the bag holds no transforms (/tf, /tf_static), so the poses of the camera are unknown; record both"
        )
    known = ", ".join(frames[:_NAMED_FRAMES]) + (", …" if len(frames) > _NAMED_FRAMES else "")
    if camera_frame not in frames:
        raise InputError(
            f"no transform leads to the camera frame '{camera_frame}'; choose it among {known} (--camera-frame)"
        )
    if wanted:
        wanted = wanted.lstrip("/")
        if wanted not in frames:
            raise InputError(
                f"no transform names the global frame '{wanted}'; choose it among {known} (--global-frame)"
            )
        return wanted
    try:
        tree, chain = max(((t, t.ancestors(camera_frame)) for t in trees), key=lambda found: len(found[1]))
    except TransformError as error:
        raise InputError(f"the bag's transforms are no tree: {error}") from error
    for name in _PREFERRED:
        if name in chain:
            return name
    if tree.is_static(chain):
        raise InputError(
            f"only static transforms lead to the camera, from '{chain[-1]}', so its motion is unknown; "
            "record /tf with odometry, or choose the global frame (--global-frame) if the camera stood still"
        )
    return chain[-1]

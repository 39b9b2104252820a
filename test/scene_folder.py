"""Frames written as a ScanNet-style folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from any3dis_ros.scene.frames import Frame


def write_scene_folder(root: Path, frames: Sequence[Frame]) -> Path:
    """Write colour, depth, pose and intrinsics of frames 0, 1, … that share a camera."""
    for name in ("color", "depth", "pose", "intrinsic"):
        (root / name).mkdir(parents=True)
    for i, f in enumerate(frames):
        cv2.imwrite(str(root / f"color/{i}.png"), np.ascontiguousarray(f.color[..., ::-1]))
        cv2.imwrite(str(root / f"depth/{i}.png"), f.depth)
        np.savetxt(root / f"pose/{i}.txt", f.T_map_camera)
    K = np.eye(4)
    K[:3, :3] = frames[0].camera.K
    for kind in ("color", "depth"):
        np.savetxt(root / f"intrinsic/intrinsic_{kind}.txt", K)
    return root

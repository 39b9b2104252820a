"""Ground truth from files: an NPZ with its own cloud, or ScanNet's text over a cloud that is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.archive import read_arrays
from any3dis_ros.io.cloud_header import CLOUD_SUFFIXES, check_whole
from any3dis_ros.objects.overlap import GroundTruth

_NPZ = "scene_gt.npz"


def load_ground_truth(path: Path, cloud: Path | None = None, stuff_labels: Sequence[int] = ()) -> GroundTruth:
    """Read a ground truth.

    Args:
        path: an NPZ holding `xyz` (N×3 metres) and `instance` (N int, 0 = none), with `thing` (N bool) where floor and
            walls are instances too and must not count; a folder holding it as `scene_gt.npz`; or ScanNet's text, one
            label * 1000 + instance a line, lines under 1000 being void.
        cloud: PLY or PCD with one point for each line of the text; of no use with an NPZ.
        stuff_labels: labels of the text that are no things (ScanNet200: wall 1, floor 3; NYU40: wall 1, floor 2).

    Raises:
        InputError: a file is missing, damaged, or does not fit the other.
    """
    if path.is_dir():
        path = path / _NPZ
    if not path.is_file():
        raise InputError(
            f"there is no ground truth {path}; expected an NPZ, a folder holding {_NPZ}, or ScanNet's text"
        )
    if path.suffix != ".txt":
        return _from_npz(path)
    if cloud is None:
        raise InputError(f"{path} holds no points; name the cloud (PLY or PCD) that its lines belong to")
    return _from_text(path, cloud, stuff_labels)


def _from_npz(path: Path) -> GroundTruth:
    data = read_arrays(path, "NPZ of arrays")
    missing = {"xyz", "instance"} - set(data)
    if missing:
        raise InputError(f"{path} has no {' and no '.join(sorted(missing))}; expected xyz N×3 and instance N")
    xyz, instance = data["xyz"], data["instance"].reshape(-1)
    thing = data["thing"].reshape(-1).astype(bool) if "thing" in data else np.ones(len(instance), bool)
    if xyz.shape != (len(instance), 3) or len(thing) != len(instance):
        raise InputError(f"{path}: xyz {xyz.shape}, instance {instance.shape} and thing {thing.shape} do not fit")
    return _checked(path, xyz, instance, thing & (instance > 0))


def _from_text(path: Path, cloud: Path, stuff_labels: Sequence[int]) -> GroundTruth:
    try:
        instance = np.array(path.read_text().split(), np.int64)
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path} is no ScanNet ground truth (one integer a line): {error}") from error
    xyz = read_points(cloud)
    if len(xyz) != len(instance):
        raise InputError(f"{path} has {len(instance)} lines, {cloud} {len(xyz)} points; expected the same number")
    return _checked(path, xyz, instance, (instance >= 1000) & ~np.isin(instance // 1000, np.array(stuff_labels, int)))


def read_points(cloud: Path) -> NDArray[np.float64]:
    """Read the N×3 points or vertices of a PLY or PCD, in the order of the file.

    Raises:
        InputError: it is missing, cut off, or holds none.
    """
    import open3d as o3d  # takes a second to import

    if not cloud.is_file():
        raise InputError(f"there is no cloud {cloud}; expected a PLY or PCD file")
    if cloud.suffix.lower() in CLOUD_SUFFIXES:
        check_whole(cloud)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        xyz = np.asarray(o3d.io.read_point_cloud(str(cloud)).points)
    if not len(xyz):
        raise InputError(f"{cloud} holds no points that can be read; expected a PLY or PCD file")
    return xyz


def _checked(
    path: Path, xyz: NDArray[np.floating], instance: NDArray[np.integer], thing: NDArray[np.bool_]
) -> GroundTruth:
    if not np.isfinite(xyz).all():
        raise InputError(f"{path}: {np.count_nonzero(~np.isfinite(xyz).all(1))} points are not finite; remove them")
    ids = np.unique(instance[thing]).astype(np.int64)
    mixed = np.intersect1d(ids, instance[~thing])
    if len(mixed):
        raise InputError(
            f"{path}: instance {mixed[0]} is a thing at some points and not at others; expected one or the other"
        )
    if not len(ids):
        raise InputError(f"{path} names no object; there is nothing to score against")
    return GroundTruth(xyz.astype(np.float32), instance.astype(np.int32), ids)

"""The folder that a segmentation leaves behind, written whole or not at all.

| file | content |
| --- | --- |
| `instances.ply` | the cloud: x y z (metres), red green blue, label, instance_id; 0 = none |
| `instances.npz` | everything, for :func:`load_results` |
| `scannet/` | proposals as ScanNet's evaluator reads them, over the points of `instances.ply` |
| `report.html` | the page of :mod:`any3dis_ros.objects.report`, where one is given |
| `instances.json` | the objects with boxes and best keyframes, parameters, versions, statistics; moved in last |

The method knows no classes: label is 1 for every object, and so is the class in the ScanNet format.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.io.archive import load_archive, plain, save_archive
from any3dis_ros.io.staging import check_writable, staged
from any3dis_ros.objects.instances import Instance, Instances
from any3dis_ros.parameters import to_dict
from any3dis_ros.scene.frames import Frame

log = logging.getLogger(__name__)

FILES = ("instances.ply", "instances.npz", "scannet", "report.html", "instances.json")
"""All files of a result, in the order in which they are moved into place."""

JSON_SCHEMA = 1
"""Version of instances.json; raised when a field changes its meaning."""

SCANNET_CLASS_ID = 1
"""Class of every prediction in the ScanNet format: the one class 'object' (ground truth id = 1 * 1000 + object)."""

_PACKAGES = ("any3dis-ros", "numpy", "numba", "open3d", "opencv-python-headless", "scipy", "torch", "sam2")


def write_results(
    instances: Instances,
    folder: Path,
    config: Config,
    frames: Sequence[Frame] = (),
    scene: str = "scene",
    report: str = "",
) -> list[Path]:
    """Write all result files into `folder` and return their paths.

    Everything is written beside its destination first and moved at the end, so that a run which is interrupted or out
    of space leaves the former results, or none.

    Args:
        instances: the segmentation.
        folder: destination; created where missing, the files of a former result are replaced.
        config: the parameters that were used.
        frames: the keyframes, for names and stamps of the best views.
        scene: name of the scene in the ScanNet format.
        report: the page of :func:`any3dis_ros.objects.report.render_report`; empty = no report.html.

    Raises:
        InputError: the folder cannot be written.
    """
    check_writable(folder)
    try:
        with staged(folder, FILES) as staging:
            _write_ply(staging / "instances.ply", instances)
            save_archive(staging / "instances.npz", instances)
            _write_scannet(staging / "scannet", instances, scene, config.output.scannet_max_mb)
            if report:
                (staging / "report.html").write_text(report, encoding="utf-8")
            (staging / "instances.json").write_text(_json(describe(instances, config, frames)), encoding="utf-8")
            written = [folder / name for name in FILES if (staging / name).exists()]
    except OSError as error:
        raise InputError(f"cannot write the results to {folder}: {error.strerror or error}") from error
    return written


def load_results(path: Path) -> Instances:
    """Read a segmentation back from its folder, or from its instances.npz."""
    return load_archive(path / "instances.npz" if path.is_dir() else path)


def describe(instances: Instances, config: Config, frames: Sequence[Frame] = ()) -> dict[str, object]:
    """Return what instances.json holds; lengths in metres, angles in radians, quaternions as x y z w, map frame."""
    return {
        "schema": JSON_SCHEMA,
        "units": {"length": "m", "angle": "rad", "quaternion": "x y z w", "stamp": "ns"},
        "points": len(instances.points),
        "labelled_points": int(np.count_nonzero(instances.labels)),
        "proposals": len(instances.scores),
        "instances": [_describe_one(instance, frames) for instance in instances.instances],
        "statistics": plain(instances.statistics),
        "parameters": to_dict(config),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages that shape the result and are installed."""
    out = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out


def _json(value: object) -> str:
    """Return indented JSON with each vector on one line."""
    text = json.dumps(value, indent=1, allow_nan=False)
    return re.sub(r"\[\n\s+([-\d.e,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text) + "\n"


def _describe_one(instance: Instance, frames: Sequence[Frame]) -> dict[str, object]:
    box = instance.box
    return {
        "id": instance.id,
        "score": round(instance.score, 4),
        "source": instance.source,
        "points": len(instance.points),
        "centroid": _rounded(instance.centroid),
        "oriented_box": {
            "center": _rounded(box.center),
            "size": _rounded(box.size),
            "yaw": round(box.yaw, 6),
            "quaternion": [0.0, 0.0, round(float(np.sin(box.yaw / 2)), 6), round(float(np.cos(box.yaw / 2)), 6)],
        },
        "axis_aligned_box": {"min": _rounded(instance.aabb[0]), "max": _rounded(instance.aabb[1])},
        "best_keyframes": [
            {"index": int(t), "name": frames[t].name, "stamp": frames[t].stamp_ns}
            if t < len(frames)
            else {"index": int(t)}
            for t in instance.best_views
        ],
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 4) for v in values]


def _write_ply(path: Path, instances: Instances) -> None:
    fields = [(axis, "<f4") for axis in ("x", "y", "z")] + [(c, "u1") for c in ("red", "green", "blue")]
    fields += [("label", "<i4"), ("instance_id", "<i4")]
    rows = np.empty(len(instances.points), fields)
    for k, axis in enumerate(("x", "y", "z")):
        rows[axis] = instances.points[:, k]
    for k, colour in enumerate(("red", "green", "blue")):
        rows[colour] = instances.colors[:, k]
    rows["label"] = instances.labels > 0
    rows["instance_id"] = instances.point_ids
    kinds = {"<f4": "float", "u1": "uchar", "<i4": "int"}
    header = ["ply", "format binary_little_endian 1.0", "comment label: 1 = object, 0 = none; instance_id: 0 = none"]
    header += [
        f"element vertex {len(rows)}",
        *(f"property {kinds[kind]} {name}" for name, kind in fields),
        "end_header",
    ]
    with path.open("wb") as file:
        file.write(("\n".join(header) + "\n").encode())
        file.write(rows.tobytes())


def _write_scannet(folder: Path, instances: Instances, scene: str, max_mb: float) -> None:
    """Write `<scene>.txt` (mask file, class, confidence a line) and one 0/1 text mask a proposal, best first."""
    megabytes = instances.proposals.shape[0] * len(instances.points) * 2 / 1e6
    if megabytes > max_mb:
        log.warning("scannet/ left out: its masks need %.0f MB, over output.scannet_max_mb %.0f", megabytes, max_mb)
        return
    scene = re.sub(r"[^\w.-]", "_", scene)
    masks = folder / "predicted_masks"
    masks.mkdir(parents=True)
    lines = []
    for q, score in enumerate(instances.scores):
        name = f"{scene}_{q:03d}.txt"
        text = np.full((len(instances.points), 2), ord("\n"), np.uint8)
        text[:, 0] = instances.proposal_points(q) + ord("0")
        (masks / name).write_bytes(text.tobytes())
        lines.append(f"predicted_masks/{name} {SCANNET_CLASS_ID} {score:.6f}\n")
    (folder / f"{scene}.txt").write_text("".join(lines))

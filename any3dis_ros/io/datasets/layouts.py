"""Which data set a folder belongs to, by what it holds; its reader, and the map mesh that comes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.replica import mesh_of as replica_mesh
from any3dis_ros.io.datasets.replica import read_replica
from any3dis_ros.io.datasets.scannetpp_dslr import IMAGES, MESH, TRANSFORMS, read_dslr
from any3dis_ros.io.datasets.scannetpp_iphone import pose_source, read_iphone
from any3dis_ros.io.datasets.sens import read_sens
from any3dis_ros.io.datasets.tum import read_tum
from any3dis_ros.io.recording import ReadOptions, Recording
from any3dis_ros.io.scannet import FOLDERS, read_folder
from any3dis_ros.progress import Progress

Reader = Callable[[Path, ReadOptions, KeyframeConfig, Progress], Recording]


@dataclass(frozen=True)
class Layout:
    """How one data set is laid out.

    Attributes:
        name: of the data set.
        source: returns the file or folder that `read` takes, None where a path is of another layout.
        read: reads the keyframes.
        mesh: returns the mesh in the frame of the poses, None where there is none.
        calibrated: whether it brings its own intrinsics, so that others are refused.
    """

    name: str
    source: Callable[[Path], Path | None]
    read: Reader
    mesh: Callable[[Path], Path | None]
    calibrated: bool = True


def layout_of(path: Path) -> Layout | None:
    """Return the layout of a scene, None where it is of none of these (perhaps a bag)."""
    return next((layout for layout in LAYOUTS if layout.source(path) is not None), None)


def read_layout(
    layout: Layout, path: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress
) -> Recording:
    """Read the keyframes of a scene that is of `layout`.

    Raises:
        InputError: as its reader says; or intrinsics are given for a data set that has its own.
    """
    source = layout.source(path)
    assert source is not None  # layout_of() came first
    if options.intrinsics is not None and layout.calibrated:
        raise InputError(f"{path} is of {layout.name}, which has its own intrinsics; leave --intrinsics out")
    return layout.read(source, options, config, progress)


def map_mesh(path: Path) -> Path | None:
    """Return the mesh that a data set has of a scene, in the frame of its poses, or None."""
    layout = layout_of(path)
    return None if layout is None else layout.mesh(path)


def sens_file(path: Path) -> Path | None:
    """Return the sensor stream of a scene: the file itself, the one of the folder's name, or its only one."""
    if path.is_file():
        return path if path.suffix == ".sens" else None
    named = path / f"{path.resolve().name}.sens"
    streams = [named] if named.is_file() else sorted(path.glob("*.sens"))
    return streams[0] if len(streams) == 1 else None


def scannet_mesh(path: Path) -> Path | None:
    """Return the mesh that ScanNet's annotations are of."""
    folder = path if path.is_dir() else path.parent
    mesh = folder / f"{folder.resolve().name}_vh_clean_2.ply"
    return mesh if mesh.is_file() else None


def _exported(path: Path) -> Path | None:
    found = [name for name in FOLDERS if (path / name).is_dir()]
    whole = {"color", "depth", "pose"} <= set(found)
    return path if found and (whole or sens_file(path) is None) else None


def _tum(path: Path) -> Path | None:
    return path if (path / "rgb.txt").is_file() and (path / "depth.txt").is_file() else None


def _replica(path: Path) -> Path | None:
    return path if (path / "results").is_dir() and any((path / "results").glob("frame0*")) else None


def _dslr(path: Path) -> Path | None:
    folders = (path / "dslr", path)
    return next((f for f in folders if (f / TRANSFORMS).is_file() or (f / IMAGES).is_dir()), None)


def _scan_mesh(path: Path) -> Path | None:
    folders = (path, *path.resolve().parents[:2])  # of the scene, of its iphone or dslr, or of iphone/colmap
    return next((folder / MESH for folder in folders if (folder / MESH).is_file()), None)


LAYOUTS = (
    Layout("TUM RGB-D", _tum, read_tum, lambda _: None, calibrated=False),
    Layout("Replica", _replica, read_replica, replica_mesh),
    Layout("ScanNet++ (iPhone)", pose_source, read_iphone, _scan_mesh),
    Layout("ScanNet++ (DSLR)", _dslr, read_dslr, _scan_mesh),
    Layout("ScanNet's exported frames", _exported, read_folder, scannet_mesh, calibrated=False),
    Layout("ScanNet", sens_file, read_sens, scannet_mesh),
)
"""In the order in which they are tried: others have a folder `depth`, too; measured depth goes before rendered."""

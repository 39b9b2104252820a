"""ScanNet++ scenes as a DSLR camera saw them: sharp photos without depth, which is rendered from the scan's mesh.

`dslr/resized_undistorted_images/<name>.JPG` are pinhole images; `dslr/nerfstudio/transforms_undistorted.json` has their
intrinsics and poses in nerfstudio's axes. Occluders that the mesh lacks (people, glass) are not in the depth.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.views import PERIOD_NS, Images, View, read_json, read_views
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.registration import reduced
from any3dis_ros.io.rosbag.messages import to_millimetres
from any3dis_ros.io.scannet import read_color
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera, invert

IMAGES = "resized_undistorted_images"
TRANSFORMS = Path("nerfstudio") / "transforms_undistorted.json"
MESH = Path("scans") / "mesh_aligned_0.05.ply"

# nerfstudio's world is the scan's with x and y exchanged and z turned round: its own inverse
_T_SCAN_WORLD = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
_OPTICAL = np.diag([1.0, -1, -1, 1])  # its camera looks along -z, y up


class MeshDepth:
    """Depth images of a triangle mesh by ray casting."""

    def __init__(self, path: Path) -> None:
        """Load the mesh.

        Raises:
            InputError: there is none, or it has no triangles.
        """
        import open3d as o3d

        if not path.is_file():
            raise InputError(f"there is no mesh {path}, from which the depth of DSLR images is rendered")
        with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
            mesh = o3d.t.io.read_triangle_mesh(str(path))
        if "positions" not in mesh.vertex or "indices" not in mesh.triangle:
            raise InputError(f"{path} is no triangle mesh")
        self._o3d = o3d
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(mesh)

    def render(self, camera: Camera, T_map_camera: NDArray[np.float64]) -> NDArray[np.uint16]:
        """Return H×W uint16 millimetres along the optical axis, 0 where a ray hits nothing."""
        # pixel centres of Open3D are at +1/2
        K = camera.K.copy()
        K[:2, 2] += 0.5
        rays = self._scene.create_rays_pinhole(K, invert(T_map_camera), camera.width, camera.height)
        return to_millimetres(self._scene.cast_rays(rays)["t_hit"].numpy())


def read_dslr(folder: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the photos of a scene's `dslr` folder, those marked as bad left out; the mesh stands beside it.

    Raises:
        InputError: a part of the layout is missing or of another form, or no photo is usable.
    """
    path = folder / TRANSFORMS
    data = read_json(path)
    try:
        camera = pinhole(data)
        records = sorted([*data["frames"], *data.get("test_frames", [])], key=lambda record: str(record["file_path"]))
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(f"{path} is no description of undistorted photos ({type(error).__name__}: {error})") from error
    mesh = MeshDepth(folder.parent / MESH)
    stride = config.folder_stride if options.stride is None else options.stride
    collector = Collector(str(folder), config, stride)
    if bad := [r for r in records if r.get("is_bad")]:
        collector.leave_out("photo marked as bad", str(bad[0]["file_path"]), len(bad))
    good = [r for r in records if not r.get("is_bad")]
    views = [_view(n, record, folder / IMAGES, camera, mesh, options) for n, record in enumerate(good)]
    return read_views(views, collector, options, progress, f"the DSLR camera in {folder}, depth rendered from the mesh")


def pinhole(data: dict[str, Any]) -> Camera:
    """Return the camera of a nerfstudio file without distortion; its pixel centres are at +1/2 (COLMAP), ours at 0.

    Raises:
        KeyError, TypeError, ValueError: a field is missing or no number.
        InputError: a camera with distortion, or impossible numbers.
    """
    bent = [k for k in ("k1", "k2", "k3", "k4", "p1", "p2") if abs(float(data.get(k, 0.0))) > 1e-9]
    if bent:
        raise InputError(f"the photos have distortion ({', '.join(bent)}); undistort them by the data set's toolkit")
    fx, fy, cx, cy = (float(data[k]) for k in ("fl_x", "fl_y", "cx", "cy"))
    return Camera(int(data["w"]), int(data["h"]), np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1.0]]))


def pose_in_scan(matrix: Any) -> NDArray[np.float64] | None:
    """Return ``T_scan_camera`` (optical axes) of nerfstudio's `transform_matrix`, None where it has another shape."""
    with contextlib.suppress(TypeError, ValueError):
        T = np.array(matrix, np.float64)
        if T.shape == (4, 4):
            return np.asarray(_T_SCAN_WORLD @ T @ _OPTICAL)
    return None


@dataclass(frozen=True)
class _Decoder:
    path: Path
    camera: Camera
    T_map_camera: NDArray[np.float64]
    mesh: MeshDepth
    max_width_px: int

    def __call__(self) -> Images:
        color = read_color(self.path)
        full = self.camera.resized(color.shape[1], color.shape[0])
        kept = reduced(full, self.max_width_px)
        color = np.asarray(cv2.resize(color, (kept.width, kept.height), interpolation=cv2.INTER_AREA), np.uint8)
        return Images(color, kept, self.mesh.render(kept, self.T_map_camera), kept)


def _view(
    number: int, record: dict[str, Any], images: Path, camera: Camera, mesh: MeshDepth, options: ReadOptions
) -> View:
    name = str(record["file_path"])
    T = pose_in_scan(record.get("transform_matrix"))
    decoder = _Decoder(images / name, camera, np.eye(4) if T is None else T, mesh, options.input.max_width_px)
    return View(Path(name).stem, number * PERIOD_NS, T, decoder)

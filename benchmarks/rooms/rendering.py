"""Ray casting of a room: exact depth and ids, colour from textures, a window's and a lamp's light, soft shadows.

Camera frames are optical (x right, y down, z forward), pixel centres are at integer coordinates, depth is along z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms import shading
from benchmarks.rooms.room import Mesh

OCCLUSION_REACH_M, LAMP_RADIUS_M = 0.5, 0.3  # how far corners darken; half the width of a lamp


@dataclass(frozen=True)
class View:
    """What an ideal camera sees, every image H×W.

    Attributes:
        depth: float32 metres along z, 0 = nothing hit.
        instance: int32 id, 0 = nothing hit.
        cosine: float32, between the line of sight and the surface normal.
        shadow: bool, where a structured-light projector beside the camera does not reach.
        color: H×W×3 float32 sRGB in 0..1.
    """

    depth: NDArray[np.float32]
    instance: NDArray[np.int32]
    cosine: NDArray[np.float32]
    shadow: NDArray[np.bool_]
    color: NDArray[np.float32]


class Renderer:
    """Casts rays into one room's mesh; `lights` K×3 are positions in metres, about 0.3 m wide each."""

    def __init__(self, mesh: Mesh, lights: NDArray[np.float64], threads: int = 0) -> None:
        self._mesh = mesh
        self._lights = np.asarray(lights, np.float64)
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._scene.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.triangles))

    def geometry(
        self, camera: Camera, T_room_camera: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return depth (H×W float32 metres) and instance (H×W int32) alone."""
        hit = self._cast(shading.rays(camera.width, camera.height, camera.K, T_room_camera))
        shape = (camera.height, camera.width)
        depth = np.where(np.isfinite(hit["t_hit"]), hit["t_hit"], 0).astype(np.float32)
        return depth.reshape(shape), _instances(hit["primitive_ids"], self._mesh.part, self._mesh.instance).reshape(
            shape
        )

    def view(self, camera: Camera, T_room_camera: NDArray[np.float64], baseline_m: float = 0.0) -> View:
        """Return everything an ideal camera sees, with a projector `baseline_m` to its right (0 = none)."""
        m, (h, w) = self._mesh, (camera.height, camera.width)
        rays = shading.rays(w, h, camera.K, T_room_camera)
        hit = self._cast(rays)
        depth = np.where(np.isfinite(hit["t_hit"]), hit["t_hit"], 0).astype(np.float32)
        point, normal, cosine = shading.surface(rays, depth, hit["primitive_ids"], hit["primitive_uvs"], m.normals)
        part = np.where(depth > 0, m.part[np.where(depth > 0, hit["primitive_ids"], 0)], -1)
        light = self._light(point, normal, part.reshape(h, w), depth.reshape(h, w))
        color = shading.shade(
            point,
            normal,
            rays,
            depth,
            part,
            light,
            self._lights,
            m.T_part_room,
            m.low,
            m.high,
            m.row,
            hit["primitive_ids"],
            hit["primitive_uvs"],
            m.uv,
            m.atlas.texels,
            m.atlas.place,
            float(camera.K[0, 0]),
        )
        instance = np.where(part >= 0, m.instance[part], 0).astype(np.int32)
        shadow = np.zeros(h * w, np.bool_)
        if baseline_m:
            projector = T_room_camera[:3, 3] + baseline_m * T_room_camera[:3, 0]
            shadow = self._blocked(shading.lamp_rays(point, normal, projector[None], w, 0.0), 1.0) & (depth > 0)
        return View(
            depth.reshape(h, w),
            instance.reshape(h, w),
            cosine.reshape(h, w),
            shadow.reshape(h, w),
            color.reshape(h, w, 3),
        )

    def _cast(self, rays: NDArray[np.float32]) -> dict[str, NDArray]:
        return {k: v.numpy() for k, v in self._scene.cast_rays(o3d.core.Tensor(rays)).items()}

    def _blocked(self, rays: NDArray[np.float32], far: float) -> NDArray[np.bool_]:
        hit: NDArray[np.bool_] = self._scene.test_occlusions(o3d.core.Tensor(rays), tnear=1e-3, tfar=far).numpy()
        return hit

    def _light(
        self,
        point: NDArray[np.float32],
        normal: NDArray[np.float32],
        part: NDArray[np.int32],
        depth: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return H×W×2 in 0..1: how much of the lamps and of the surroundings reaches every pixel.

        One jittered ray a pixel in a 4×4 pattern, then a 4×4 mean over pixels of the same part (interleaved sampling).
        """
        h, w = part.shape
        out = np.empty((h, w, 2), np.float32)
        for k, (rays, far) in enumerate(
            (
                (shading.lamp_rays(point, normal, self._lights, w, LAMP_RADIUS_M), 1.0),
                (shading.sky_rays(point, normal, w), OCCLUSION_REACH_M),
            )
        ):
            out[..., k] = 1.0 - self._blocked(rays, far).reshape(h, w)
        return shading.smoothed(out, part, depth)


def _instances(
    primitive: NDArray[np.uint32], part: NDArray[np.int32], instance: NDArray[np.int32]
) -> NDArray[np.int32]:
    hit = primitive < len(part)
    return np.where(hit, instance[part[np.where(hit, primitive, 0)]], 0).astype(np.int32)

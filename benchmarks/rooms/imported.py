"""Models of the catalogue as things of a room: read, scaled to their true size, with what they fill and carry."""

from __future__ import annotations

import re
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from benchmarks.rooms.catalogue import Entry
from benchmarks.rooms.images import Image, reduced
from benchmarks.rooms.meshes import Part
from benchmarks.rooms.models import Model
from benchmarks.rooms.solids import boxes_of, pieces, stands, supports_of
from benchmarks.rooms.textures import plain

Floats = NDArray[np.float64]

MAX_TRIANGLES = 60_000
FINEST_TEXEL_M = 0.002  # a VGA pixel covers 1.7 mm at a metre
MIN_OPACITY = 0.75
WHOLE, APART_M = 0.9, 0.02  # share of the largest piece of a single thing; pieces are this far from each other
# From the files' axes (x right, y up, z to the front) to a model's (x right, front towards -y, z up).
_UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_OPACITY = re.compile(r"^\s*d\s+([\d.eE+-]+)", re.MULTILINE)
_CUT_OUT = re.compile(r"^\s*map_d\s", re.MULTILINE)


class UnfitError(Exception):
    """The model is sound but no use here; the message says why."""


@lru_cache(maxsize=256)
def import_model(entry: Entry, carries: bool) -> Model:
    """Return the thing that `entry` describes; `carries`: look for surfaces on which others can stand.

    Raises:
        UnfitError: it is see-through, too detailed, or several things in one.
        InputError: its archive is damaged.
    """
    surfaces = _read(entry)
    vertices = np.concatenate([v for v, _, _, _, _ in surfaces])
    low, high = vertices.min(0), vertices.max(0)
    extent = np.maximum(high - low, 1e-6)
    scale = np.array(entry.size) / extent
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    parts, start, triangles = [], 0, []
    for v, tri, uv, color, texels in surfaces:
        local = (v - middle) * scale
        image = None
        if texels is not None:
            image = Image(reduced(texels, uv, local[tri], FINEST_TEXEL_M), uv)
        r, g, b = (float(c) for c in color)
        parts.append(Part(local, tri, plain((r, g, b)), image=image))
        triangles.append(tri + start)
        start += len(v)
    whole, faces = (vertices - middle) * scale, np.concatenate(triangles)
    if pieces(whole, faces, max(APART_M, max(entry.size) / 40)) < WHOLE:
        raise UnfitError("it is several things in one")
    if not stands(whole, faces):
        raise UnfitError("it would fall over")
    supports = supports_of(whole, faces) if carries else ()
    return Model(entry.thing, tuple(parts), supports, boxes_of(whole, faces), entry.key)


Surface = tuple[Floats, NDArray[np.int32], NDArray[np.float32], Floats, NDArray[np.uint8] | None]


def _read(entry: Entry) -> list[Surface]:
    """Return vertices (model axes, unscaled), triangles, uv, colour and picture of each material's surface."""
    with tempfile.TemporaryDirectory() as folder, o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        model = o3d.io.read_triangle_model(str(_extract(entry, Path(folder))))
    out: list[Surface] = []
    for part in model.meshes:
        vertices = np.asarray(part.mesh.vertices)
        triangles = np.asarray(part.mesh.triangles)
        if not len(triangles):
            continue
        material = model.materials[part.material_idx]
        uv = np.asarray(part.mesh.triangle_uvs, np.float32).reshape(-1, 3, 2)
        texels = None if material.albedo_img is None else np.asarray(material.albedo_img)
        if texels is not None and (texels.size == 0 or len(uv) != len(triangles)):
            texels = None
        if texels is not None:
            texels = np.atleast_3d(texels)
            if texels.shape[2] == 4 and (texels[..., 3] < 128).mean() > 0.02:
                raise UnfitError("its pictures are cut out")
            texels = np.ascontiguousarray(np.repeat(texels, 3, axis=2) if texels.shape[2] < 3 else texels[..., :3])
        turned = vertices @ np.array(entry.turn).T @ _UPRIGHT.T
        out.append((turned, triangles.astype(np.int32), uv, np.asarray(material.base_color[:3], np.float64), texels))
    if not out:
        raise InputError(f"{entry.archive}: {entry.obj} holds no triangles; install the package again")
    if sum(len(t) for _, t, _, _, _ in out) > MAX_TRIANGLES:
        raise UnfitError(f"it has more than {MAX_TRIANGLES} triangles")
    return out


def _extract(entry: Entry, folder: Path) -> Path:
    """Write the model's own files into `folder` and return the path of its OBJ."""
    home = entry.obj.rpartition("/")[0] + "/"
    try:
        with zipfile.ZipFile(entry.archive) as zipped:
            for member in zipped.namelist():
                name = member[len(home) :]
                if not member.startswith(home) or not name or "/" in name:
                    continue
                data = zipped.read(member)
                if name.lower().endswith(".mtl"):
                    text = data.decode("latin-1")
                    opacity = [float(d) for d in _OPACITY.findall(text)]
                    if _CUT_OUT.search(text) or min(opacity, default=1.0) < MIN_OPACITY:
                        raise UnfitError("it is see-through, which neither this renderer nor a depth camera handles")
                    # Some names of pictures are followed by tabs, which the reader would take for a part of them.
                    data = "\n".join(line.rstrip() for line in text.splitlines()).encode("latin-1")
                (folder / name).write_bytes(data)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{entry.archive} is damaged at {entry.obj}: {error}; install the package again") from error
    return folder / entry.obj.rpartition("/")[2]

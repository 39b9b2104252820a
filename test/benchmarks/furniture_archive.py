"""A small archive in the format of Debian's furniture package: boxes, tables and cups, with materials and a picture."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

Box = tuple[float, float, float, float, float, float]  # x, y, z of the lowest corner, sides; y is up, z to the front
QUADS = ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))
TABLE: tuple[Box, ...] = (
    (0, 7, 0, 14, 0.5, 8),
    *((x, 0, z, 0.6, 7, 0.6) for x in (0.2, 13.2) for z in (0.2, 7.2)),
)
CHAIR: tuple[Box, ...] = (
    (0, 4.5, 0, 4.5, 0.4, 4.5),
    (0, 4.9, 0, 4.5, 4.2, 0.4),
    *((x, 0, z, 0.4, 4.5, 0.4) for x in (0, 4.1) for z in (0, 4.1)),
)
CUBE: tuple[Box, ...] = ((0, 0, 0, 1, 1, 1),)
APART: tuple[Box, ...] = ((0, 0, 0, 1, 1, 1), (3, 0, 0, 1, 1, 1))
LEANING: tuple[Box, ...] = ((0, 0, 0, 0.5, 5, 0.5), (0, 5, 0, 6, 1, 0.5))

# name, category, width, depth, height in cm, boxes, further properties, further lines of the material
MODELS: dict[str, tuple[str, str, tuple[float, float, float], tuple[Box, ...], dict[str, str], str]] = {
    "desk1": ("Table", "Living room", (140, 80, 75), TABLE, {"creator": "Ann"}, ""),
    "seat": ("Chair", "Living room", (45, 45, 91), CHAIR, {"creator": "Ben"}, ""),
    "shelf": ("Bookcase", "Office", (90, 30, 120), CUBE, {}, ""),
    "cup": ("Cup", "Kitchen", (8, 8, 10), CUBE, {}, "map_Kd picture.png\t\n"),
    "book": ("Book", "Office", (20, 15, 3), CUBE, {}, ""),
    "box": ("Toaster", "Kitchen", (27, 15, 18), CUBE, {}, ""),
    "goblet": ("Goblet", "Kitchen", (8, 8, 10), CUBE, {}, "d 0.3\n"),
    "pair": ("Pair", "Kitchen", (40, 10, 10), APART, {}, ""),
    "lean": ("Tool", "Kitchen", (30, 5, 30), LEANING, {}, ""),
    "lying": ("Can", "Kitchen", (10, 30, 20), CHAIR, {"modelRotation": "1 0 0 0 0 1 0 -1 0"}, ""),
    "lamp": ("Pendant lamp", "Lights", (30, 30, 30), CUBE, {"elevation": "190"}, ""),
    "door1": ("Door", "Doors and windows", (90, 10, 200), CUBE, {"doorOrWindow": "true"}, ""),
}


def write_archive(folder: Path, name: str = "Test-CC-BY") -> Path:
    """Write `folder`/`name`.sh3f holding MODELS and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.sh3f"
    lines = ["# a comment", "id=Test", "version=0.7", "license=Creative Commons Attribution \\u00a9 Tests", ""]
    with zipfile.ZipFile(path, "w") as zipped:
        for number, (key, (title, category, size, boxes, more, material)) in enumerate(MODELS.items(), 1):
            about = {
                "name": title, "category": category, "model": f"/test/{key}/{key}.obj", "movable": "true",
                "doorOrWindow": "false", "creator": "Nobody", "width": size[0], "depth": size[1],
                "height": size[2],
                **more,
            }  # fmt: skip
            lines += [f"{name}#{number}={value}" for name, value in about.items()]
            zipped.writestr(f"test/{key}/{key}.obj", obj(f"{key}.mtl", boxes))
            zipped.writestr(f"test/{key}/{key}.mtl", f"newmtl m\nKd 0.8 0.2 0.1\n{material}")
        zipped.writestr("test/cup/picture.png", picture())
        zipped.writestr("PluginFurnitureCatalog.properties", "\n".join(lines).encode("latin-1"))
    return path


def obj(materials: str, boxes: tuple[Box, ...]) -> str:
    """Return an OBJ file of boxes, each face with the whole picture on it."""
    lines = [f"mtllib {materials}", "usemtl m", "vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    for k, (x, y, z, w, h, d) in enumerate(boxes):
        lines += [f"v {x + i * w} {y + j * h} {z + front * d}" for front in (0, 1) for j in (0, 1) for i in (0, 1)]
        for quad in QUADS:
            lines.append("f " + " ".join(f"{8 * k + q}/{t}" for t, q in enumerate(quad, 1)))
    return "\n".join(lines) + "\n"


def picture() -> bytes:
    """Return a PNG whose left half is green and whose right half is blue."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, :8], image[:, 8:] = (0, 255, 0), (255, 0, 0)
    return cv2.imencode(".png", image)[1].tobytes()

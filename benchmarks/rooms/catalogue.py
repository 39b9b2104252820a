"""The catalogue of furniture models that Debian's package `sweethome3d-furniture` installs.

The package holds archives (`.sh3f`, ZIP files). In each, `PluginFurnitureCatalog.properties` describes the models:
`name#7=Armchair`, `width#7=59.4` (centimetres) and so on, one number a model. A model is an OBJ file with its
materials and textures in a folder of its own. The models are CC0 or CC-BY: who made them is kept, to be named where
they are used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from any3dis_ros.errors import InputError

PACKAGE = "sweethome3d-furniture"
FOLDER = Path("/usr/share/sweethome3d/furniture")
INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", PACKAGE)
_PROPERTIES = "PluginFurnitureCatalog.properties"
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        key: library and name, unique: `BlendSwap-CC-0/armchair`.
        name: what it is, in English: `Armchair`.
        category: where the library files it: `Kitchen`, `Office`, ….
        size: width, depth, height, metres.
        elevation: above the floor, metres; more than 0 where it hangs on a wall or from the ceiling.
        movable: whether a person would move it; a bath tub is not.
        opening: whether it is a door, a window or a staircase, which belong to the building.
        turn: 3×3 by rows, applied to the file's vertices (x right, y up, z to the front) before they are scaled.
        creator: who made it.
        licence: its terms, as the library states them.
        archive, obj: the file that holds it, and the member of it.
    """

    key: str
    name: str
    category: str
    size: tuple[float, float, float]
    elevation: float
    movable: bool
    opening: bool
    turn: tuple[tuple[float, ...], ...]
    creator: str
    licence: str
    archive: Path
    obj: str

    @property
    def thing(self) -> str:
        """The type of thing as one word: `coffee_table`."""
        return re.sub(r"\W+", "_", self.name.lower()).strip("_")

    def credit(self) -> dict[str, str]:
        """Return what CC-BY asks to be said where the model is used, changes included."""
        changes = "scaled to the catalogue's size, textures reduced, transparency left out"
        return {"model": self.key, "name": self.name, "by": self.creator, "licence": self.licence, "changes": changes}


def installed(folder: Path = FOLDER) -> Path:
    """Return the folder of the package's archives; as root, install it where it is absent.

    Raises:
        InputError: it is absent and cannot be installed from here; the message names the command.
    """
    if any(folder.glob("*.sh3f")):
        return folder
    command = " ".join(INSTALL)
    if os.geteuid() != 0 or shutil.which(INSTALL[0]) is None:
        raise InputError(
            f"there are no furniture models in {folder}; install Debian's package with `sudo {command}`, "
            "or take --furniture procedural"
        )
    for words in (INSTALL, ("apt-get", "update"), INSTALL):  # an old list of packages may name a file that is gone
        done = subprocess.run(words, capture_output=True, text=True)
        if any(folder.glob("*.sh3f")):
            return folder
    raise InputError(f"`{command}` failed: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}; run it by hand")


def read_catalogue(folder: Path) -> list[Entry]:
    """Return all models of the archives in `folder`, in the order of their keys.

    Raises:
        InputError: an archive is damaged or does not describe its models.
    """
    entries = [entry for archive in sorted(folder.glob("*.sh3f")) for entry in _read_archive(archive)]
    if not entries:
        raise InputError(f"there is no furniture archive (.sh3f) in {folder}; install {PACKAGE}")
    return sorted(entries, key=lambda e: e.key)


def edition(folder: Path = FOLDER) -> str:
    """Return the version that the archives in `folder` name, all of them where they differ; empty without archives.

    Raises:
        InputError: an archive is damaged.
    """
    archives = sorted(folder.glob("*.sh3f"))
    return ", ".join(dict.fromkeys(parse(_properties(a))[0].get("version", "not stated") for a in archives))


def _properties(archive: Path) -> str:
    try:
        with zipfile.ZipFile(archive) as zipped:
            return zipped.read(_PROPERTIES).decode("latin-1")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{archive} is no furniture archive: {error}; install {PACKAGE} again") from error


def _read_archive(archive: Path) -> Iterator[Entry]:
    common, models = parse(_properties(archive))
    for number, about in models.items():
        try:
            yield _entry(archive, common, about)
        except (KeyError, ValueError) as error:
            raise InputError(f"{archive}: model {number} is not described fully: {error}") from error


def parse(text: str) -> tuple[dict[str, str], dict[int, dict[str, str]]]:
    r"""Return the values of the whole library, and those of each model by its number; `\u00e9` is decoded."""
    common: dict[str, str] = {}
    models: dict[int, dict[str, str]] = defaultdict(dict)
    for line in text.splitlines():
        name, found, value = line.strip().partition("=")
        if not found or name.startswith(("#", "!")):
            continue
        value = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), value.strip())
        key, numbered, number = name.strip().partition("#")
        if not numbered:
            common[key] = value
        elif number.isdigit():
            models[int(number)][key] = value
    return common, dict(models)


def _entry(archive: Path, common: Mapping[str, str], about: Mapping[str, str]) -> Entry:
    obj = about["model"].lstrip("/")
    turn = np.array(about.get("modelRotation", "1 0 0 0 1 0 0 0 1").split(), np.float64).reshape(3, 3).tolist()
    width, depth, height = (float(about[side]) / 100 for side in ("width", "depth", "height"))
    return Entry(
        key=f"{archive.stem}/{Path(obj).parent.name}/{Path(obj).stem}",
        name=about["name"],
        category=about["category"],
        size=(width, depth, height),
        elevation=float(about.get("elevation", 0)) / 100,
        movable=about.get("movable") == "true",
        opening=about.get("doorOrWindow") == "true" or "staircaseCutOutShape" in about,
        turn=tuple(map(tuple, turn)),
        creator=about.get("creator", ""),
        licence=common.get("license", "") or "not stated",
        archive=archive,
        obj=obj,
    )

"""What each scene of a long benchmark gave, kept on disk scene by scene, so that an interrupted run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from any3dis_ros.errors import InputError
from any3dis_ros.io.archive import plain, read_arrays
from any3dis_ros.objects.overlap import SceneOverlap

_SETTINGS = "settings.json"


@dataclass(frozen=True)
class SceneResult:
    """One scene: how its proposals overlap the ground truth, which is all that AP takes, and what is told of it."""

    overlap: SceneOverlap
    told: dict[str, Any]


class Store:
    """A folder of results, all by the same settings."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Open the folder, or begin it.

        Raises:
            InputError: it holds results by other settings, or cannot be written.
        """
        self._folder = folder
        mine = json.dumps(plain(dict(settings)), indent=1, sort_keys=True)
        path = folder / _SETTINGS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                if differing := _differing(json.loads(path.read_text(encoding="utf-8")), json.loads(mine)):
                    raise InputError(
                        f"{folder} holds results by other settings ({', '.join(differing)}); choose another --output, "
                        "or remove it"
                    )
            else:
                _write(path, mine.encode())
        except OSError as error:
            raise InputError(f"cannot keep results in {folder}: {error.strerror}") from error
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged ({error}); remove {folder}") from error

    def load(self, scene: str) -> SceneResult | None:
        """Return what an earlier run found of a scene, None where none did, or its file is damaged."""
        path = self._path(scene)
        if not path.is_file():
            return None
        try:
            data = read_arrays(path, "scene result")
            told = json.loads(str(data.pop("told")))
            return SceneResult(SceneOverlap(**data), told)
        except (InputError, KeyError, TypeError, ValueError):
            return None  # it is computed again

    def keep(self, scene: str, result: SceneResult) -> None:
        """Keep what was found of a scene, whole or not at all."""
        path = self._path(scene)
        partial = path.with_name(f".{path.name}.part")
        with partial.open("wb") as file:
            told = np.array(json.dumps(plain(result.told)))
            np.savez_compressed(file, told=told, **asdict(result.overlap))
        os.replace(partial, path)  # noqa: PTH105 - the atomic one, by its name

    def _path(self, scene: str) -> Path:
        return self._folder / f"{scene}.npz"


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data)
    partial.replace(path)


def _differing(a: Any, b: Any, name: str = "") -> list[str]:
    """Return the dotted names under which two settings differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        parts = [_differing(a.get(k), b.get(k), f"{name}.{k}".strip(".")) for k in sorted(a.keys() | b.keys())]
        return [one for part in parts for one in part]
    return [] if a == b else [name]

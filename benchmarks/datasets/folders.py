"""Where the scenes of a data set's copy are, all or those of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.annotations import read_names


def scene_folders(
    root: Path, below: Sequence[str], is_scene: Callable[[Path], bool], split: str | None
) -> dict[str, Path]:
    """Return the scene folders of a data set by name.

    Args:
        root: the data set, the folder of its scenes, or one scene.
        below: folders of `root` in which its scenes may be.
        is_scene: whether a folder is an annotated scene.
        split: file of names, or the name of a split whose file lies in `root` or in its `splits`; None = all.

    Raises:
        InputError: the split or a scene that it names is missing, or there is no scene.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder; give the data set, or one scene of it")
    if is_scene(root):
        return {root.resolve().name: root}
    places = [root / name for name in below if (root / name).is_dir()] or [root]
    if split is not None:
        names = read_names(_split_file(root, split), "scenes")
        found = {name: next((p / name for p in places if (p / name).is_dir()), None) for name in dict.fromkeys(names)}
        if missing := [name for name, folder in found.items() if folder is None]:
            raise InputError(
                f"{len(missing)} of {len(found)} scenes of the split {split} are not in {places[0]}: "
                f"{', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}"
            )
        return {name: folder for name, folder in found.items() if folder is not None}
    scenes = {f.name: f for place in places for f in sorted(place.iterdir()) if f.is_dir() and is_scene(f)}
    if not scenes:
        raise InputError(f"there is no annotated scene in {', '.join(map(str, places))}")
    return scenes


def find_file(given: Path | None, root: Path, names: Sequence[str], what: str) -> Path:
    """Return the file that is given, else the first of `names` below `root` or a folder that holds it.

    Raises:
        InputError: it is not there.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"there is no {what} {given}")
        return given
    folders = [root.resolve(), *root.resolve().parents[:3]]
    found = next((f / name for f in folders for name in names if (f / name).is_file()), None)
    if found is None:
        raise InputError(f"found no {what} ({' or '.join(names)}) in {root} or above it; give it by its option")
    return found


def _split_file(root: Path, split: str) -> Path:
    candidates = (Path(split), root / split, root / f"{split}.txt", root / "splits" / f"{split}.txt")
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(f"there is no split {split}; looked for {', '.join(map(str, candidates))}")
    return found

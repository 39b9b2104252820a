"""Class-agnostic AP on Replica, NICE-SLAM's frames: `python -m benchmarks.datasets.replica PATH --truth RELEASE`.

PATH has `office0/results` …, or is one such scene; RELEASE is Replica as its owners publish it, with
`office_0/habitat/mesh_semantic.ply` ….
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.replica_truth import STUFF, load_replica
from benchmarks.datasets.folders import scene_folders
from benchmarks.datasets.run import DataScene, make_parser, run


def main() -> None:
    """Measure and keep the table."""
    parser = make_parser(__doc__, "replica_results")
    parser.add_argument("--truth", type=Path, required=True, help="Replica's own release, with habitat/ in each scene")
    parser.add_argument(
        "--stuff", nargs="*", default=list(STUFF), help="classes that are no things (default: %(default)s)"
    )
    options = parser.parse_args()
    folders = scene_folders(options.path, (), _is_scene, options.split)
    scenes = [
        DataScene(name, folder, partial(load_replica, release_folder(options.truth, name), options.stuff))
        for name, folder in folders.items()
    ]
    run(f"Replica, {options.split or 'all scenes'}", scenes, options, {"no things": " ".join(options.stuff)})


def release_folder(release: Path, name: str) -> Path:
    """Return the scene's folder in the release: NICE-SLAM's `office0` is `office_0` there.

    Raises:
        InputError: it is not there.
    """
    published = re.sub(r"_?(\d+)$", r"_\1", name)
    found = next((release / n for n in (published, name) if (release / n / "habitat").is_dir()), None)
    if found is None:
        raise InputError(f"{release} has neither {published}/habitat nor {name}/habitat")
    return found


def _is_scene(folder: Path) -> bool:
    return (folder / "results").is_dir() and (folder / "traj.txt").is_file()


if __name__ == "__main__":
    main()

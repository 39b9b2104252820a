"""Class-agnostic AP on ScanNet++, from a copy of it: `python -m benchmarks.datasets.scannetpp PATH`.

PATH is the data set (with `data/`, `metadata/` and `splits/`), the folder of its scenes, or one scene.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from any3dis_ros.io.datasets.annotations import read_names
from any3dis_ros.io.datasets.scannetpp_truth import load_scannetpp
from benchmarks.datasets.folders import find_file, scene_folders
from benchmarks.datasets.run import DataScene, make_parser, run

CAMERAS = ("auto", "iphone", "iphone/colmap", "dslr")


def main() -> None:
    """Measure and keep the table."""
    parser = make_parser(__doc__, "scannetpp_results")
    parser.add_argument("--classes", type=Path, help="classes of things (default: metadata/instance_classes.txt)")
    parser.add_argument("--semantic", type=Path, help="all classes (default: metadata/semantic_classes.txt)")
    parser.add_argument("--camera", choices=CAMERAS, default="auto", help="auto = the iPhone, by ARKit's poses")
    options = parser.parse_args()
    folders = scene_folders(options.path, ("data",), _is_scene, options.split)
    things = read_names(
        find_file(options.classes, options.path, ("metadata/instance_classes.txt",), "classes (--classes)"), "classes"
    )
    semantic = read_names(
        find_file(options.semantic, options.path, ("metadata/semantic_classes.txt",), "classes (--semantic)"), "classes"
    )
    considered = frozenset(semantic) | frozenset(things)
    scenes = [
        DataScene(
            name,
            folder if options.camera == "auto" else folder / options.camera,
            partial(load_scannetpp, folder, frozenset(things), considered),
        )
        for name, folder in folders.items()
    ]
    listed = hashlib.sha256("\n".join([*things, "", *semantic]).encode()).hexdigest()[:12]
    more = {"camera": options.camera, "things": f"{len(things)} classes", "class lists": listed}
    run(f"ScanNet++, {options.split or 'all annotated scenes'}", scenes, options, more)


def _is_scene(folder: Path) -> bool:
    return (folder / "scans" / "segments_anno.json").is_file()


if __name__ == "__main__":
    main()

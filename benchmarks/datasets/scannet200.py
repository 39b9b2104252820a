"""Class-agnostic AP on ScanNet200, from a copy of ScanNet: `python -m benchmarks.datasets.scannet200 PATH`.

PATH is the data set (with `scans/`), the folder of its scenes, or one scene: frames exported or as `.sens`,
`_vh_clean_2.ply`, `_vh_clean_2.0.010000.segs.json` and `.aggregation.json`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from any3dis_ros.io.datasets.scannet200 import INSTANCE_IDS, LABEL_MAP, load_scannet200, read_label_map
from benchmarks.datasets.folders import find_file, scene_folders
from benchmarks.datasets.run import DataScene, make_parser, run


def main() -> None:
    """Measure and keep the table."""
    parser = make_parser(__doc__, "scannet200_results")
    parser.add_argument("--labels", type=Path, help=f"{LABEL_MAP} (default: in PATH, its tasks, or above it)")
    parser.add_argument("--frames", type=Path, help="folder of exported frames, <scene>/color … (default: the scenes)")
    options = parser.parse_args()
    folders = scene_folders(options.path, ("scans",), _is_scene, options.split)
    labels = read_label_map(find_file(options.labels, options.path, (LABEL_MAP, f"tasks/{LABEL_MAP}"), "label map"))
    scenes = [
        DataScene(name, options.frames / name if options.frames else folder, partial(load_scannet200, folder, labels))
        for name, folder in folders.items()
    ]
    split = options.split or "all annotated scenes"
    run(f"ScanNet200, {split}", scenes, options, {"things": f"{len(INSTANCE_IDS)} categories"})


def _is_scene(folder: Path) -> bool:
    return (folder / f"{folder.resolve().name}.aggregation.json").is_file()


if __name__ == "__main__":
    main()

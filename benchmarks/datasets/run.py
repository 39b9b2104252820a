"""From the scenes of a data set to pooled AP: each is segmented once and kept; one that cannot be read is named."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from any3dis_ros.cli import configuration
from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud import read_cloud
from any3dis_ros.io.datasets.annotations import Annotated
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.results import versions
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.objects.overlap import overlap_instances
from any3dis_ros.parameters import to_dict
from any3dis_ros.pipeline import segment
from any3dis_ros.progress import Progress
from any3dis_ros.scene.mapping import Scene, fuse
from any3dis_ros.terminal import Bars
from any3dis_ros.tracking.base import MaskTracker
from any3dis_ros.tracking.engines import make_tracker
from benchmarks.datasets.kept import SceneResult, Store
from benchmarks.datasets.report import report

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataScene:
    """One scene: its name, where its frames are, and what loads its annotation."""

    name: str
    frames: Path
    annotation: Callable[[], Annotated]


def make_parser(purpose: str | None, output: str) -> argparse.ArgumentParser:
    """Return a parser of what every data set's benchmark takes."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("path", type=Path, help="the data set, or one scene of it")
    parser.add_argument("--split", help="file of scene names, one a line (default: every annotated scene)")
    parser.add_argument("--map", choices=("mesh", "fused"), default="mesh", help="the annotated mesh, or fused depth")
    parser.add_argument(
        "--superpoints", choices=("own", "given"), default="own", help="given = the segments of the annotation"
    )
    parser.add_argument("--stride", type=int, help="every n-th frame is a keyframe (default: keyframes.stride)")
    parser.add_argument("--config", type=Path, help="YAML file of parameters")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set one parameter")
    parser.add_argument(
        "--output", type=Path, default=Path(output), help="folder of the results; an interrupted run goes on in it"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def run(
    title: str,
    scenes: Sequence[DataScene],
    options: argparse.Namespace,
    more: Mapping[str, object] | None = None,
    tracker: MaskTracker | None = None,
) -> None:
    """Segment and score the scenes, print the table and keep it as `<output>/table.md` and `.csv`.

    Args:
        title: of the table.
        scenes: what to segment, in this order.
        options: what :func:`make_parser` parsed.
        more: further settings that the results depend on, told in the table.
        tracker: the engine; None = the configured one.

    Raises:
        InputError: there is no scene, none can be read, settings that contradict each other or those of an earlier run.
    """
    if not scenes:
        raise InputError(f"no scene in {options.path}")
    if options.superpoints == "given" and options.map != "mesh":
        raise InputError("--superpoints given are of the annotated mesh; they go with --map mesh alone")
    config = configuration(options)
    tracker = tracker or make_tracker(config.tracker)
    settings = {
        "title": title,
        "map": options.map,
        "superpoints": options.superpoints,
        "stride": options.stride or "as configured",
        "engine": tracker.name,
        **(more or {}),
        "versions": versions(),
        "parameters": to_dict(config),
    }
    store = Store(options.output / "scenes", settings)
    results: dict[str, SceneResult] = {}
    failed: dict[str, str] = {}
    bars = Bars(options.quiet)
    for done, scene in enumerate(scenes, 1):
        result = store.load(scene.name)
        if result is None:
            if not options.quiet:
                print(f"{scene.name}, {done} of {len(scenes)}", file=sys.stderr, flush=True)
            try:
                result = measure(scene, options, config, tracker, bars)
            except InputError as error:
                log.warning("left out %s: %s", scene.name, error)
                failed[scene.name] = str(error)
                continue
            finally:
                bars.close()
            store.keep(scene.name, result)
        results[scene.name] = result
    if not results:
        raise InputError(f"no scene of {len(scenes)} could be scored; {scenes[0].name}: {failed[scenes[0].name]}")
    report(settings, results, failed, options.output)


def measure(
    scene: DataScene, options: argparse.Namespace, config: Config, tracker: MaskTracker, progress: Progress
) -> SceneResult:
    """Segment one scene and count how its proposals overlap the annotated objects, on the vertices of the mesh."""
    annotated = scene.annotation()  # first, as what is missing is told sooner than frames are read
    start = time.perf_counter()
    read = ReadOptions(stride=options.stride, input=config.input)
    recording = read_scene(scene.frames, read, config.keyframes, progress)
    if options.map == "mesh":
        cloud = read_cloud(annotated.mesh, config.map.max_points)
    else:
        cloud = fuse(recording.frames, config.map, progress)
    given = annotated.segment if options.superpoints == "given" else None
    if options.superpoints == "given" and given is None:
        raise InputError(f"the annotation of {scene.name} has no segments; leave --superpoints given out")
    ready = time.perf_counter()
    instances = segment(Scene(recording.frames, cloud, given), tracker, config, progress)
    end = time.perf_counter()
    overlap = overlap_instances(instances, annotated.truth, EvaluationConfig().max_distance_m)
    told = {
        "keyframes": len(recording.frames),
        "left_out": sum(recording.counts.values()),
        "points": len(cloud),
        "superpoints": int(instances.superpoint.max()) + 1,
        "reading_s": ready - start,
        "segment_s": end - ready,
    }
    return SceneResult(overlap, told)

"""Class-agnostic AP and recall of every engine on scenes, as Tab. 1 and 2: `python -m benchmarks.table1 [SCENE ...]`.

The whole of `segment` is run, with default parameters, as a user runs it. Rows are single scenes, all of them pooled
(as ScanNet does), those of one noise level where there are several, and the mean over scenes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.objects.evaluation import Evaluation
from any3dis_ros.objects.overlap import SceneOverlap, overlap_instances
from any3dis_ros.pipeline import segment
from any3dis_ros.scene.mapping import Scene
from benchmarks import scenes, study
from benchmarks.engines import make_engine, replicates_of
from benchmarks.groups import MAIN, Tags, groups, score
from benchmarks.prepared import make_cloud

Row = dict[str, object]


@dataclass(frozen=True)
class Measured:
    """One scene's proposals against its things, by cloud and engine, one for each replicate."""

    name: str
    level: str
    tags: Tags
    overlaps: dict[tuple[str, str], list[SceneOverlap]]


def measure(name: str, args: argparse.Namespace, config: Config, bar: tqdm) -> Measured:
    """Segment one scene by every engine on every cloud."""
    scene = scenes.load(name)
    overlaps: dict[tuple[str, str], list[SceneOverlap]] = defaultdict(list)
    for cloud in args.clouds:
        mapped = Scene(scene.frames, make_cloud(scene, cloud, config))
        for engine in args.engine:
            for replicate in range(replicates_of(engine, args.replicates)):
                instances = segment(mapped, make_engine(engine, scene, config, replicate), config)
                overlaps[cloud, engine].append(
                    overlap_instances(instances, scene.truth, EvaluationConfig().max_distance_m)
                )
                bar.update()
    return Measured(scene.name, scenes.describe(name).level, scene.tags, overlaps)


def rows_of(measured: Sequence[Measured]) -> list[Row]:
    """Return the rows of a table, by cloud and group of things; a group's rows are left out where it has no thing."""
    rows: list[Row] = []
    for group in groups([m.tags for m in measured]):
        for cloud, engine in measured[0].overlaps:
            head: Row = {"cloud": cloud, "things_of": group.name, "engine": engine}
            alone: list[Row] = []
            for label, chosen in pools(measured):
                by_replicate = list(zip(*(m.overlaps[cloud, engine] for m in chosen), strict=True))
                tags = [m.tags for m in chosen]
                found = [score(o, tags, group) for o in by_replicate]
                if len(found[0].objects):
                    constant = [score(o, tags, group, "constant") for o in by_replicate]
                    row = {**head, "scene": label, **cells(found, constant)}
                    rows.append(row)
                    alone += [row] * (len(chosen) == 1)
            if group is MAIN and len(alone) > 1:
                rows.append({**head, "scene": "mean", **mean_of(alone)})
    return sorted(rows, key=lambda r: str(r["cloud"]))  # stable: groups and engines stay in order


def pools(measured: Sequence[Measured]) -> Iterator[tuple[str, list[Measured]]]:
    """Yield what is scored together: each scene, each noise level if there are several, all scenes."""
    for m in measured:
        yield m.name, [m]
    if len(measured) == 1:
        return
    levels = list(dict.fromkeys(m.level for m in measured))
    if len(levels) > 1:
        for level in levels:
            yield f"pooled, {level or 'no level'}", [m for m in measured if m.level == level]
    yield "pooled", list(measured)


def cells(own: Sequence[Evaluation], constant: Sequence[Evaluation]) -> Row:
    """Return the metrics of the replicates, and AP and AP50 with one confidence for all, as the peers have it."""
    same = study.averaged(constant)
    return {**study.averaged(own), "ap_constant": same["ap"], "ap50_constant": same["ap50"]}


def mean_of(rows: Sequence[Row]) -> Row:
    """Return the mean over scenes of every metric."""
    names = list(rows[0])[4:]
    return {name: round(float(np.mean([float(str(r[name])) for r in rows])), 4) for name in names}


def main() -> None:
    """Measure and keep the table."""
    args = study.parser(__doc__, "table1", ("geometric", "perfect", "simulated-mild", "simulated-harsh")).parse_args()
    config = study.base_config(args)
    total = len(args.scenes) * len(args.clouds) * sum(replicates_of(e, args.replicates) for e in args.engine)
    with tqdm(total=total, desc="segmented", disable=None, leave=False) as bar:
        measured = [measure(name, args, config, bar) for name in args.scenes]
    title = "## Class-agnostic AP and recall by engine, percent (paper, Tab. 1 and 2)"
    study.keep(title, ("cloud", "things_of"), rows_of(measured), args)


if __name__ == "__main__":
    main()

"""A bag played to the node over DDS against the offline command on the same bag.

`python -m benchmarks.replay_equals_offline [BAG TRUTH]`, in a ROS_DOMAIN_ID that nobody uses.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from any3dis_ros import cli
from any3dis_ros.arguments import read_options
from any3dis_ros.errors import InputError
from any3dis_ros.io.ground_truth import load_ground_truth
from any3dis_ros.io.results import load_results
from any3dis_ros.io.rosbag.bagfile import BagFile
from any3dis_ros.io.rosbag.playback import Playback
from any3dis_ros.io.scenes import bag_files
from any3dis_ros.objects.evaluation import evaluate_instances
from any3dis_ros.objects.instances import Instances
from any3dis_ros.objects.overlap import GroundTruth
from any3dis_ros.ros.conversions.published import instances_of_labels, published_instances
from any3dis_ros.ros.replay import arguments
from any3dis_ros.ros.replay.node_arguments import checked_settings
from any3dis_ros.ros.replay.session import Session
from any3dis_ros.terminal import Bars
from benchmarks import tables

_SAMPLE = Path(__file__).resolve().parents[1] / "sample"
_METRICS = ("ap50", "ap25", "ap")


def offline(bag: Path, folder: Path) -> Instances:
    """Segment by `any3dis segment`; return the labelled cloud that it wrote."""
    if cli.main(["segment", str(bag), "-o", str(folder), "--quiet"]):
        raise SystemExit(f"any3dis segment {bag} failed")
    found = load_results(folder)
    score = np.concatenate([[0], found.scores])[found.labels]
    return instances_of_labels(found.points, found.labels, score)


def over_dds(bag: Path, rate: float, folder: Path) -> Instances:
    """Play to a node that is started for it; return the labelled cloud that it published."""
    options = arguments.parse([str(bag), "--start-node", "--rate", str(rate)])
    settings, config = checked_settings([])
    with ExitStack() as stack:
        bars = Bars(quiet=False)
        opened = stack.enter_context(BagFile(bag, bag_files(bag)))
        session = stack.enter_context(
            Session(options, Playback(opened, read_options(options, config.input), bars), settings)
        )
        session.play(bars)
        _, cloud = session.segment()
        session.save(folder)
    return published_instances(cloud)


def row(way: str, folder: Path, labelled: Instances, truth: GroundTruth) -> dict[str, object]:
    """Return one way's line: what was saved (ranked proposals) and what the cloud says (one label a point)."""
    saved = load_results(folder)
    return {
        "way": way,
        "keyframes": saved.statistics["keyframes"],
        "map_points": len(saved.points),
        "superpoints": int(saved.superpoint.max()) + 1,
        "proposals": len(saved.scores),
        "objects": len(saved.instances),
        **_scores("", saved, truth),
        **_scores("_of_labels", labelled, truth),
    }


def keyframes(folder: Path) -> dict[int, int]:
    """Return the stamps (ns) of the keyframes that show an object best, by their number."""
    objects = json.loads((folder / "instances.json").read_text())["instances"]
    return {view["index"]: view["stamp"] for o in objects for view in o["best_keyframes"]}


def agreement(a: Path, b: Path) -> str:
    """Return in words what of two saved results is the same."""
    stamps, first, second = (keyframes(a), keyframes(b)), load_results(a), load_results(b)
    shared = stamps[0].keys() & stamps[1].keys()
    differ = sum(stamps[0][k] != stamps[1][k] for k in shared)
    if first.points.shape != second.points.shape:
        points = "another number of map points"
    else:
        points = f"map points at most {1000 * np.abs(first.points - second.points).max():.2g} mm apart"
        points += f", {100 * (first.labels == second.labels).mean():.2f} % of them with the same label"
    return f"{len(shared)} keyframes compared by their stamps: {differ} differ; {points}."


def _scores(suffix: str, instances: Instances, truth: GroundTruth) -> dict[str, object]:
    own = evaluate_instances(instances, truth)["own"]
    return {f"{name}{suffix}": getattr(own, name) for name in _METRICS}


def main() -> None:
    """Measure and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path, nargs="?", default=_SAMPLE / "room")
    parser.add_argument("truth", type=Path, nargs="?", default=_SAMPLE / "room_gt.npz")
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--output", type=Path, default=tables.RESULTS)
    args = parser.parse_args()
    truth = load_ground_truth(args.truth)
    with tempfile.TemporaryDirectory() as scratch:
        folders = Path(scratch) / "offline", Path(scratch) / "dds"
        try:
            labelled = offline(args.bag, folders[0]), over_dds(args.bag, args.rate, folders[1])
        except InputError as error:
            raise SystemExit(str(error)) from error
        names = "any3dis segment", f"node over DDS, {args.rate:g}×"
        rows = [row(*line, truth) for line in zip(names, folders, labelled, strict=True)]
        same = agreement(*folders)
    body = [[tables.cell(name, v) for name, v in r.items()] for r in rows]
    title = f"## {args.bag.name}: the node over DDS against the offline command\n\nPercent. {same}"
    tables.keep("replay_equals_offline", f"{title}\n\n{tables.markdown(list(rows[0]), body)}", rows, args.output)


if __name__ == "__main__":
    main()

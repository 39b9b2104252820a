"""What the tables share: variants of the method on the same tracks, pooled over scenes, as rows of metrics.

Tracks are made, lifted and counted once for each scene, cloud, engine and replicate, and once for each way of seeding
among the variants; every variant refines and merges the same counts. The default refinement decides which superpoints
stay free for the next round. A replicate's AP is pooled over the scenes, as ScanNet does; rows hold the mean over
replicates.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from tqdm import tqdm

from any3dis_ros.config import Config, EvaluationConfig, MergingConfig, SeedingConfig, TrackerConfig
from any3dis_ros.objects.evaluation import Evaluation, evaluate_scenes
from any3dis_ros.objects.overlap import SceneOverlap
from any3dis_ros.pipeline import in_pieces, propose, to_proposal
from any3dis_ros.progress import Clock, silent
from any3dis_ros.proposals.consensus import weigh
from any3dis_ros.proposals.lifting import Counts
from any3dis_ros.proposals.merging import Region, membership, overlap, rank
from any3dis_ros.proposals.settling import settle
from any3dis_ros.tracking.base import MaskTracker, PromptPolicy
from any3dis_ros.tracking.following import MaskTrack
from any3dis_ros.tracking.seeding import view_scores
from benchmarks import scenes, tables
from benchmarks.engines import ENGINES, make_engine, replicates_of
from benchmarks.groups import LEAST
from benchmarks.prepared import CLOUDS, Prepared, prepare

METRICS = ("ap", "ap_to_90", "ap50", "ap25", "rc", "rc_to_90", "rc50", "rc25", "precision50")
RANGES = "ap and rc over IoU 0.50:0.05:0.95, ap_to_90 and rc_to_90 over 0.50:0.05:0.90 (the peers' range)"


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    Attributes:
        labels: its first cells, by column.
        config: all parameters.
        confidence: by which proposals are scored, "own" or "constant".
    """

    labels: Mapping[str, str]
    config: Config = field(default_factory=Config)
    confidence: str = "own"


@dataclass(frozen=True)
class Setting:
    """Where all variants are compared: the cloud, the engine, and how its errors depend on the pivot view."""

    cloud: str
    engine: str
    view_sensitivity: float | None = None

    def labels(self) -> dict[str, object]:
        """Return its cells; the dependence where it is part of the study."""
        cells: dict[str, object] = {"cloud": self.cloud, "engine": self.engine}
        return cells if self.view_sensitivity is None else {**cells, "view_sensitivity": self.view_sensitivity}


def paper_merging(default: MergingConfig) -> MergingConfig:
    """Return the paper's: every proposal is kept."""
    return dataclasses.replace(default, consensus_iou=1.0, duplicate_iou=1.0, containment=1.0, min_share=0.0)


def refining(default: Config, strategy: str) -> Config:
    """Return the default with another strategy of mask optimisation."""
    return dataclasses.replace(default, refinement=dataclasses.replace(default.refinement, strategy=strategy))


def whole(default: Config) -> Config:
    """Return the default with superpoints taken whole, as the paper's are."""
    return dataclasses.replace(default, refinement=dataclasses.replace(default.refinement, piece_m=0.0))


def one_view(default: Config) -> Config:
    """Return the default with each seed prompted in one view, as in the paper."""
    geometric = dataclasses.replace(default.tracker.geometric, pivot_views=1)
    sam2 = dataclasses.replace(default.tracker.sam2, pivot_views=1)
    return dataclasses.replace(default, tracker=dataclasses.replace(default.tracker, geometric=geometric, sam2=sam2))


def as_published(default: Config) -> Config:
    """Return the default with superpoints and merging as in the paper."""
    return dataclasses.replace(whole(default), merging=paper_merging(default.merging))


def run(
    names: Sequence[str], settings: Sequence[Setting], variants: Sequence[Variant], replicates: int
) -> list[dict[str, object]]:
    """Return a row for every setting and variant, over all scenes.

    Args:
        names: scenes, names or folders.
        settings: where to compare.
        variants: what to compare.
        replicates: draws of a simulated engine's errors.
    """
    found: dict[tuple[Setting, int, int], list[SceneOverlap]] = defaultdict(list)
    total = len(names) * sum(replicates_of(s.engine, replicates) for s in settings)
    with tqdm(total=total, desc="tracks", disable=None, leave=False) as bar:  # None: only on a terminal
        for name in names:
            scene = scenes.load(name)
            prepared = {cloud: prepare(scene, cloud, Config()) for cloud in dict.fromkeys(s.cloud for s in settings)}
            for setting in settings:
                for replicate in range(replicates_of(setting.engine, replicates)):
                    for k, reached in enumerate(overlaps(prepared[setting.cloud], setting, replicate, variants)):
                        found[setting, k, replicate].append(reached)
                    bar.update()
    rows = []
    for setting in settings:
        for k, variant in enumerate(variants):
            config = EvaluationConfig(confidence=variant.confidence)
            own = [
                evaluate_scenes(found[setting, k, r], config) for r in range(replicates_of(setting.engine, replicates))
            ]
            rows.append({**setting.labels(), **variant.labels, **averaged(own)})
    return rows


def overlaps(
    prepared: Prepared, setting: Setting, replicate: int, variants: Sequence[Variant]
) -> Iterator[SceneOverlap]:
    """Yield how the proposals of each variant overlap the things of one scene."""
    pools: dict[tuple[SeedingConfig, TrackerConfig], Pool] = {}
    for variant in variants:
        key = (variant.config.seeding, variant.config.tracker)
        if key not in pools:
            config = dataclasses.replace(Config(), seeding=key[0], tracker=key[1])
            engine = make_engine(setting.engine, prepared.scene, config, replicate, setting.view_sensitivity or 0.0)
            pools[key] = Pool(engine.policy, track_counts(prepared, engine, config))
        yield merged(pools[key], prepared, variant.config)


@dataclass(frozen=True)
class Pool:
    """Every track of an engine that is so prompted, lifted."""

    policy: PromptPolicy
    tracks: list[tuple[MaskTrack, Counts]]


def track_counts(prepared: Prepared, tracker: MaskTracker, config: Config) -> list[tuple[MaskTrack, Counts]]:
    """Return every track of the pipeline's rounds, lifted."""
    views, policy = prepared.views, tracker.policy
    psi = view_scores(views.seen, views.visible.size, views.centroid, config.seeding)
    views = dataclasses.replace(views, psi=psi)
    views = in_pieces(views, prepared.cloud.points, prepared.superpoint, policy, config)
    session = tracker.open(prepared.scene.frames)
    pool = [(track, counts) for track, counts, _ in propose(session, policy, views, config, silent, Clock())]
    session.close()
    return pool


def merged(pool: Pool, prepared: Prepared, config: Config) -> SceneOverlap:
    """Return how the proposals that refining and merging leave overlap the things."""
    views = in_pieces(prepared.views, prepared.cloud.points, prepared.superpoint, pool.policy, config)
    proposals = [p for track, counts in pool.tracks if (p := to_proposal(track, counts, views, config)) is not None]
    if views.pieces is not None:
        settled = settle(proposals, views.pieces)
        proposals, prepared = settled.move(proposals), dataclasses.replace(prepared, superpoint=settled.of_points)
    learnt = pool.policy.learnt_objectness
    agreed, confidences = weigh(proposals, prepared.size, prepared.shapes, learnt, config.merging)
    return ranked(prepared, agreed, confidences, overlap(agreed, prepared.size), config.merging)


def ranked(
    prepared: Prepared,
    regions: Sequence[Region],
    confidences: NDArray[np.float64],
    shared: sparse.csr_matrix,
    config: MergingConfig,
) -> SceneOverlap:
    """Return how what ranking keeps overlaps the things; `shared` as `merging.overlap` gives it."""
    kept = rank(confidences, shared, config)
    masks = membership([regions[q] for q in kept], len(prepared.size)).toarray().astype(bool)
    return prepared.overlap(masks, confidences[kept])


def averaged(replicates: Sequence[Evaluation]) -> dict[str, object]:
    """Return the metrics as cells, mean over replicates, with the spread of AP50 over them (standard deviation)."""
    mean = {name: round(float(np.mean([getattr(e, name) for e in replicates])), 4) for name in METRICS}
    return {
        **mean,
        "ap50_sd": round(float(np.std([e.ap50 for e in replicates])), 4),
        "things": len(replicates[0].objects),
        "proposals": round(float(np.mean([e.count for e in replicates])), 1),
        "replicates": len(replicates),
    }


def parser(description: str | None, name: str, engines: Sequence[str]) -> argparse.ArgumentParser:
    """Return the options that all tables take.

    Args:
        description: of the command.
        name: of its files.
        engines: those it runs where none is named.
    """
    out = argparse.ArgumentParser(description=description)
    out.add_argument("scenes", nargs="*", default=list(scenes.STANDARD), help="names or folders")
    out.add_argument("--engine", nargs="+", default=list(engines), choices=ENGINES)
    out.add_argument("--clouds", nargs="+", default=["fused"], choices=CLOUDS)
    out.add_argument("--replicates", type=int, default=3, help="draws of a simulated engine's errors")
    out.add_argument("--checkpoint", default="", help="of SAM 2, as tracker.checkpoint takes it")
    out.add_argument("--name", default=name, help="of the files that keep the table")
    out.add_argument("--output", type=Path, default=tables.RESULTS, help="folder that keeps them")
    return out


def base_config(args: argparse.Namespace) -> Config:
    """Return the defaults with the checkpoint that was named."""
    config = Config()
    return dataclasses.replace(config, tracker=dataclasses.replace(config.tracker, checkpoint=args.checkpoint))


def settings(args: argparse.Namespace) -> list[Setting]:
    """Return the settings that the options ask for."""
    return [Setting(cloud, engine) for cloud in args.clouds for engine in args.engine]


def facts(args: argparse.Namespace) -> dict[str, str]:
    """Return what a kept table states of its run."""
    drawn = any(replicates_of(e, 2) > 1 for e in args.engine)
    return {
        "scenes": ", ".join(scenes.describe(name).origin for name in args.scenes),
        "replicates": f"{args.replicates} draws of simulated errors, seeds 0 and up"
        if drawn
        else "1, nothing is drawn",
        "evaluation": f"ScanNet's AP, class-agnostic, pooled over scenes; {RANGES}; things of at least {LEAST} points",
    }


def keep(title: str, by: Sequence[str], rows: Sequence[tables.Row], args: argparse.Namespace) -> None:
    """Print and keep the rows, one Markdown table for each combination of the columns `by`."""
    tables.keep(args.name, f"{title}\n\n{tables.sections(rows, by)}", rows, args.output, facts(args))

"""The whole method on one page: posed RGB-D keyframes and a map cloud become 3D instances (paper, Fig. 3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances
from any3dis_ros.progress import Clock, Nested, Progress, silent
from any3dis_ros.proposals.consensus import weigh
from any3dis_ros.proposals.evidence import gather
from any3dis_ros.proposals.lifting import Counts, lift, lift_in_pieces
from any3dis_ros.proposals.merging import Proposal, best_views, exclusive_labels, membership, overlap, rank
from any3dis_ros.proposals.network import covered, snap, trust
from any3dis_ros.proposals.pieces import Pieces, cut
from any3dis_ros.proposals.refinement import by_view, pooled, refine
from any3dis_ros.proposals.settling import settle
from any3dis_ros.scene.mapping import Scene
from any3dis_ros.scene.network_masks import NetworkMasks
from any3dis_ros.scene.shape import describe
from any3dis_ros.scene.superpoints import centroids, compute_superpoints
from any3dis_ros.scene.surface import build_surface
from any3dis_ros.scene.visibility import compute_visibility
from any3dis_ros.scene.visible_points import Visibility
from any3dis_ros.tracking.base import MaskTracker, PromptPolicy, TrackingSession
from any3dis_ros.tracking.following import Candidate, MaskTrack, follow
from any3dis_ros.tracking.seeding import choose_seeds, pivot_views, seed_prompt, view_scores

log = logging.getLogger(__name__)

LIFTED_TOGETHER = 64
"""Tracks: enough to fetch a keyframe's points seldom, few enough to answer a cancellation soon."""
_LEAST_SHARED = 0.03  # of the map; sound scenes share 0.2 to 0.9, inverted poses or poses in millimetres under 0.02


def segment(
    scene: Scene,
    tracker: MaskTracker,
    config: Config,
    progress: Progress = silent,
    network: NetworkMasks | None = None,
    policy: PromptPolicy | None = None,
) -> Instances:
    """Segment a scene into class-agnostic 3D instances.

    Args:
        scene: T keyframes and the map cloud they see.
        tracker: the engine that prompts and follows 2D masks.
        config: all parameters.
        progress: told between steps; raises Cancelled to stop.
        network: masks of a supervised 3D network on the points of the map, merged with what is tracked.
        policy: how to prompt; None = as the engine wants to be prompted.

    Returns:
        Ranked proposals, one label a point, and statistics (seconds by stage, counts).

    Raises:
        InputError: a scene that cannot be segmented (no depth agrees with the map, too few points); masks of another
            number of points.
        Cancelled: raised by `progress`.
    """
    clock = Clock()
    progress = Nested(progress)
    policy = policy or tracker.policy
    cloud = scene.cloud
    with clock("superpoints"):
        progress("superpoints", 0, 3)
        viewpoints = np.stack([f.T_map_camera[:3, 3] for f in scene.frames])
        surface = build_surface(cloud, config.superpoints, viewpoints, progress.inner)
        progress("superpoints", 1, 3)
        given = scene.superpoint
        superpoint = compute_superpoints(surface, config.superpoints) if given is None else given
        progress("superpoints", 2, 3)
        shapes = describe(surface, superpoint, scene.frames)
        progress("superpoints", 3, 3)
    with clock("visibility"):
        views = in_pieces(see(scene, superpoint, config, progress), cloud.points, superpoint, policy, config)
    foreign = snap(network, cloud.points, superpoint, views.seen, config.network) if network is not None else []
    free = ~covered(foreign, len(views.visible.size)) | config.network.seed_covered
    with clock("features"):
        session = tracker.open(scene.frames, progress.inner)
    try:
        tracked = [p for _, _, p in propose(session, policy, views, config, progress, clock, free)]
        engine = session.statistics()
    finally:
        session.close()
    with clock("merging"):
        found, size = [p for p in tracked if p is not None], views.visible.size
        if views.pieces is not None:
            settled = settle([*found, *foreign], views.pieces)
            found, foreign = settled.move(found), settled.move(foreign)
            superpoint, size = settled.of_points, settled.size
        progress("merging", 0, 1, len(found) + len(foreign))
        agreed, evidence = weigh(found, size, shapes, policy.learnt_objectness, config.merging)
        proposals = [*agreed, *foreign]
        confidences = np.concatenate([evidence, trust(foreign, config.merging)])
        shared = overlap(proposals, size)
        kept = rank(confidences, shared, config.merging)
        ranked, scores = [proposals[q] for q in kept], confidences[kept]
        label = exclusive_labels(ranked, scores, shared[kept][:, kept], size, config.merging)
        progress("merging", 1, 1, len(ranked))
    return Instances(
        points=cloud.points,
        colors=cloud.colors,
        superpoint=superpoint,
        proposals=membership(ranked, len(size)).toarray().astype(bool),
        scores=scores.astype(np.float32),
        labels=label[superpoint],
        from_network=np.array(kept, np.int64) >= len(agreed),
        best_views=tuple(p.best_views for p in ranked),
        masks=tuple(p.masks for p in ranked),
        statistics={
            "engine": tracker.name,
            "engine_statistics": engine,
            "keyframes": len(scene.frames),
            "points": len(cloud),
            "superpoints": len(size),
            "tracks": len(tracked),
            "raw_proposals": len(found),
            "network_proposals": len(foreign),
            "proposals": len(ranked),
            "proposals_from_network": sum(q >= len(agreed) for q in kept),
            "seconds": clock.seconds,
        },
    )


@dataclass(frozen=True)
class Views:
    """What geometry knows before any mask: who sees what.

    Attributes:
        visible: visible map points of every keyframe.
        seen: T×L int32, visible points of each superpoint.
        psi: T×L float32, how well each keyframe suits each superpoint as pivot view (`seeding.pivot`).
        centroid: L×3, metres, map frame.
        pieces: of the superpoints, where masks may cut through them.
    """

    visible: Visibility
    seen: NDArray[np.int32]
    psi: NDArray[np.float32]
    centroid: NDArray[np.float64]
    pieces: Pieces | None = None


def see(scene: Scene, superpoint: NDArray[np.int32], config: Config, progress: Progress = silent) -> Views:
    """Work out which keyframe sees which superpoint, and how well."""
    visible = compute_visibility(scene.cloud.points, superpoint, scene.frames, config.visibility, progress)
    if not visible.total:
        raise InputError(
            "no keyframe's depth agrees with the map; check that map, poses and depth share one frame and one unit"
        )
    seen = visible.seen()
    views = visible.views(len(scene.cloud))
    shared, once = int((views > 1).sum()), int((views > 0).sum())
    if len(scene.frames) > 1 and shared < _LEAST_SHARED * once:
        log.warning(
            "only %.1f %% of the map is seen by more than one keyframe; check that poses are camera to map, in metres, "
            "or take keyframes closer together",
            100 * shared / once,
        )
    centroid, size = centroids(scene.cloud.points, superpoint)
    return Views(visible, seen, view_scores(seen, size, centroid, config.seeding), centroid)


def in_pieces(
    views: Views, points: NDArray[np.float32], superpoint: NDArray[np.int32], policy: PromptPolicy, config: Config
) -> Views:
    """Return the views with pieces of the superpoints (`superpoint`, of each of N points), if masks are to cut them.

    The learnt objectness judges whole superpoints.
    """
    edge = config.refinement.piece_m
    return views if not edge or policy.learnt_objectness else replace(views, pieces=cut(points, superpoint, edge))


def propose(
    session: TrackingSession,
    policy: PromptPolicy,
    views: Views,
    config: Config,
    progress: Progress,
    clock: Clock,
    free: NDArray[np.bool_] | None = None,
) -> Iterator[tuple[MaskTrack, Counts, Proposal | None]]:
    """Sample, prompt, track, lift and refine until no superpoint is free (paper, Sec. 3.1-3.2).

    At the start those of `free` (L bool) are; None = all.

    Yields:
        Every track with its counts and its proposal, None where no superpoint agrees with it; proposals are redundant,
        and may hold pieces of superpoints (`settle`).
    """
    free = np.ones(len(views.visible.size), bool) if free is None else free.copy()
    known: set[int] = set()
    found_so_far = 0
    began = time.monotonic()
    for round_ in range(1, config.iteration.max_rounds + 1):
        seeds = choose_seeds(free, views.seen, views.centroid, policy.seeds_per_round, config.seeding)
        if not len(seeds):
            return
        if time.monotonic() - began > config.iteration.max_seconds:
            break
        free[seeds] = False  # a seed that fails is consumed, so that the loop ends
        with clock("prompting"):
            found = prompt_seeds(session, policy, seeds, views, known, config)
        stage = f"tracking, round {round_}"
        tracks = clock.timed("tracking", follow(session, found, views.visible, views.seen, config.seeding))
        done = 0
        while together := list(islice(tracks, LIFTED_TOGETHER)):
            lifted = clock.timed("lifting", lift(together, views.visible, views.seen))
            for track, counts in zip(together, lifted, strict=True):
                progress(stage, done, len(found), found_so_far)
                with clock("refinement"):
                    proposal = to_proposal(track, counts, views, config)
                if proposal is not None:
                    found_so_far += 1
                    taken = proposal.superpoints
                    free[taken if views.pieces is None else views.pieces.mostly_in(taken)] = False
                yield track, counts, proposal
                done += 1
        progress(stage, len(found), len(found), found_so_far)
        session.drop([c.prompted.object_id for c in found])
    if len(choose_seeds(free, views.seen, views.centroid, policy.seeds_per_round, config.seeding)):
        log.warning("stopped with superpoints still free (iteration.max_rounds, iteration.max_seconds)")


def prompt_seeds(
    session: TrackingSession,
    policy: PromptPolicy,
    seeds: NDArray[np.int64],
    views: Views,
    known: set[int],
    config: Config,
) -> list[Candidate]:
    """Prompt each seed in its pivot views and return the objects that are new (their handles are added to `known`)."""
    asked = [(int(seed), int(view)) for seed in seeds for view in pivot_views(views.psi, seed, policy.pivot_views)]
    prompts = [seed_prompt(views.visible, seed, view, config.seeding) for seed, view in asked]
    found, poor = [], []
    for (seed, _), answers in zip(asked, session.prompt(prompts, policy.masks_per_prompt), strict=True):
        for prompted in answers:
            if prompted.score < policy.min_score:
                poor.append(prompted.object_id)
            elif prompted.object_id not in known:
                known.add(prompted.object_id)
                found.append(Candidate(seed, prompted))
    session.drop(poor)
    return found


def to_proposal(track: MaskTrack, counts: Counts, views: Views, config: Config) -> Proposal | None:
    """Refine a track's counts into a proposal, or None if no superpoint agrees with it.

    Where its masks fit badly to whole superpoints, those that they cut through are taken in pieces. The evidence stays
    that of the wholes, if there were any: pieces fit whatever a mask shows, an object or a part of two.
    """
    theta = refine(counts, config.refinement)
    sums = by_view(counts, theta)
    evidence = gather(counts, sums, track.score, track.seed)
    if views.pieces is not None and evidence.median_iou < config.refinement.piece_iou:
        finer = lift_in_pieces(track, counts, views.visible, views.pieces)
        chosen = refine(finer, config.refinement)
        if chosen.any():
            fitting = by_view(finer, chosen)
            evidence = evidence if theta.any() else gather(finer, fitting, track.score, track.seed)
            counts, theta, sums = finer, chosen, fitting
    if not theta.any():
        return None
    inside, seen = (points[theta] for points in pooled(counts, counts.run))
    best = best_views(sums[0])
    return Proposal(
        superpoints=counts.superpoints[theta],
        coverage=(inside / np.maximum(seen, 1)).astype(np.float32),
        evidence=evidence,
        best_views=best,
        masks={t: track.masks[t].packed() for t in best},
    )

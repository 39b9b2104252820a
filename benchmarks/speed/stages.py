"""One load carried through the product's stages, and each stage's published formulation on a part of the same input."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import Config, RefinementConfig
from any3dis_ros.pipeline import LIFTED_TOGETHER, Views, prompt_seeds, see, to_proposal
from any3dis_ros.proposals.consensus import consensus
from any3dis_ros.proposals.lifting import Counts, lift
from any3dis_ros.proposals.merging import Proposal, exclusive_labels, judge, overlap, rank
from any3dis_ros.proposals.refinement import refine
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.mapping import MapCloud, Scene
from any3dis_ros.scene.shape import SuperpointShapes, describe
from any3dis_ros.scene.superpoints import centroids, compute_superpoints
from any3dis_ros.scene.surface import build_surface
from any3dis_ros.scene.visibility import compute_visibility
from any3dis_ros.tracking.following import MaskTrack, follow
from any3dis_ros.tracking.geometric import GeometricTracker
from any3dis_ros.tracking.seeding import choose_seeds, view_scores
from benchmarks.meter import Meter
from benchmarks.reference import merging, pivots, projection, proposals, superpoints, tracking

COPIES = 4  # of each proposal, so that 500 tracks give 2,000 proposals
DROPPED = 0.1  # of its superpoints are missing in a copy
FRAMES, VIEWS, OBJECTS, PAIRED = 10, 20, 3, 60  # what a reference is run on at most
BESIDE, ALONE = 9, 3  # times that a stage is measured beside a reference, as that is, and without one
ENOUGH_S = 4.0  # or until it took so long


@dataclass
class Measured:
    """Costs of product and reference by stage, the share of its work that the reference did, and the sizes met.

    Each is measured `times` times, unless that takes long.
    """

    product: Meter = field(default_factory=Meter)
    reference: Meter = field(default_factory=Meter)
    share: dict[str, float] = field(default_factory=dict)
    subset: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    times: int = BESIDE

    def time(self, stage: str, work: Callable[[], object]) -> object:
        """Return what the product's stage returns, measured several times unless it takes long."""
        return repeated(self.product, stage, work, self.times)

    def refer(self, stage: str, work: Callable[[], object], share: float = 1.0, subset: str = "all") -> object:
        """Return what the reference returns; it did `share` of the stage's work, and all of it costs the same."""
        self.share[stage], self.subset[stage] = share, subset
        return repeated(self.reference, stage, work, self.times)


def repeated(meter: Meter, stage: str, work: Callable[[], object], times: int) -> object:
    """Return what the work returns, measured so many times unless it takes long: medians of three erred by a half."""
    for _ in range(times):
        out = None  # not held beside the next
        with meter(stage):
            out = work()
        if sum(c.wall_s for c in meter.costs[stage]) > ENOUGH_S:
            break
    return out


def measure(frames: list[Frame], cloud: MapCloud, tracks: int, with_reference: bool) -> Measured:
    """Measure one load: N points, T keyframes, and as many tracks, if the prompts give so many."""
    m = Measured(times=BESIDE if with_reference else ALONE)
    config = Config()
    viewpoints = np.stack([f.T_map_camera[:3, 3] for f in frames])

    def segment() -> NDArray[np.int32]:
        surface = build_surface(cloud, config.superpoints, viewpoints)
        return compute_superpoints(surface, config.superpoints)

    superpoint: NDArray[np.int32] = m.time("superpoints", segment)  # type: ignore[assignment]
    surface = build_surface(cloud, config.superpoints, viewpoints)
    shapes: SuperpointShapes = m.time("shapes", lambda: describe(surface, superpoint, frames))  # type: ignore[assignment]
    m.time("visibility", lambda: compute_visibility(cloud.points, superpoint, frames, config.visibility).seen())
    views = see(Scene(frames, cloud), superpoint, config)
    seen, size = views.seen, views.visible.size
    free = np.ones(len(size), bool)

    def choose() -> NDArray[np.int64]:
        view_scores(seen, size, views.centroid, config.seeding)
        return choose_seeds(free, seen, views.centroid, tracks, config.seeding)

    seeds: NDArray[np.int64] = m.time("seeds, views", choose)  # type: ignore[assignment]
    tracker = GeometricTracker(config.tracker.geometric)
    with m.product("features"):
        session = tracker.open(frames)
    with m.product("prompting"):
        found = prompt_seeds(session, tracker.policy, seeds, views, set(), config)[:tracks]
    track = partial(follow, session, found, views.visible, seen, config.seeding)
    m.time("tracking", lambda: deque(track(), maxlen=0))  # dropped, as the pipeline does once they are lifted
    followed = list(track())
    if with_reference:
        some = found[:: max(len(found) // OBJECTS, 1)][:OBJECTS]
        m.refer(
            "tracking",
            lambda: [tracking.track_alone(session, c.prompted, len(frames)) for c in some],
            len(some) / len(found),
            f"{len(some)} tracks",
        )
    session.close()
    m.time("lifting", lambda: deque(lifted(followed, views), maxlen=0))
    counts = list(lifted(followed, views))
    raw: list[Proposal | None] = m.time(  # type: ignore[assignment]
        "refinement", lambda: [to_proposal(t, c, views, config) for t, c in zip(followed, counts, strict=True)]
    )
    printed = RefinementConfig(strategy="view_dp")
    m.time("Algorithm 1", lambda: [refine(c, printed) for c in counts])
    several = copies([p for p in raw if p is not None])

    def merge() -> None:
        shared = overlap(several, size)
        confidence = judge(several, shared, shapes, True, config.merging)
        agreed, confidence = consensus(several, confidence, shared, False, config.merging)
        shared = overlap(agreed, size)
        kept = rank(confidence, shared, config.merging)
        exclusive_labels([agreed[q] for q in kept], confidence[kept], shared[kept][:, kept], size, config.merging)

    m.time("merging", merge)
    m.sizes = {
        "points": len(cloud),
        "keyframes": len(frames),
        "tracks": len(followed),
        "superpoints": len(size),
        "visible": views.visible.total,
        "masks": sum(len(t.masks) for t in followed),
        "proposals": len(several),
    }
    if with_reference:
        refer(m, frames, cloud, superpoint, viewpoints, config, seen, followed, several, tracks)
    return m


def lifted(tracks: list[MaskTrack], views: Views) -> Iterator[Counts]:
    """Lift as the pipeline does, some tracks at a time; it drops each one's counts before it takes the next."""
    for i in range(0, len(tracks), LIFTED_TOGETHER):
        yield from lift(tracks[i : i + LIFTED_TOGETHER], views.visible, views.seen)


def copies(several: list[Proposal]) -> list[Proposal]:
    """Return each proposal and three more that lack a tenth of its superpoints, as different pivots give them."""
    rng = np.random.default_rng(0)
    out = []
    for p in several:
        for copy in range(COPIES):
            keep = rng.random(len(p.superpoints)) >= (DROPPED if copy else 0)
            keep[0] = True
            evidence = replace(p.evidence, pivot=p.evidence.pivot + copy)
            out.append(replace(p, superpoints=p.superpoints[keep], coverage=p.coverage[keep], evidence=evidence))
    return out


def refer(
    m: Measured,
    frames: list[Frame],
    cloud: MapCloud,
    superpoint: NDArray[np.int32],
    viewpoints: NDArray[np.float64],
    config: Config,
    seen: NDArray[np.int32],
    followed: list[MaskTrack],
    several: list[Proposal],
    tracks: int,
) -> None:
    """Measure the references; where one takes a part of the frames, views, masks or pairs, each costs the same."""
    points, T = cloud.points, len(frames)
    m.refer("superpoints", lambda: superpoints.superpoints(points, viewpoints, config.superpoints))
    centroid, size = centroids(points, superpoint)
    lasting = np.flatnonzero(seen.max(0) >= config.seeding.min_seen_points)
    m.refer(
        "seeds, views",
        lambda: (
            pivots.view_scores(seen, size, centroid, config.seeding.scale_neighbours),
            pivots.farthest_points(centroid[lasting], tracks, 0),
        ),
    )
    points_of = projection.members(superpoint)
    some = range(0, T, max(T // FRAMES, 1))[:FRAMES]

    def project() -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
        found = [projection.project(points, frames[t], config.visibility.occlusion_threshold_m) for t in some]
        for visible, _ in found:
            projection.counted(visible, points_of)
        return found

    m.refer("visibility", project, len(some) / T, f"{len(some)} frames")
    longest = max(followed, key=lambda t: len(t.masks))
    shown = [projection.project(points, frames[t], 0.1) for t in list(longest.masks)[:VIEWS]]
    masks = [longest.masks[t].packed() for t in list(longest.masks)[:VIEWS]]
    dense = [p.full() for p in masks]
    visible = [v for v, _ in shown]

    def lift_some() -> list[NDArray[np.bool_]]:
        inside = [proposals.in_mask(d, v, p) for d, (v, p) in zip(dense, shown, strict=True)]
        for flags in inside:  # how many points of each superpoint are visible is known, as the product knows it
            projection.counted(flags, points_of)
        return inside

    inside: list[NDArray[np.bool_]] = m.refer(  # type: ignore[assignment]
        "lifting", lift_some, len(dense) / m.sizes["masks"], f"{len(dense)} masks"
    )
    theta = np.random.default_rng(0).random(len(points_of)) < 0.1
    m.refer(
        "Algorithm 1",
        lambda: proposals.objective(theta, superpoint, inside, visible),
        len(dense) / sum(len(t.masks) ** 2 for t in followed),
        f"one step over {len(dense)} views",
    )
    member = [np.isin(superpoint, p.superpoints) for p in several[:PAIRED]]
    rows = range(max(len(member) // 10, 1))
    m.refer(
        "merging",
        lambda: merging.shared_points(member, rows),
        len(rows) * len(member) / (len(several) * (len(several) + 1) / 2),
        f"{len(rows) * len(member)} pairs of masks",
    )

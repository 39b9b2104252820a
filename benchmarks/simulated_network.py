"""A supervised 3D network's proposals made of ground truth, with the errors that such networks make.

They miss objects, small ones first, and those unlike their training set; they join neighbours, cut objects in two,
find one object several times, find objects in walls, and their outlines fray where things touch. Confidence follows the
quality of a mask, with noise. All is a function of scene, level and replicate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from any3dis_ros.config import EvaluationConfig
from any3dis_ros.objects.overlap import GroundTruth, transfer
from any3dis_ros.scene.network_masks import NetworkMasks

_WAVES = 64  # of the noise that frays outlines
_WAVELENGTH_M = 0.1
_REACH_M = 0.15  # farther from an object nothing changes


@dataclass(frozen=True)
class NetworkErrors:
    """How a simulated network errs.

    Attributes:
        unknown: chance that an object is of a kind it never learnt: not found at all.
        small_m: an object with half of this diagonal is missed with chance 1 - 1/e besides, larger ones less.
        merge: chance a proposal that a touching neighbour is joined.
        part: chance a proposal that it holds one side of the object only.
        fray_m: standard deviation of the outline where the object touches others.
        again: mean number of further proposals of an object that was found.
        spurious: proposals that are no object, for each object of the scene.
        score_noise: standard deviation of the confidence about the mask's IoU.
    """

    unknown: float
    small_m: float
    merge: float
    part: float
    fray_m: float
    again: float
    spurious: float
    score_noise: float


LEVELS: Mapping[str, NetworkErrors] = {
    "good": NetworkErrors(0.05, 0.10, 0.05, 0.05, 0.015, 0.5, 0.3, 0.08),
    "poor": NetworkErrors(0.30, 0.20, 0.15, 0.15, 0.030, 0.5, 0.6, 0.15),
}


def simulate(
    name: str, points: NDArray[np.float32], truth: GroundTruth, level: str, replicate: int = 0
) -> NetworkMasks:
    """Return what a network that errs by `level` would find on a map.

    Args:
        name: of the scene; with level and replicate the seed.
        points: N×3 float32, metres, the map; it takes the objects of the nearest points of the ground truth.
        truth: the objects; floor and walls are neighbours that are never found.
        level: key of LEVELS.
        replicate: another draw.
    """
    rng = np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(level.encode()), replicate])
    nearest = transfer(truth.points, points, EvaluationConfig().max_distance_m)
    instance = np.where(nearest >= 0, truth.instance[nearest], 0)
    errors = LEVELS[level]
    masks = [np.flatnonzero(m) for m in _found(points, instance, truth.valid_ids, errors, rng) if m.any()]
    quality = np.array([_quality(instance, truth.valid_ids, m) for m in masks])
    scores = np.clip(quality + errors.score_noise * rng.normal(size=len(masks)), 0.01, 1)
    indptr = np.concatenate([[0], np.cumsum([len(m) for m in masks])]).astype(np.int64)
    indices = np.concatenate([*masks, np.zeros(0, np.int64)])
    member = sparse.csr_matrix((np.ones(len(indices), bool), indices, indptr), shape=(len(masks), len(points)))
    return NetworkMasks(member, scores)


def _found(
    points: NDArray[np.float32],
    instance: NDArray[np.int32],
    things: NDArray[np.int64],
    errors: NetworkErrors,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.bool_]]:
    """Yield N bool masks."""
    for thing in things:
        own = instance == thing
        draw = rng.random(2)
        again = rng.poisson(errors.again)
        if not own.any():
            continue
        diagonal = float(np.linalg.norm(np.ptp(points[own], axis=0)))
        small = np.exp(-diagonal / errors.small_m * 2) if errors.small_m else 0.0
        if draw[0] < errors.unknown or draw[1] < small:
            continue
        for _ in range(1 + again):
            yield _erring(points, instance, own, errors, rng)
    for _ in range(rng.poisson(errors.spurious * len(things))):
        center, radius = points[rng.integers(len(points))], rng.uniform(0.1, 0.5)
        yield np.linalg.norm(points - center, axis=1) < radius


def _erring(
    points: NDArray[np.float32],
    instance: NDArray[np.int32],
    own: NDArray[np.bool_],
    errors: NetworkErrors,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Return one proposal of an object (N bool), with the errors drawn for it."""
    low, high = points[own].min(0) - _REACH_M, points[own].max(0) + _REACH_M
    near = np.flatnonzero(((points >= low) & (points <= high)).all(1))
    inside, at = own[near], points[near]
    merges, cuts = rng.random(2) < (errors.merge, errors.part)
    if merges and not inside.all():
        distance, _ = cKDTree(at[inside]).query(at)
        touching = (distance < 0.04) & ~inside & (instance[near] > 0)
        if touching.any():
            joined = instance == rng.choice(np.unique(instance[near][touching]))
            return np.asarray(own | (joined & (np.linalg.norm(points - points[own].mean(0), axis=1) < 1.0)))
    mask = np.zeros(len(points), bool)
    mask[near] = inside if inside.all() else _signed_distance(at, inside) + errors.fray_m * _noise(at, rng) > 0
    if cuts:
        normal = rng.normal(size=3)
        height = points @ (normal / np.linalg.norm(normal))
        mask &= height > np.quantile(height[own], rng.uniform(0.3, 0.5))
    return mask


def _signed_distance(points: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each point the distance (metres) to the other side, negative outside."""
    to_inside, _ = cKDTree(points[inside]).query(points, distance_upper_bound=_REACH_M)
    to_outside, _ = cKDTree(points[~inside]).query(points, distance_upper_bound=_REACH_M)
    return np.where(inside, np.minimum(to_outside, _REACH_M), -np.minimum(to_inside, _REACH_M))


def _noise(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return smooth noise of unit variance at the points: random waves (Rahimi and Recht 2007)."""
    wave = rng.normal(size=(3, _WAVES)) * 2 / _WAVELENGTH_M
    phase = rng.uniform(0, 2 * np.pi, _WAVES)
    return np.asarray(np.sqrt(2 / _WAVES) * np.cos(points @ wave + phase).sum(1))


def _quality(instance: NDArray[np.int32], things: NDArray[np.int64], mask: NDArray[np.int64]) -> float:
    """Return the IoU of a mask (point indices) with the thing that it overlaps most."""
    ids, counts = np.unique(instance[mask], return_counts=True)
    iou = [c / (len(mask) + (instance == i).sum() - c) for i, c in zip(ids, counts, strict=True) if i in things]
    return float(max(iou, default=0.0))

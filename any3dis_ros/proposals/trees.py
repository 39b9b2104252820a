"""Ensembles of regression trees that were fitted elsewhere: only the look-up is done here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numba
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trees:
    """An ensemble of binary regression trees; node k of tree i splits ``feature[i, k]`` at ``threshold[i, k]``.

    Attributes:
        feature: I×K int, -1 at a leaf.
        threshold: I×K float; values up to it go left.
        left: I×K int, node.
        right: I×K int, node.
        value: I×K float, log-odds added at a leaf.
        prior: log-odds before any tree.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    prior: float

    def probability(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each row of x (Q×F), Q."""
        odds = _odds(x, self.feature, self.threshold, self.left, self.right, self.value, self.prior)
        return np.asarray(1 / (1 + np.exp(-odds)))

    def to_json(self, features: Sequence[str], scenes: Sequence[str]) -> str:
        """Return what `shipped` reads, with the names of the features and of the scenes that were learnt from."""
        arrays = {name: getattr(self, name).tolist() for name in ("feature", "threshold", "left", "right", "value")}
        return json.dumps({"features": features, "scenes": scenes, "prior": self.prior, **arrays}) + "\n"


@lru_cache
def shipped(name: str, features: tuple[str, ...]) -> Trees:
    """Return the ensemble that ships with the package as ``<name>.json``.

    Raises:
        RuntimeError: it was fitted on other `features`.
    """
    told = json.loads(resources.files(__package__).joinpath(f"{name}.json").read_text())
    if tuple(told["features"]) != features:
        raise RuntimeError(f"{name}.json was fitted on other features; run benchmarks/fit_objectness.py")
    arrays = {key: np.array(told[key]) for key in ("feature", "threshold", "left", "right", "value")}
    return Trees(**arrays, prior=float(told["prior"]))


@numba.njit(cache=True, nogil=True)
def _odds(x, feature, threshold, left, right, value, prior):  # type: ignore[no-untyped-def]
    """Return the log-odds of each row: the prior and, of each tree, the leaf that the row comes to."""
    odds = np.full(len(x), prior)
    for row in range(len(x)):
        for tree in range(len(feature)):
            node = 0
            while feature[tree, node] >= 0:
                goes_left = x[row, feature[tree, node]] <= threshold[tree, node]
                node = left[tree, node] if goes_left else right[tree, node]
            odds[row] += value[tree, node]
    return odds

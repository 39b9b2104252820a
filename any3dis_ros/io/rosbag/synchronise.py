"""Approximate synchronisation of two image streams by their stamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pair(first_ns: NDArray[np.int64], second_ns: NDArray[np.int64], max_interval_ns: int) -> NDArray[np.int64]:
    """Pair two streams one to one, nearest stamps first.

    The closest two images of all become a pair, then the closest two of those left, and so on while they are at most
    `max_interval_ns` apart; of equal intervals the earlier images come first. No image is used twice.

    Args:
        first_ns: N int64, stamps in nanoseconds, in any order.
        second_ns: M int64, stamps in nanoseconds, in any order.
        max_interval_ns: largest interval within a pair, inclusive.

    Returns:
        P×2 int64, indices into the two streams, by the first one's stamps.
    """
    first, second = np.asarray(first_ns, np.int64), np.asarray(second_ns, np.int64)
    by_first, by_second = np.argsort(first, kind="stable"), np.argsort(second, kind="stable")
    t1, t2 = first[by_first], second[by_second]
    begin = np.searchsorted(t2, t1 - max_interval_ns, side="left")
    count = np.searchsorted(t2, t1 + max_interval_ns, side="right") - begin
    i = np.repeat(np.arange(len(t1)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(begin, count)

    used_first, used_second = np.zeros(len(t1), bool), np.zeros(len(t2), bool)
    kept = []
    for k in np.lexsort((j, i, np.abs(t1[i] - t2[j]))):
        if not (used_first[i[k]] or used_second[j[k]]):
            used_first[i[k]] = used_second[j[k]] = True
            kept.append(k)
    k = np.sort(np.asarray(kept, np.int64))
    return np.stack([by_first[i[k]], by_second[j[k]]], axis=1)

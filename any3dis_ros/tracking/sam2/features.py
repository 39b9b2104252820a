"""Keyframe features: computed when first asked for, shared by everything, kept within bounds."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch

from any3dis_ros.tracking.sam2.network import Features

log = logging.getLogger(__name__)

_MB = 1e6


class FeatureStore:
    """Features of keyframes in two tiers, the device's memory and the main memory; least recently used go first.

    Args:
        encode: computes the features of keyframe t.
        device: where features are used.
        device_mb: bound of what stays there, megabytes; 0 = features are there only while they are used.
        host_mb: bound of what is kept in main memory beyond that, megabytes.

    Attributes:
        calls: how often `encode` was called: the number of distinct keyframes, unless both bounds were exceeded.
    """

    def __init__(
        self, encode: Callable[[int], Features], device: torch.device, device_mb: float, host_mb: float
    ) -> None:
        self.calls = 0
        self._encode = encode
        self._device = device
        self._bytes_on_device = device_mb * _MB
        self._bytes_on_host = host_mb * _MB
        self._near: OrderedDict[int, Features] = OrderedDict()
        self._far: OrderedDict[int, Features] = OrderedDict()
        self._dropped: set[int] = set()
        self._warned = False

    def __getitem__(self, t: int) -> Features:
        """Return the features of keyframe `t` on the device."""
        if t in self._near:
            self._near.move_to_end(t)
            return self._near[t]
        if t in self._far:
            features = tuple(x.to(self._device) for x in self._far[t])
            if not self.on_device:
                self._far.move_to_end(t)
                return features
            del self._far[t]
        else:
            features = self._encode(t)
            self.calls += 1
            if t in self._dropped and not self._warned:
                self._warned = True
                log.warning(
                    "keyframe features exceed %.0f MB and are computed again; raise tracker.sam2.features_host_mb",
                    (self._bytes_on_device + self._bytes_on_host) / _MB,
                )
        self._near[t] = features
        self._settle()
        return features

    def gather(self, ts: Sequence[int]) -> list[Features]:
        """Return the features of several keyframes, the same tensors where a keyframe is named again."""
        found = {t: self[t] for t in sorted(set(ts))}
        return [found[t] for t in ts]

    @property
    def mb(self) -> tuple[float, float]:
        """Megabytes held on the device and in main memory."""
        return _size(self._near) / _MB, _size(self._far) / _MB

    @property
    def on_device(self) -> bool:
        """Whether features may stay on the device."""
        return self._bytes_on_device > 0

    def leave_device(self) -> None:
        """Move all features to main memory; from now on they are on the device only while they are used."""
        self._bytes_on_device = 0.0
        self._settle()

    def clear(self) -> None:
        """Forget all."""
        self._near.clear()
        self._far.clear()

    def _settle(self) -> None:
        """Bring both tiers within their bounds."""
        while self._near and _size(self._near) > self._bytes_on_device:
            t, features = self._near.popitem(last=False)
            self._far[t] = tuple(x.cpu() for x in features)
        while self._far and _size(self._far) > self._bytes_on_host:
            self._dropped.add(self._far.popitem(last=False)[0])


def _size(tier: OrderedDict[int, Features]) -> int:
    return sum(x.numel() * x.element_size() for features in tier.values() for x in features)

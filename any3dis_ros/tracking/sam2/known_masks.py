"""Pivot masks that were prompted before: several seeds of one object give the same mask, which is followed once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import torch
from torch import Tensor

_BITS = 8


@dataclass
class _Keyframe:
    """What is known of one keyframe: masks as bits, uint8, and the handle and score of each."""

    bits: list[Tensor] = field(default_factory=list)
    objects: list[tuple[int, float]] = field(default_factory=list)


class KnownMasks:
    """The masks of each keyframe with whose they are: one bit a cell of the network's grid, on the network's device.

    Args:
        same_iou: IoU from which two masks of a keyframe are the same.
    """

    def __init__(self, same_iou: float) -> None:
        self._same_iou = same_iou
        self._keyframes: dict[int, _Keyframe] = defaultdict(_Keyframe)

    def find(self, frame: int, logits: Tensor) -> tuple[int, float] | None:
        """Return handle and score of the known mask most like this one (h×w logits); None where none is the same."""
        known = self._keyframes[frame]
        if not known.bits:
            return None
        masks, own = torch.stack(known.bits), _packed(logits)
        iou = _ones(masks & own).double() / _ones(masks | own).clamp(min=1)
        best = int(iou.argmax())
        return known.objects[best] if float(iou[best]) >= self._same_iou else None

    def add(self, frame: int, logits: Tensor, handle: int, score: float) -> None:
        """Remember a mask; `logits` h×w."""
        self._keyframes[frame].bits.append(_packed(logits))
        self._keyframes[frame].objects.append((handle, score))

    def clear(self) -> None:
        """Forget all."""
        self._keyframes.clear()


def _packed(logits: Tensor) -> Tensor:
    """Return the signs of logits as bits, uint8; the last byte is filled up with zeros."""
    inside = (logits > 0).flatten()
    padded = torch.nn.functional.pad(inside, (0, -len(inside) % _BITS)).view(-1, _BITS)
    return (padded << torch.arange(_BITS, device=logits.device)).sum(1).to(torch.uint8)


def _ones(bits: Tensor) -> Tensor:
    """Return how many bits of each row are set, K int64; bits K×M uint8."""
    pairs = (bits & 0x55) + (bits >> 1 & 0x55)
    fours = (pairs & 0x33) + (pairs >> 2 & 0x33)
    return ((fours & 0x0F) + (fours >> 4)).sum(1)

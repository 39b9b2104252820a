"""Masks that stay low-resolution logits on the engine's device until somebody asks for pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from any3dis_ros.scene.visible_points import VisiblePoints
from any3dis_ros.tracking.masks import PackedMask, Tally
from any3dis_ros.tracking.sam2.shortage import is_shortage


@dataclass(frozen=True, eq=False)
class LogitMask:
    """A mask as SAM 2 predicts it; inside where the logits, interpolated bilinearly to the keyframe, exceed 0.

    Attributes:
        logits: h×w, on any device.
        frame_shape: (H, W) of the keyframe, pixels.
        rows: first and one past the last row of the keyframe that the mask can reach.
    """

    logits: Tensor
    frame_shape: tuple[int, int]
    rows: tuple[int, int]

    def sample(self, pixels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for each flat pixel index (``v * W + u``) whether it lies inside; M bool."""
        flat = np.ascontiguousarray(pixels, np.int32)
        try:
            return _sampled(self.logits, flat, self.frame_shape)
        except RuntimeError as error:
            if not is_shortage(error):
                raise
        return _sampled(self.logits.cpu(), flat, self.frame_shape)  # masks in flight may have filled the device

    def tally(self, visible: VisiblePoints, L: int) -> Tally:
        """Return which of L superpoints have visible points inside, and how many."""
        own = visible.rows(*self.rows)
        return Tally.of(visible.count_flagged(self.sample(visible.pixels_of(own)), L, own.start))

    def packed(self) -> PackedMask:
        """Return the mask as bits on the CPU, at the keyframe's resolution."""
        full = interpolate(self.logits.float()[None, None], self.frame_shape, mode="bilinear", align_corners=False)
        return PackedMask.pack((full[0, 0] > 0).cpu().numpy())


def _sampled(logits: Tensor, flat: NDArray[np.int32], frame_shape: tuple[int, int]) -> NDArray[np.bool_]:
    H, W = frame_shape
    at = torch.from_numpy(flat).to(logits.device)
    v = torch.div(at, W, rounding_mode="floor")
    grid = torch.stack([(at - v * W + 0.5) * (2 / W) - 1, (v + 0.5) * (2 / H) - 1], -1)[None, None]
    values = grid_sample(logits.float()[None, None], grid, padding_mode="border", align_corners=False)
    inside: NDArray[np.bool_] = (values[0, 0, 0] > 0).cpu().numpy()
    return inside


def kept_masks(
    logits: Tensor, present: Tensor, frame_shapes: Sequence[tuple[int, int]]
) -> list[tuple[bool, LogitMask | None]]:
    """Return for each mask of a batch whether the object is there, and the mask unless it is empty.

    Args:
        logits: B×h×w float32.
        present: B, object score logits.
        frame_shapes: (H, W) of each one's keyframe.

    On a GPU the logits are kept in half precision: what changes side lies within a thousandth of 0.
    """
    h = logits.shape[1]
    filled = (logits > 0).any(2).byte()
    first, last = filled.argmax(1), h - 1 - filled.flip(1).argmax(1)
    summary = torch.stack([present > 0, filled.any(1), first, last], 1).tolist()  # the only wait for the device
    stored = logits.half() if logits.is_cuda else logits
    out: list[tuple[bool, LogitMask | None]] = []
    for b, (there, some, top, bottom) in enumerate(summary):
        mask = None
        if there and some:
            H, W = frame_shapes[b]
            reach = max(int((top - 0.5) * H / h), 0), min(int((bottom + 1.5) * H / h) + 1, H)  # one cell beyond
            mask = LogitMask(stored[b].clone(), (H, W), reach)  # a view would keep the whole batch alive
        out.append((bool(there), mask))
    return out

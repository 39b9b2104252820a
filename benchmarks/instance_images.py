"""What a simulated tracker knows of the scene: which instance is where in every keyframe, and which ones touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from any3dis_ros.scene.frames import Frame

Box = tuple[int, int, int, int]
MIN_CONTACT_PX = 4
STUFF_WEIGHT = 0.25


@dataclass(frozen=True)
class HalfSpace:
    """The side of a plane, map frame: points p with ``normal · p ≥ offset`` (metres)."""

    normal: NDArray[np.float64]
    offset: float

    @property
    def opposite(self) -> HalfSpace:
        """The other side."""
        return HalfSpace(-self.normal, -self.offset)

    def contains(self, frame: Frame, box: Box) -> NDArray[np.bool_]:
        """Return which pixels of `box` see a point on this side; pixels without depth count as such."""
        v0, v1, u0, u1 = box
        z = frame.depth[v0:v1, u0:u1] * 1e-3
        points = back_project(frame, *np.meshgrid(np.arange(u0, u1), np.arange(v0, v1)), z)
        return np.asarray((points @ self.normal >= self.offset) | (z == 0))


def back_project(
    frame: Frame, u: NDArray[np.int64], v: NDArray[np.int64], z: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the map-frame points (…×3 metres) of pixels (u, v) at depth `z` (metres)."""
    K = frame.camera.K
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(np.shape(u))], -1)
    return np.asarray((rays * z[..., None]) @ frame.T_map_camera[:3, :3].T + frame.T_map_camera[:3, 3])


class InstanceImages:
    """Instance images of the keyframes with areas, bounding boxes and contacts.

    Attributes:
        frames: the keyframes.
        images: H×W int32 for each, 0 = none.
        area: T×M int64, pixels of each instance in each keyframe.
    """

    def __init__(self, frames: Sequence[Frame], images: Sequence[NDArray[np.int32]], things: NDArray[np.int64]) -> None:
        count = max(int(max((i.max() for i in images), default=0)), int(things.max(initial=0))) + 1
        self.frames = frames
        self.images = images
        self.area = np.stack([np.bincount(i.ravel(), minlength=count) for i in images])
        self._boxes = [_boxes(i) for i in images]
        self._contacts = [_contacts(i, count) for i in images]
        self._weight = np.where(np.isin(np.arange(count), things), 1.0, STUFF_WEIGHT)

    def at(self, t: int, points: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the instance under each (u, v) point of keyframe `t`; M int32."""
        H, W = self.images[t].shape
        u = np.clip(np.round(points[:, 0]).astype(int), 0, W - 1)
        v = np.clip(np.round(points[:, 1]).astype(int), 0, H - 1)
        return np.asarray(self.images[t][v, u])

    def surface(self, t: int, instance: int) -> NDArray[np.float64]:
        """Return the map-frame points (M×3 metres) of an instance's pixels with depth in keyframe `t`."""
        frame = self.frames[t]
        v0, v1, u0, u1 = self._boxes[t].get(instance, (0, 0, 0, 0))
        v, u = np.nonzero((self.images[t][v0:v1, u0:u1] == instance) & (frame.depth[v0:v1, u0:u1] > 0))
        v, u = v + v0, u + u0
        return back_project(frame, u, v, frame.depth[v, u] * 1e-3)

    def touches(self, t: int, a: int, b: int) -> bool:
        """Return whether two instances share a border in keyframe `t`."""
        return bool(self._contacts[t][a, b] >= MIN_CONTACT_PX)

    def neighbour(self, t: int, instance: int, rng: np.random.Generator) -> int:
        """Draw an instance that borders on this one, by length of border (stuff counts a quarter), or 0."""
        border = self._contacts[t][instance]
        weight = np.where(border >= MIN_CONTACT_PX, border, 0) * self._weight
        return int(rng.choice(len(weight), p=weight / weight.sum())) if weight.any() else 0

    def mask(
        self, t: int, instances: Sequence[int], part: HalfSpace | None = None, offset_px: int = 0
    ) -> NDArray[np.bool_]:
        """Return the union of instances in keyframe `t`, H×W bool.

        Args:
            t: keyframe.
            instances: ids; the first one is the object itself.
            part: keeps only this side of the map.
            offset_px: grows (> 0) or shrinks (< 0) the mask by so many pixels.
        """
        image = self.images[t]
        out = np.zeros(image.shape, bool)
        boxes = np.array([self._boxes[t][i] for i in instances if i in self._boxes[t]])
        if not len(boxes):
            return out
        margin = max(offset_px, 0) + 1
        v0, v1 = max(boxes[:, 0].min() - margin, 0), min(boxes[:, 1].max() + margin, image.shape[0])
        u0, u1 = max(boxes[:, 2].min() - margin, 0), min(boxes[:, 3].max() + margin, image.shape[1])
        shown = image[v0:v1, u0:u1]
        mask = np.any([shown == i for i in instances], axis=0)
        if part is not None:
            mask &= part.contains(self.frames[t], (v0, v1, u0, u1))
        if offset_px:
            disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(offset_px) + 1,) * 2)
            change = cv2.dilate if offset_px > 0 else cv2.erode
            mask = change(mask.astype(np.uint8), disk).astype(bool)
        out[v0:v1, u0:u1] = mask
        return out


def _boxes(image: NDArray[np.int32]) -> dict[int, Box]:
    found = enumerate(find_objects(image), start=1)
    return {k: (s[0].start, s[0].stop, s[1].start, s[1].stop) for k, s in found if s is not None}


def _contacts(image: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the border length in pixels between every two instances (4-neighbours), M×M (0 = none is left out)."""
    a = np.concatenate([image[:, :-1].ravel(), image[:-1].ravel()])
    b = np.concatenate([image[:, 1:].ravel(), image[1:].ravel()])
    border = (a != b) & (a > 0) & (b > 0)
    length = np.bincount(a[border] * count + b[border], minlength=count * count).reshape(count, count)
    return np.asarray(length + length.T)

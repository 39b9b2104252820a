"""Keyframes as the kernels take them: everything that is computed once a keyframe, stacked into arrays."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.config import GeometricConfig
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.geometric.edges import edge_map
from any3dis_ros.tracking.geometric.merge_tree import MergeTree, build_merge_tree
from any3dis_ros.tracking.geometric.reduction import reduced
from any3dis_ros.tracking.geometric.superpixels import adjacency, superpixels

REFERENCE_AREA = 320 * 240  # pixels of the frame at which areas in pixels were chosen
STABLE_M = 0.03  # measured depth farther than this from the smoothed surface is not lifted


class View(NamedTuple):
    """One prepared keyframe.

    Attributes:
        surface: h×w float32, metres, smoothed depth without holes: what a projected point is tested against.
        depth: h×w float32, metres, where it can be trusted, else 0: what is lifted to 3D.
        labels: h×w int32, superpixel of each pixel, in the order of the tree.
        pixels: h·w int32, flat pixel indices sorted by label.
        start: N+1 int32; pixels[start[l]:start[l + 1]] are those of label l.
        box: N×4 int32, first and last row, first and last column of each label.
        rim: N+1 int32; rim[l] pixels of the labels before l lie on the image's border.
        tree: merge tree over the superpixels.
        camera: intrinsics at tracking size.
        frame_shape: (H, W) of the keyframe.
    """

    surface: NDArray[np.float32]
    depth: NDArray[np.float32]
    labels: NDArray[np.int32]
    pixels: NDArray[np.int32]
    start: NDArray[np.int32]
    box: NDArray[np.int32]
    rim: NDArray[np.int32]
    tree: MergeTree
    camera: Camera
    frame_shape: tuple[int, int]


class Views(NamedTuple):
    """All prepared keyframes, padded to one size; T keyframes, h×w pixels, M nodes.

    Attributes:
        surface, depth: T×h×w float32, as in :class:`View`; 0 in the padding.
        labels: T×(h·w) uint16, uint32 where that is too small; flat indices always count in rows of w.
        pixels: T×(h·w) int32.
        start: T×(N+1) int32.
        box: T×N×4 int32, first and last row, first and last column of each superpixel.
        rim: T×(N+1) int32, pixels on the image's border of the superpixels before each.
        parent, first, end: T×M int32; height T×M float32; area T×M int32.
        nodes: T int32, nodes of each tree (0..nodes-1; the first (nodes + 1) / 2 are superpixels).
        size: T×2 int32, height and width of each view without padding.
        intrinsics: T×4 float64, fx fy cx cy at tracking size.
        T_map_camera, T_camera_map: T×4×4 float64.
    """

    surface: NDArray[np.float32]
    depth: NDArray[np.float32]
    labels: NDArray[np.unsignedinteger]
    pixels: NDArray[np.int32]
    start: NDArray[np.int32]
    box: NDArray[np.int32]
    rim: NDArray[np.int32]
    parent: NDArray[np.int32]
    first: NDArray[np.int32]
    end: NDArray[np.int32]
    height: NDArray[np.float32]
    area: NDArray[np.int32]
    nodes: NDArray[np.int32]
    size: NDArray[np.int32]
    intrinsics: NDArray[np.float64]
    T_map_camera: NDArray[np.float64]
    T_camera_map: NDArray[np.float64]


def prepare_view(frame: Frame, config: GeometricConfig) -> View:
    """Reduce a keyframe, find its edges and superpixels and build its merge tree."""
    small = reduced(frame, config.width_px, (config.noise_base_m, config.noise_quadratic))
    edges = edge_map(small, config)
    labels = superpixels(edges.strength, config.superpixel_px)
    area = np.bincount(labels.ravel())
    touching = adjacency(labels, edges.strength, edges.lab, config.color_contrast)
    cheap_area = config.cheap_area_px * labels.size / REFERENCE_AREA
    tree, new_label = build_merge_tree(touching, area, cheap_area)
    labels = new_label[labels]
    flat = labels.ravel()
    start = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=len(new_label)))]).astype(np.int32)
    trusted = np.abs(small.depth - edges.surface) < STABLE_M * np.maximum(edges.surface, 1.0)
    return View(
        surface=edges.surface,
        depth=np.where(trusted, small.depth, np.float32(0)),
        labels=labels,
        pixels=np.argsort(flat, kind="stable").astype(np.int32),
        start=start,
        box=_boxes(labels, len(new_label)),
        rim=_rim(labels, len(new_label)),
        tree=tree,
        camera=small.camera,
        frame_shape=(frame.depth.shape[0], frame.depth.shape[1]),
    )


@njit(cache=True, nogil=True)
def _boxes(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the first and last row, first and last column of each label; count×4 int32."""
    box = np.empty((count, 4), np.int32)
    box[:, 0::2] = 1 << 30
    box[:, 1::2] = -1
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            own = box[labels[r, c]]
            own[0], own[1] = min(own[0], r), max(own[1], r)
            own[2], own[3] = min(own[2], c), max(own[3], c)
    return box


def _rim(labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return how many pixels on the image's border the labels before each one have, count+1."""
    border = np.ones(labels.shape, bool)
    border[1:-1, 1:-1] = False
    own = np.bincount(labels[border], minlength=count)
    return np.concatenate([[0], np.cumsum(own)]).astype(np.int32)


def prepare_views(frames: Sequence[Frame], config: GeometricConfig, workers: int, progress: Progress) -> list[View]:
    """Prepare all keyframes in parallel; `progress` is told of stage 'features' and may cancel between two of them."""
    views: list[View] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for view in pool.map(lambda f: prepare_view(f, config), frames):
                views.append(view)
                progress("features", len(views), len(frames))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return views


def stacked(views: Sequence[View], frames: Sequence[Frame]) -> Views:
    """Stack prepared keyframes, padded to the largest."""
    T = len(views)
    h = max((v.labels.shape[0] for v in views), default=1)
    w = max((v.labels.shape[1] for v in views), default=1)
    M = max((len(v.tree.parent) for v in views), default=1)
    N = max((len(v.start) for v in views), default=2)
    out = Views(
        surface=np.zeros((T, h, w), np.float32),
        depth=np.zeros((T, h, w), np.float32),
        labels=np.zeros((T, h * w), np.promote_types(np.uint16, np.min_scalar_type(N - 2))),  # half the bytes to fetch
        pixels=np.zeros((T, h * w), np.int32),
        start=np.zeros((T, N), np.int32),
        box=np.zeros((T, N - 1, 4), np.int32),
        rim=np.zeros((T, N), np.int32),
        parent=np.full((T, M), -1, np.int32),
        first=np.zeros((T, M), np.int32),
        end=np.zeros((T, M), np.int32),
        height=np.zeros((T, M), np.float32),
        area=np.zeros((T, M), np.int32),
        nodes=np.array([len(v.tree.parent) for v in views], np.int32),
        size=np.array([v.labels.shape for v in views], np.int32).reshape(T, 2),
        intrinsics=np.array(
            [(v.camera.K[0, 0], v.camera.K[1, 1], v.camera.K[0, 2], v.camera.K[1, 2]) for v in views], np.float64
        ).reshape(T, 4),
        T_map_camera=np.array([f.T_map_camera for f in frames], np.float64).reshape(T, 4, 4),
        T_camera_map=np.array([f.T_camera_map for f in frames], np.float64).reshape(T, 4, 4),
    )
    for t, v in enumerate(views):
        hv, wv = v.labels.shape
        m = len(v.tree.parent)
        out.surface[t, :hv, :wv] = v.surface
        out.depth[t, :hv, :wv] = v.depth
        out.labels[t].reshape(h, w)[:hv, :wv] = v.labels
        out.pixels[t, : hv * wv] = v.pixels // wv * w + v.pixels % wv
        out.start[t, : len(v.start)] = v.start
        out.box[t, : len(v.box)] = v.box
        out.rim[t, : len(v.rim)] = v.rim
        out.start[t, len(v.start) :] = v.start[-1]
        out.parent[t, :m], out.height[t, :m], out.area[t, :m] = v.tree.parent, v.tree.height, v.tree.area
        out.first[t, :m], out.end[t, :m] = v.tree.first, v.tree.end
    return out

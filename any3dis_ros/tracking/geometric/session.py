"""The session: objects by handle, tracks computed in parallel and handed out in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import GeometricConfig
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.tracking.base import PointPrompt, PromptedObject, PromptPolicy, Track, TrackRequest
from any3dis_ros.tracking.geometric.evidence import FollowParams, Workspace, new_workspace
from any3dis_ros.tracking.geometric.following import ABSTAINED, FOUND, follow
from any3dis_ros.tracking.geometric.prompting import candidates
from any3dis_ros.tracking.geometric.views import REFERENCE_AREA, prepare_views, stacked
from any3dis_ros.tracking.masks import Mask, PackedMask

IN_FLIGHT = 4  # tracks begun ahead of the one being handed out, per worker


class GeometricTracker:
    """Promptable masks and tracks from depth edges and known poses alone: no network, no GPU."""

    name = "geometric"

    def __init__(self, config: GeometricConfig) -> None:
        self._config = config
        self.policy = PromptPolicy(
            config.pivot_views,
            config.masks_per_prompt,
            config.min_score,
            config.seeds_per_round,
            learnt_objectness=True,
        )

    def warm_up(self) -> None:
        """Do nothing: kernels are compiled, or loaded, with the first keyframes (:mod:`any3dis_ros.rehearsal`)."""

    def open(self, frames: Sequence[Frame], progress: Progress = silent) -> GeometricSession:
        """Prepare the keyframes (edges, superpixels, merge trees) and return a session over them."""
        return GeometricSession(frames, self._config, progress)


class GeometricSession:
    """Objects being followed through the keyframes of one scene; not thread-safe, though it uses threads."""

    def __init__(self, frames: Sequence[Frame], config: GeometricConfig, progress: Progress = silent) -> None:
        self._config = config
        self._workers = max(os.cpu_count() or 1, 1)
        prepared = prepare_views(frames, config, self._workers, progress)
        self._frame_shapes = [v.frame_shape for v in prepared]
        self._sizes = [(v.labels.shape[0], v.labels.shape[1]) for v in prepared]
        self._views = stacked(prepared, frames)
        self._pool = ThreadPoolExecutor(self._workers)
        self._workspaces: SimpleQueue[Workspace] = SimpleQueue()
        for _ in range(self._workers):
            self._workspaces.put(new_workspace(self._views))

    def prompt(self, prompts: Sequence[PointPrompt], masks_per_prompt: int) -> list[list[PromptedObject]]:
        """Segment each prompt in its own frame: nested candidates, best first; the same mask has the same handle."""
        masks: dict[int, Mask] = {}
        out: list[list[PromptedObject]] = []
        for prompt in prompts:
            points = self._at_tracking_size(prompt)
            found = candidates(self._views, prompt.frame, points, prompt.labels, masks_per_prompt, self._config)
            born = []
            for node, score in found:
                handle = self._handle(prompt.frame, node)
                if handle not in masks:
                    masks[handle] = self._node_mask(prompt.frame, node)
                born.append(PromptedObject(handle, prompt.frame, score, masks[handle]))
            out.append(born)
        return out

    def track(self, requests: Iterable[TrackRequest]) -> Iterator[Track]:
        """Follow the objects; one Track a request, in the order of the requests, a bounded number ahead."""
        running: deque[Future[Track]] = deque()
        try:
            for request in requests:
                running.append(self._pool.submit(self._follow, request))
                if len(running) >= IN_FLIGHT * self._workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()

    def drop(self, object_ids: Iterable[int]) -> None:
        """Do nothing: a handle names a node of a view's tree, and no more is kept of an object."""

    def close(self) -> None:
        """Stop the workers."""
        self._pool.shutdown(cancel_futures=True)

    def statistics(self) -> dict[str, object]:
        """Return nothing: the stages of the pipeline time it well enough."""
        return {}

    def _handle(self, frame: int, node: int) -> int:
        return frame * self._views.parent.shape[1] + node

    def _at_tracking_size(self, prompt: PointPrompt) -> NDArray[np.int32]:
        """Return the prompt's points as (row, column) at tracking size, moved into the image where they lie outside."""
        H, W = self._frame_shapes[prompt.frame]
        h, w = self._sizes[prompt.frame]
        u = np.clip(np.floor((prompt.points[:, 0] + 0.5) * w / W), 0, w - 1)
        v = np.clip(np.floor((prompt.points[:, 1] + 0.5) * h / H), 0, h - 1)
        return np.stack([v, u], 1).astype(np.int32)

    def _node_mask(self, t: int, node: int) -> PackedMask:
        first, end = int(self._views.first[t, node]), int(self._views.end[t, node])
        boxes = self._views.box[t, first:end]
        (r0, c0), (r1, c1) = boxes[:, 0::2].min(0).tolist(), boxes[:, 1::2].max(0).tolist()
        labels = self._views.labels[t].reshape(self._views.surface.shape[1:])[r0 : r1 + 1, c0 : c1 + 1]
        bits = np.packbits((labels >= first) & (labels < end))
        return PackedMask(self._frame_shapes[t], self._sizes[t], (r0, c0), (labels.shape[0], labels.shape[1]), bits)

    def _follow(self, request: TrackRequest) -> Track:
        pivot, node = divmod(request.object_id, self._views.parent.shape[1])
        if not (0 <= pivot < len(self._views.nodes) and node < self._views.nodes[pivot]):
            raise InputError(f"object {request.object_id} is unknown to this session; track what prompt() returned")
        row = self._views.surface.shape[2]
        frames = np.array(request.frames, np.int32)
        start = np.zeros(len(frames) + 1, np.int32)
        clicks: list[NDArray[np.int32]] = []
        on: list[NDArray[np.bool_]] = []
        for i, t in enumerate(request.frames):
            correction = request.corrections.get(t)
            if correction is not None and (correction.labels > 0).any():
                points = self._at_tracking_size(correction)
                clicks.append(points[:, 0] * row + points[:, 1])
                on.append(correction.labels > 0)
                start[i + 1] = len(points)
        np.cumsum(start, out=start)
        work = self._workspaces.get()
        try:
            status, boxes, bits, offset = follow(
                self._views,
                work,
                pivot,
                node,
                frames,
                start,
                np.concatenate([np.zeros(0, np.int32), *clicks]),
                np.concatenate([np.zeros(0, bool), *on]),
                self._params(),
            )
        finally:
            self._workspaces.put(work)
        masks: dict[int, Mask] = {}
        box, begin = boxes.tolist(), offset.tolist()
        for i in np.flatnonzero(status == FOUND).tolist():
            t, (r0, r1, c0, c1) = request.frames[i], box[i]
            shape, own = (r1 - r0 + 1, c1 - c0 + 1), bits[begin[i] : begin[i + 1]].copy()
            masks[t] = PackedMask(self._frame_shapes[t], self._sizes[t], (r0, c0), shape, own)
        return Track(request.object_id, masks, frozenset(int(t) for t in frames[status == ABSTAINED]))

    def _params(self) -> FollowParams:
        c = self._config
        scale = self._views.labels.shape[1] / REFERENCE_AREA
        return FollowParams(
            c.noise_base_m,
            c.noise_quadratic,
            c.tolerance_sigmas,
            c.tolerance_m,
            c.accept_agreement,
            c.learn_agreement,
            c.abstain_agreement,
            c.unseen_cost,
            c.contrast_say,
            c.plausible_share,
            c.margin_share,
            c.min_pixels * scale,
            c.min_in_view_share,
        )

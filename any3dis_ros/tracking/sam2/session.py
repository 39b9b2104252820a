"""Objects of one scene: born of prompts, followed in batches, forgotten when dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from any3dis_ros.config import Sam2Config
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Clock, Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.tracking.base import PointPrompt, PromptedObject, Track, TrackRequest
from any3dis_ros.tracking.masks import Mask
from any3dis_ros.tracking.sam2.features import FeatureStore
from any3dis_ros.tracking.sam2.known_masks import KnownMasks
from any3dis_ros.tracking.sam2.masks import kept_masks
from any3dis_ros.tracking.sam2.memory import Impression, ObjectMemory, Recall
from any3dis_ros.tracking.sam2.network import Features, Network
from any3dis_ros.tracking.sam2.shortage import Frugal


@dataclass(eq=False)
class _Walk:
    """One request under way."""

    request: TrackRequest
    memory: ObjectMemory
    masks: dict[int, Mask] = field(default_factory=dict)
    abstained: set[int] = field(default_factory=set)

    @property
    def steps(self) -> int:
        """Keyframes visited so far."""
        return self.memory.position - 1

    @property
    def ended(self) -> bool:
        return self.steps == len(self.request.frames)

    @property
    def frame(self) -> int:
        """The keyframe to be visited next."""
        return self.request.frames[self.steps]

    @property
    def clicks(self) -> int:
        """Points that correct the mask there."""
        correction = self.request.corrections.get(self.frame)
        return 0 if correction is None else len(correction.points)


class Sam2Session:
    """SAM 2 over the keyframes of one scene; not thread-safe.

    Args:
        frames: the keyframes.
        network: the loaded model.
        config: batch size and bounds.
        progress: called between batches, so that a run can be cancelled.
    """

    def __init__(
        self, frames: Sequence[Frame], network: Network, config: Sam2Config, progress: Progress = silent
    ) -> None:
        self._frames = frames
        self._network = network
        self._progress = progress
        self._at = ("prompting", 0, 1)
        self._clock = Clock()
        self._objects: dict[int, tuple[int, Impression]] = {}
        self._handles = count()
        self._min_score = config.min_score
        self._known = KnownMasks(config.same_mask_iou)
        self._prompted = self._followed = self._batches = 0
        near, far = config.features_device_mb, config.features_host_mb
        if network.device.type == "cpu":  # one memory: nothing is gained by a first tier
            near, far = 0.0, near + far
        self._features = FeatureStore(self._encode, network.device, near, far)
        self._frugal = Frugal(config.batch_size, self._features, self._describe)
        self._in_flight = 2 * config.batch_size  # enough to fill batches while walks of unequal length end

    def prompt(self, prompts: Sequence[PointPrompt], masks_per_prompt: int) -> list[list[PromptedObject]]:  # noqa: ARG002
        """Segment each prompt in its own keyframe; one object each whatever is asked for, none where SAM 2 sees none.

        The score is SAM 2's predicted IoU. The mask is what tracking starts from, remembered as the official predictor
        remembers a prompted one. (Several points leave SAM 2 no ambiguity: it makes one mask of them, not three.)
        Prompts that give the same mask of a keyframe (`same_mask_iou`) share the object of the first whose score
        reaches `min_score`, dropped or not.

        Raises:
            InputError: a prompt without points, or of a keyframe that is not there.
        """
        for prompt in prompts:
            if not 0 <= prompt.frame < len(self._frames) or not len(prompt.points):
                raise InputError(
                    f"a prompt has {len(prompt.points)} points in keyframe {prompt.frame}; "
                    f"expected at least one, and a keyframe of {len(self._frames)}"
                )
        found: dict[int, list[PromptedObject]] = {}
        todo = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].points), prompts[i].frame))
        with self._clock("prompting"):
            while todo:
                self._report("prompting", len(found), len(prompts))
                same = [i for i in todo if len(prompts[i].points) == len(prompts[todo[0]].points)]
                batch = same[: self._frugal.batch_size]
                born = self._frugal.attempt(self._prompt_batch, [prompts[i] for i in batch])
                if born is not None:
                    found.update(zip(batch, born, strict=True))
                    todo = todo[len(batch) :]
            self._report("prompting", len(prompts), len(prompts))
        self._prompted += len(prompts)
        return [found[i] for i in range(len(prompts))]

    def track(self, requests: Iterable[TrackRequest]) -> Iterator[Track]:
        """Follow the objects; one Track a request, in order; a bounded number of requests is under way.

        Raises:
            InputError: a handle that `prompt` did not return, or that was dropped.
        """
        stream = iter(requests)
        while wave := [self._walk(request) for request in islice(stream, self._in_flight)]:
            with self._clock("following"):
                self._follow(wave)
            for walk in wave:
                yield Track(walk.request.object_id, walk.masks, frozenset(walk.abstained))

    def drop(self, object_ids: Iterable[int]) -> None:
        """Forget objects; unknown handles are ignored."""
        for handle in object_ids:
            self._objects.pop(handle, None)

    def close(self) -> None:
        """Forget everything."""
        self._objects.clear()
        self._known.clear()
        self._features.clear()

    def statistics(self) -> dict[str, object]:
        """Return encoder calls, the work done, the batch size that memory allowed, and seconds by stage."""
        return {
            "encoder_calls": self._features.calls,
            "prompts": self._prompted,
            "object_frames": self._followed,
            "batches": self._batches,
            "batch_size": self._frugal.batch_size,
            "seconds": dict(self._clock.seconds),
        }

    def _encode(self, t: int) -> Features:
        self._progress(*self._at)  # encoding keyframes is most of a first batch's time
        with self._clock("encoding"):
            features = self._network.encode(self._frames[t].color)
            if features[0].is_cuda:
                torch.cuda.synchronize()  # else its time would count as that of the first batch
        return features

    def _report(self, stage: str, done: int, total: int) -> None:
        self._at = (stage, done, total)
        self._progress(*self._at)

    def _prompt_batch(self, prompts: Sequence[PointPrompt]) -> list[list[PromptedObject]]:
        points, labels = self._clicks(prompts)
        features = self._features.gather([prompt.frame for prompt in prompts])
        answer = self._network.prompt(features, points, labels)
        kept = kept_masks(answer.logits, answer.present, [self._shape(prompt.frame) for prompt in prompts])
        out: list[list[PromptedObject]] = []
        for prompt, (_, mask), iou, impression in zip(
            prompts, kept, answer.iou.tolist(), answer.impressions, strict=True
        ):
            if mask is None:
                out.append([])
                continue
            handle, score = self._known.find(prompt.frame, mask.logits) or (None, float(np.clip(iou, 0, 1)))
            if handle is None:
                handle = next(self._handles)
                self._objects[handle] = (prompt.frame, impression)
                if score >= self._min_score:
                    self._known.add(prompt.frame, mask.logits, handle, score)
            out.append([PromptedObject(handle, prompt.frame, score, mask)])
        self._batches += 1
        return out

    def _walk(self, request: TrackRequest) -> _Walk:
        if request.object_id not in self._objects:
            raise InputError(f"object {request.object_id} is unknown to this session: never prompted, or dropped")
        _, pivot = self._objects[request.object_id]
        return _Walk(request, ObjectMemory.of_pivot(pivot, self._network.limits(len(self._frames))))

    def _follow(self, wave: Sequence[_Walk]) -> None:
        """Take all walks to their ends, the ones that are behind first, so that they share batches with the others."""
        under_way = [walk for walk in wave if not walk.ended]
        total = sum(len(walk.request.frames) for walk in under_way)
        while under_way:
            self._report("following", total - sum(len(w.request.frames) - w.steps for w in under_way), total)
            under_way.sort(key=lambda walk: (walk.steps, walk.frame))
            recalls = {walk: walk.memory.recall() for walk in under_way}
            shape = (recalls[under_way[0]].length, under_way[0].clicks)
            alike = [w for w in under_way if (recalls[w].length, w.clicks) == shape]
            batch = [(walk, recalls[walk]) for walk in alike[: self._frugal.batch_size]]
            self._frugal.attempt(self._step, batch)
            under_way = [walk for walk in under_way if not walk.ended]

    def _step(self, batch: Sequence[tuple[_Walk, Recall]]) -> None:
        """Visit the next keyframe of each walk."""
        walks = [walk for walk, _ in batch]
        points = labels = None
        if walks[0].clicks:
            points, labels = self._clicks([walk.request.corrections[walk.frame] for walk in walks])
        features = self._features.gather([walk.frame for walk in walks])
        recalls = [recall for _, recall in batch]
        answer = self._network.follow(features, recalls, len(self._frames), points, labels)
        kept = kept_masks(answer.logits, answer.present, [self._shape(walk.frame) for walk in walks])
        for walk, (there, mask), impression in zip(walks, kept, answer.impressions, strict=True):
            if mask is not None:
                walk.masks[walk.frame] = mask
            if not there:
                walk.abstained.add(walk.frame)
            walk.memory.keep(impression, prompted=points is not None)
        self._followed += len(walks)
        self._batches += 1

    def _clicks(self, prompts: Sequence[PointPrompt]) -> tuple[Tensor, Tensor]:
        """Return points, B×M×2 in pixels of the square that the network sees, and labels, B×M, on its device."""
        extent = torch.tensor([self._shape(p.frame)[::-1] for p in prompts], dtype=torch.float32)[:, None]
        points = torch.from_numpy(np.stack([p.points for p in prompts]).astype(np.float32))
        labels = torch.from_numpy(np.stack([p.labels for p in prompts]).astype(np.int32))
        device = self._network.device
        return (points / extent * self._network.image_size).to(device), labels.to(device)

    def _shape(self, t: int) -> tuple[int, int]:
        camera = self._frames[t].camera
        return camera.height, camera.width

    def _describe(self) -> str:
        near, far = self._features.mb
        size = self._network.image_size
        return (
            f"one object at {size}×{size} pixels on {self._network.device}, {len(self._objects)} objects remembered, "
            f"{near:.0f} MB of keyframe features on the device and {far:.0f} MB in main memory"
        )

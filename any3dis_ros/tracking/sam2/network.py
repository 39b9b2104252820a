"""SAM 2's modules, called for a batch of objects at once; each may be in another keyframe.

The official predictor runs one object at a time. All that it does is independent along the batch, so objects whose
memories have the same length give the same masks together as alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sam2.modeling.sam2_utils import get_1d_sine_pe
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from any3dis_ros.tracking.sam2.attention import narrow_values
from any3dis_ros.tracking.sam2.memory import Impression, Limits, Recall
from any3dis_ros.tracking.sam2.model import PROMPTED_FRAMES

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, which SAM 2 was trained with
_STD = (0.229, 0.224, 0.225)
_CLAMP = 32.0  # logits fed back with a correcting point, as the official predictor clamps them

Features = tuple[Tensor, ...]  # of one keyframe, finest first, each 1×C×h×w


class Answer(NamedTuple):
    """What the network says of B objects.

    Attributes:
        logits: B×h×w float32 (h = w = image size / 4); -1024 everywhere where the object is absent.
        iou: B float32, predicted IoU, 0-1.
        present: B float32, object score logits; the object is in the keyframe where positive.
        impressions: what each leaves in its object's memory.
    """

    logits: Tensor
    iou: Tensor
    present: Tensor
    impressions: list[Impression]


class Network:
    """A loaded model with its device and precision; holds no state of any scene.

    Args:
        model: the official predictor in evaluation mode.
        precision: float32, or bfloat16 by autocast.
        compiled: run the heavy modules through torch.compile, with batches padded to powers of two.
    """

    def __init__(self, model: SAM2VideoPredictor, precision: torch.dtype, compiled: bool = False) -> None:
        self._model = model
        self._precision = precision
        self._padded = compiled
        self._mean = torch.tensor(_MEAN, device=model.device)[:, None, None]
        self._std = torch.tensor(_STD, device=model.device)[:, None, None]
        self._image_position: Tensor | None = None  # hw×1×C, the same for every keyframe
        self._memory_position: Tensor | None = None  # hw×1×64, likewise
        if model.device.type == "cpu":
            narrow_values(model)
        if compiled:
            self._compile()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._model.device

    @property
    def image_size(self) -> int:
        """Side of the square that the network sees, pixels."""
        return int(self._model.image_size)

    def limits(self, keyframes: int) -> Limits:
        """Return how far back objects look in a scene of so many keyframes."""
        model = self._model
        return Limits(model.num_maskmem, min(keyframes, model.max_obj_ptrs_in_encoder), PROMPTED_FRAMES)

    def encode(self, color: NDArray[np.uint8]) -> Features:
        """Return the features of a keyframe (H×W×3 uint8, RGB), in the engine's precision."""
        size = self.image_size
        square = torch.from_numpy(np.array(Image.fromarray(color).resize((size, size))))
        with self._running():
            image = square.to(self.device).permute(2, 0, 1).float() / 255  # a quarter of the bytes to bring there
            encoded = self._model.forward_image(((image - self._mean) / self._std)[None])
            _, levels, positions, shapes = self._model._prepare_backbone_features(encoded)
            if self._image_position is None:
                self._image_position = positions[-1].clone()
            maps = [x.permute(1, 2, 0).reshape(1, -1, *shape) for x, shape in zip(levels, shapes, strict=True)]
            return tuple(x.to(self._precision).contiguous() for x in maps)

    def prompt(self, features: Sequence[Features], points: Tensor, labels: Tensor) -> Answer:
        """Segment B objects by points, each in its own keyframe, with no memory.

        Args:
            features: B, of each one's keyframe.
            points: B×M×2 float32, (u, v) pixels of the square that the network sees.
            labels: B×M int32, 1 on the object, 0 off it.
        """
        order = self._order(len(features))
        with self._running():
            stacked = self._stack([features[i] for i in order])
            tokens = stacked[-1].flatten(2).permute(2, 0, 1) + self._model.no_mem_embed
            embedded = tokens.permute(1, 2, 0).view_as(stacked[-1])
            clicks = {"point_coords": points[order], "point_labels": labels[order]}
            multiple = self._model._use_multimask(True, clicks)
            answer = self._segment(embedded, stacked, clicks, None, multiple)
        return Answer(*(x[: len(features)] for x in answer))

    def follow(
        self,
        features: Sequence[Features],
        recalls: Sequence[Recall],
        keyframes: int,
        points: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Answer:
        """Segment B objects by what they remember, each in its own keyframe.

        Args:
            features: B, of each one's keyframe.
            recalls: B, all of the same length.
            keyframes: of the scene; scales the clock of the pointers as the official predictor does.
            points: B×M×2, as for `prompt`, where they correct what memory alone gives.
            labels: B×M, with them.
        """
        order = self._order(len(features))
        with self._running():
            stacked = self._stack([features[i] for i in order])
            memory, position, pointer_tokens = self._tokens([recalls[i] for i in order], keyframes)
            current = stacked[-1].flatten(2).permute(2, 0, 1)
            assert self._image_position is not None
            attended = self._model.memory_attention(
                curr=current,
                curr_pos=self._image_position.expand_as(current),
                memory=memory,
                memory_pos=position,
                num_obj_ptr_tokens=pointer_tokens,
            )
            embedded = attended.permute(1, 2, 0).reshape(stacked[-1].shape)
            answer = self._segment(embedded, stacked, None, None, self._model._use_multimask(False, None))
            if points is not None and labels is not None:
                clicks = {"point_coords": points[order], "point_labels": labels[order]}
                before = answer.logits[:, None].clamp(-_CLAMP, _CLAMP)
                multiple = self._model._use_multimask(False, clicks)
                answer = self._segment(embedded, stacked, clicks, before, multiple)
        return Answer(*(x[: len(features)] for x in answer))

    def _segment(
        self,
        embedded: Tensor,
        stacked: Features,
        clicks: dict[str, Tensor] | None,
        before: Tensor | None,
        multiple: bool,
    ) -> Answer:
        """Decode masks and encode what is remembered of them: of prompted ones the mask itself, 0 or 1."""
        _, _, ious, low, high, pointer, present = self._model._forward_sam_heads(
            backbone_features=embedded,
            point_inputs=clicks,
            mask_inputs=before,
            high_res_features=list(stacked[:-1]),
            multimask_output=multiple,
        )
        tokens = stacked[-1].flatten(2).permute(2, 0, 1)
        memory, position = self._model._encode_new_memory(
            [tokens], [stacked[-1].shape[-2:]], high, present, is_mask_from_pts=clicks is not None
        )
        if self._memory_position is None:
            self._memory_position = position[-1][:1].flatten(2).permute(2, 0, 1).clone()
        impressions = [  # copies: a view of the batch would keep all of it alive as long as one object remembers it
            Impression(m.clone(), p.clone()) for m, p in zip(memory.bfloat16(), pointer, strict=True)
        ]
        return Answer(low[:, 0], ious.amax(1).float(), present[:, 0].float(), impressions)

    def _tokens(self, recalls: Sequence[Recall], keyframes: int) -> tuple[Tensor, Tensor, int]:
        """Return memory tokens, their positions (both N×B×64), and how many of them are pointers (the last ones)."""
        model, B = self._model, len(recalls)
        S, P = recalls[0].length
        memories = torch.stack([memory for recall in recalls for _, memory in recall.memories])
        width, area = memories.shape[1], memories[0, 0].numel()
        memory = memories.flatten(2).view(B, S, width, area).permute(1, 3, 0, 2).reshape(S * area, B, width)
        slots = torch.tensor([[slot for slot, _ in recall.memories] for recall in recalls], device=self.device)
        in_time = model.maskmem_tpos_enc[model.num_maskmem - 1 - slots]  # B×S×1×1×width
        assert self._memory_position is not None
        position = self._memory_position + in_time.view(B, S, width).transpose(0, 1)[:, None]  # S×area×B×width
        position = position.reshape(S * area, B, width)

        pointers = torch.stack([pointer for recall in recalls for _, pointer in recall.pointers]).view(B, P, -1)
        parts = pointers.shape[2] // width  # a pointer is as wide as several tokens
        pointer_tokens = pointers.view(B, P, parts, width).permute(1, 2, 0, 3).reshape(P * parts, B, width)
        distance = torch.tensor([[d for d, _ in recall.pointers] for recall in recalls], device=self.device)
        clock = get_1d_sine_pe(distance / (self.limits(keyframes).pointers - 1), dim=pointers.shape[2])
        pointer_position = model.obj_ptr_tpos_proj(clock).transpose(0, 1).repeat_interleave(parts, 0)
        return torch.cat([memory, pointer_tokens]), torch.cat([position, pointer_position]), P * parts

    def _stack(self, features: Sequence[Features]) -> Features:
        """Return the features as one batch; no copy is made where all are of one keyframe."""
        if all(f[0] is features[0][0] for f in features):
            return tuple(level.expand(len(features), -1, -1, -1) for level in features[0])
        return tuple(torch.cat(levels) for levels in zip(*features, strict=True))

    def _order(self, count: int) -> list[int]:
        """Return which objects to run: all, the last again until the batch is of a size that is compiled for."""
        padded = 1 << (count - 1).bit_length() if self._padded else count
        return [*range(count), *[count - 1] * (padded - count)]

    @contextmanager
    def _running(self) -> Iterator[None]:
        """No gradients, and autocast where the precision is not float32."""
        mixed = self._precision != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self._precision, enabled=mixed):
            yield

    def _compile(self) -> None:
        """Compile what takes the time. Memories vary in length, so their attention is compiled once for all lengths."""
        model = self._model
        for module, dynamic in (
            (model.image_encoder, False),
            (model.memory_attention, True),
            (model.memory_encoder, False),
            (model.sam_mask_decoder, False),
        ):
            module.forward = torch.compile(module.forward, dynamic=dynamic)

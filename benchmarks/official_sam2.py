"""SAM 2's official video predictor as it comes, one session per object and direction: what ours is held against.

Needs no published weights: `random_checkpoint` writes seeded ones, which the network treats like any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sam2 import sam2_video_predictor
from sam2.build_sam import build_sam2_video_predictor
from sam2.sam2_video_predictor import SAM2VideoPredictor
from sam2.utils import misc
from torch import Tensor

CONFIGURATIONS = {
    "tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "small": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "large": "configs/sam2.1/sam2.1_hiera_l.yaml",
}

_GAINS = {
    "maskmem_tpos_enc": 20.0,
    "obj_ptr_tpos_proj": 3.0,
    "memory_attention": 1.75,
    "memory_encoder.out_proj": 3.0,
    "output_hypernetworks_mlps": 1.5,
    "pred_obj_score_head": 2.5,
    "iou_prediction_head": 2.5,
    "obj_ptr_proj": 2.5,
}


def random_checkpoint(path: Path, model: str = "tiny", seed: int = 4, presence: float = 100.0) -> Path:
    """Write a checkpoint of seeded random weights, in the form in which Meta publishes them.

    As PyTorch initialises them, memory hardly moves a mask. They are scaled until it does: memories one slot off move
    the logits (1 at most) by 0.13, object pointers one keyframe off by 0.003. They are drawn by NumPy, so that they
    do not hang on how a version of PyTorch initialises.

    Args:
        path: of the file.
        model: which of SAM 2.1's.
        seed: of all weights; with 4, the tiny model's object scores are higher at prompts than in tracking.
        presence: added to the object scores. With 100, objects are always there; with 2.34 the tiny model's are there
            at 256 pixels when prompted, and come and go afterwards, by a margin of over 0.01.
    """
    network = build_sam2_video_predictor(CONFIGURATIONS[model], None, device="cpu")
    looked_up = {f"{name}.weight" for name, m in network.named_modules() if isinstance(m, torch.nn.Embedding)}
    state = network.state_dict()
    rng = np.random.default_rng(seed)
    for name, weights in state.items():
        if weights.ndim > 1:
            of_one = name in looked_up or name.endswith("gaussian_matrix")
            spread = 1.0 if of_one else (3 * weights[0].numel()) ** -0.5
            gain = next((gain for part, gain in _GAINS.items() if part in name), 1.0)
            weights.copy_(torch.from_numpy(rng.standard_normal(weights.shape, np.float32)) * (gain * spread))
        elif name.endswith("bias"):
            weights.zero_()
    state["sam_mask_decoder.pred_obj_score_head.layers.2.bias"].add_(presence)
    torch.save({"model": state}, path)
    return path


def official_predictor(checkpoint: Path, model: str, image_size: int, device: str) -> SAM2VideoPredictor:
    """Load the official predictor; corrected frames are kept as prompted ones, or a correction would be lost."""
    overrides = [
        f"++model.image_size={image_size}",
        "++model.add_all_frames_to_correct_as_cond=true",
        "++model.max_cond_frames_in_attn=4",
    ]
    predictor = build_sam2_video_predictor(
        CONFIGURATIONS[model], str(checkpoint), device=device, hydra_overrides_extra=overrides
    )
    predictor.fill_hole_area = 0  # needs the package's CUDA extension; touches what is shown, not what is remembered
    return predictor


def save_images(images: Sequence[NDArray[np.uint8]], folder: Path) -> Path:
    """Write images (H×W×3 uint8, RGB) as the official predictor reads them: names of JPEGs, but nothing is lost."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:05d}.jpg", format="png")
    return folder


def follow_alone(
    predictor: SAM2VideoPredictor,
    folder: Path,
    pivot: int,
    points: NDArray[np.float32],
    reverse: bool,
    corrections: Mapping[int, NDArray[np.float32]] | None = None,
) -> dict[int, Tensor]:
    """Follow one object in one direction in a session of its own.

    Args:
        predictor: see :func:`official_predictor`.
        folder: images, see :func:`save_images`.
        pivot: the image prompted.
        points: M×2, pixels of the images, on the object.
        reverse: towards the first image.
        corrections: points by image, given one after the other, each once the object has been followed with the ones
            before; it is followed on from there.

    Returns:
        Low-resolution logits, h×w, by image, the pivot's among them.
    """
    with quiet():
        state = predictor.init_state(str(folder), offload_video_to_cpu=True)
        _click(predictor, state, pivot, points)
        found = _propagate(predictor, state, pivot, reverse)
        for t, extra in sorted((corrections or {}).items(), reverse=reverse):
            _click(predictor, state, t, extra)
            found.update(_propagate(predictor, state, t, reverse))
    return found


def _click(predictor: SAM2VideoPredictor, state: dict, t: int, points: NDArray[np.float32]) -> None:
    predictor.add_new_points_or_box(state, t, 0, points=points, labels=np.ones(len(points), np.int32))


def _propagate(predictor: SAM2VideoPredictor, state: dict, start: int, reverse: bool) -> dict[int, Tensor]:
    found = {}
    outputs = state["output_dict_per_obj"]
    if reverse and start == 0:  # the predictor yields nothing then
        predictor.propagate_in_video_preflight(state)
        return {0: outputs[0]["cond_frame_outputs"][0]["pred_masks"][0, 0]}
    for t, _, _ in predictor.propagate_in_video(state, start_frame_idx=start, reverse=reverse):
        out = outputs[0]["cond_frame_outputs"].get(t) or outputs[0]["non_cond_frame_outputs"][t]
        found[t] = out["pred_masks"][0, 0]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the predictor's own progress bars off the terminal."""
    modules = (sam2_video_predictor, misc)
    bars = [module.tqdm for module in modules]
    for module in modules:
        module.tqdm = lambda items, **_: items
    try:
        yield
    finally:
        for module, bar in zip(modules, bars, strict=True):
            module.tqdm = bar

"""From a checkpoint to a network in memory; which model of SAM 2.1 it is, is read from its weights."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from sam2.build_sam import build_sam2_video_predictor
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from any3dis_ros.config import Sam2Config
from any3dis_ros.errors import InputError

PROMPTED_FRAMES = 4  # prompted frames attended to, at most; bounds the attention where objects reappear often

_CONFIGURATIONS = {  # (width of the first stage, blocks of the trunk) → the package's own configuration
    (96, 12): "configs/sam2.1/sam2.1_hiera_t.yaml",
    (96, 16): "configs/sam2.1/sam2.1_hiera_s.yaml",
    (112, 24): "configs/sam2.1/sam2.1_hiera_b+.yaml",
    (144, 48): "configs/sam2.1/sam2.1_hiera_l.yaml",
}


def load_model(checkpoint: Path, config: Sam2Config, device: torch.device) -> SAM2VideoPredictor:
    """Return the official predictor with the checkpoint's weights, on `device`, in evaluation mode.

    Args:
        checkpoint: file of {"model": state}, as Meta publishes it.
        config: `image_size`.
        device: where to.

    Raises:
        InputError: an image size that does not fit, a file that is no SAM 2.1 checkpoint, or too little memory for it.
    """
    if config.image_size % 32:
        raise InputError(
            f"tracker.sam2.image_size is {config.image_size}; expected a multiple of 32, "
            f"e.g. {config.image_size // 32 * 32}"
        )
    state = read_state(checkpoint)
    name = configuration(state, checkpoint)
    overrides = [
        f"++model.image_size={config.image_size}",
        f"++model.max_cond_frames_in_attn={PROMPTED_FRAMES}",
    ]
    model = build_sam2_video_predictor(name, None, device="cpu", hydra_overrides_extra=overrides)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{checkpoint} does not fit {name}: {_first_line(error)}; download it again") from error
    try:
        model.to(device)
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{device} has no room for the weights of {checkpoint.name}; take a smaller model, or set "
            "tracker.sam2.device to cpu"
        ) from error
    model.requires_grad_(False)
    return model


def read_state(checkpoint: Path) -> dict[str, Tensor]:
    """Return the weights by name; the file is only data to us, no code of it is run.

    Raises:
        InputError: what cannot be read as a checkpoint.
    """
    try:
        mapped = zipfile.is_zipfile(checkpoint)  # as PyTorch writes since 1.6; then nothing is held twice
        content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=mapped)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        unsafe = isinstance(error, pickle.UnpicklingError)  # PyTorch's own text advises to run what is in there
        reason = "it holds something else than weights" if unsafe else _first_line(error)
        raise InputError(
            f"{checkpoint} is no readable PyTorch checkpoint ({reason}); "
            "download it again with `any3dis download-checkpoint`"
        ) from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise InputError(f"{checkpoint} holds no 'model'; expected a checkpoint of SAM 2.1 as Meta publishes it")
    return state


def configuration(state: dict[str, Tensor], checkpoint: Path) -> str:
    """Return the configuration of the sam2 package that fits the weights.

    Raises:
        InputError: weights of SAM 2.0 or of another network.
    """
    stem = state.get("image_encoder.trunk.patch_embed.proj.weight")
    blocks = {key.split(".")[3] for key in state if key.startswith("image_encoder.trunk.blocks.")}
    name = _CONFIGURATIONS.get((len(stem) if stem is not None else 0, len(blocks)))
    if name is None:
        raise InputError(f"{checkpoint} is no SAM 2.1 model that is known; expected tiny, small, base_plus or large")
    if "obj_ptr_tpos_proj.weight" not in state:
        raise InputError(f"{checkpoint} is of SAM 2.0; take the file of the same model of SAM 2.1 (sam2.1_hiera_…)")
    return name


def choose_device(config: Sam2Config) -> torch.device:
    """Return the device asked for.

    Raises:
        InputError: CUDA was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise InputError("tracker.sam2.device is cuda, but PyTorch finds no CUDA device here; set it to auto or cpu")
    return torch.device("cuda" if available and config.device != "cpu" else "cpu")


def choose_precision(config: Sam2Config, device: torch.device) -> torch.dtype:
    """Return the type that the network computes in."""
    if config.precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if config.precision == "bf16" else torch.float32


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__

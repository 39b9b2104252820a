from __future__ import annotations

from importlib.resources import files

import pytest
import torch
import yaml
from sam2_scene import CONFIG

from any3dis_ros.config import Sam2Config
from any3dis_ros.errors import InputError
from any3dis_ros.tracking.sam2.model import choose_device, choose_precision, configuration, load_model, read_state

CPU = torch.device("cpu")
MODELS = ["t", "s", "b+", "l"]


def published_state(model: str, version: str = "2.1") -> dict[str, torch.Tensor]:
    """The names and sizes that tell models apart, from the package's own configuration; one number a tensor."""
    path = files("sam2") / "configs" / f"sam{version}" / f"sam{version}_hiera_{model}.yaml"
    settings = yaml.safe_load(path.read_text())["model"]
    trunk = settings["image_encoder"]["trunk"]
    width, blocks = trunk["embed_dim"], sum(trunk.get("stages", (2, 3, 16, 3)))  # base+ has the default stages
    state = {f"image_encoder.trunk.blocks.{i}.norm1.weight": torch.zeros(1) for i in range(blocks)}
    state["image_encoder.trunk.patch_embed.proj.weight"] = torch.zeros(width, 1)
    if settings.get("proj_tpos_enc_in_obj_ptrs"):
        state["obj_ptr_tpos_proj.weight"] = torch.zeros(1)
    return state


@pytest.mark.parametrize("model", MODELS)
def test_the_model_is_read_from_the_weights(model, tmp_path):
    assert configuration(published_state(model), tmp_path) == f"configs/sam2.1/sam2.1_hiera_{model}.yaml"


@pytest.mark.parametrize("model", MODELS)
def test_sam_2_0_is_told_apart(model, tmp_path):
    with pytest.raises(InputError, match=r"is of SAM 2\.0; take .* SAM 2\.1"):
        configuration(published_state(model, "2"), tmp_path)


def test_a_checkpoint_becomes_a_network_of_the_size_asked_for(checkpoint):
    model = load_model(checkpoint, CONFIG, CPU)
    assert model.image_size == 256
    assert model.max_cond_frames_in_attn == 4
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a checkpoint", "no readable PyTorch checkpoint"),
        (b"", "no readable PyTorch checkpoint"),
        (b"PK\x03\x04" + b"\0" * 200, "no readable PyTorch checkpoint"),
        ({"weights": 1}, "holds no 'model'"),
        ([1, 2], "holds no 'model'"),
        ({"model": {"some.weight": torch.zeros(2)}}, "no SAM 2.1 model that is known"),
        ({"model": published_state("t")}, "does not fit configs/sam2.1/sam2.1_hiera_t.yaml"),
        (Sam2Config(), "no readable PyTorch checkpoint"),  # an object: code would have to be run to read it
    ],
    ids=["text", "empty", "zip", "no model", "list", "other network", "weights missing", "code"],
)
def test_what_is_no_checkpoint_is_told(content, message, tmp_path):
    path = tmp_path / "odd.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=message) as error:
        load_model(path, CONFIG, CPU)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_checkpoint_is_told(checkpoint, tmp_path):
    path = tmp_path / "half.pt"
    path.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(InputError, match="no readable PyTorch checkpoint"):
        read_state(path)


def test_an_image_size_that_does_not_fit_is_told_with_the_next_that_does(checkpoint):
    with pytest.raises(InputError, match=r"image_size is 500; expected a multiple of 32, e\.g\. 480"):
        load_model(checkpoint, Sam2Config(image_size=500), CPU)


def test_device_and_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(Sam2Config()).type == "cpu"
    with pytest.raises(InputError, match="device is cuda, but PyTorch finds no CUDA device"):
        choose_device(Sam2Config(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(Sam2Config()).type == "cuda"
    assert choose_device(Sam2Config(device="cpu")).type == "cpu"
    assert choose_precision(Sam2Config(), torch.device("cuda")) is torch.bfloat16
    assert choose_precision(Sam2Config(), CPU) is torch.float32
    assert choose_precision(Sam2Config(precision="fp32"), torch.device("cuda")) is torch.float32
    assert choose_precision(Sam2Config(precision="bf16"), CPU) is torch.bfloat16

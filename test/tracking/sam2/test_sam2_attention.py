from __future__ import annotations

import copy

import pytest

pytest.importorskip("sam2", reason="SAM 2 is not installed")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.tracking.sam2.attention import narrow_values
from benchmarks.official_sam2 import official_predictor


@pytest.fixture(scope="module")
def wide_and_narrow(checkpoint):
    """The official memory attention, and ours with the same weights."""
    wide = official_predictor(checkpoint, "tiny", 256, "cpu")
    narrow = copy.deepcopy(wide)
    narrow_values(narrow)
    return wide.memory_attention, narrow.memory_attention


@settings(max_examples=10)
@given(batch=st.integers(1, 3), memories=st.integers(1, 7), pointers=st.integers(1, 16), seed=st.integers(0, 999))
def test_it_is_the_official_attention(wide_and_narrow, batch, memories, pointers, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = 256 * memories + 4 * pointers

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    given = {
        "curr": numbers(256, batch, 256),
        "curr_pos": numbers(256, batch, 256),
        "memory": numbers(tokens, batch, 64),
        "memory_pos": numbers(tokens, batch, 64),
        "num_obj_ptr_tokens": 4 * pointers,
    }
    with torch.inference_mode():
        wide, narrow = (attention(**given) for attention in wide_and_narrow)
    torch.testing.assert_close(narrow, wide, rtol=0, atol=1e-5)

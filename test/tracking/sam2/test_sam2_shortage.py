"""Memory runs out at every stage: the run goes on in smaller batches or ends clearly, and the next run works."""

from __future__ import annotations

import logging

import pytest
import torch
from sam2_scene import follow_forward, moving_disc

from any3dis_ros.errors import InputError
from any3dis_ros.tracking.sam2.features import FeatureStore
from any3dis_ros.tracking.sam2.shortage import Frugal, is_shortage

FRAMES = moving_disc(4)
STAGES = {  # module of the network → what of a run it is
    "image_encoder": "encoding",
    "sam_prompt_encoder": "prompting",
    "memory_attention": "following",
    "sam_mask_decoder": "decoding",
    "memory_encoder": "remembering",
}


def run(tracker):
    """Four objects, forward; the masks' logits."""
    session = tracker.open(FRAMES)
    try:
        return follow_forward(session, [(u, 40) for u in (20, 50, 80, 110)], 3), session.statistics()
    finally:
        session.close()


@pytest.fixture(scope="module")
def plenty(tracker):
    return run(tracker)


def short_of_memory(monkeypatch, tracker, stage, fits):
    """Let the module run out of memory wherever `fits(batch size)` is false."""
    module = getattr(tracker._network._model, stage)
    forward = module.forward

    def failing(*args, **kwargs):
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)]
        points = kwargs.get("points")
        if points is not None:
            size = len(points[0])
        elif "curr" in kwargs:
            size = kwargs["curr"][0].shape[1] if isinstance(kwargs["curr"], list) else kwargs["curr"].shape[1]
        else:
            size = len(tensors[0])
        if not fits(size):
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate for {size}.")
        return forward(*args, **kwargs)

    monkeypatch.setattr(module, "forward", failing)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "image_encoder"])
def test_batches_are_halved_until_they_fit(monkeypatch, tracker, tolerance, plenty, caplog, stage):
    short_of_memory(monkeypatch, tracker, stage, lambda size: size <= 1)
    with caplog.at_level(logging.WARNING):
        masks, statistics = run(tracker)
    assert statistics["batch_size"] == 1
    assert [r.getMessage() for r in caplog.records][:2] == [
        "out of memory with 4 objects at once; going on with 2",
        "out of memory with 2 objects at once; going on with 1",
    ]
    for mask, expected in zip(masks, plenty[0], strict=True):
        torch.testing.assert_close(mask, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_run_that_never_fits_ends_clearly_and_the_next_one_works(monkeypatch, tracker, plenty, stage):
    with monkeypatch.context() as context:
        short_of_memory(context, tracker, stage, lambda _: False)
        with pytest.raises(InputError, match=r"out of memory: one object at 256×256 pixels.*sam2.image_size"):
            run(tracker)
    masks, statistics = run(tracker)
    assert statistics["batch_size"] == 64
    assert all(torch.equal(a, b) for a, b in zip(masks, plenty[0], strict=True))


def test_features_leave_the_device_before_a_run_is_given_up():
    features = FeatureStore(lambda t: (torch.zeros(10),), torch.device("cpu"), 1, 1)
    features[0]
    frugal = Frugal(4, features, lambda: "sizes")
    tried = []

    def step(batch):
        tried.append((len(batch), features.on_device))
        raise torch.OutOfMemoryError("none left")

    for _ in range(3):
        assert frugal.attempt(step, list(range(frugal.batch_size))) is None
    with pytest.raises(InputError, match=r"out of memory: sizes;.*\(none left\)"):
        frugal.attempt(step, [0])
    assert tried == [(4, True), (2, True), (1, True), (1, False)]


def test_other_errors_are_no_shortage():
    frugal = Frugal(4, FeatureStore(lambda t: (), torch.device("cpu"), 0, 0), lambda: "")
    with pytest.raises(RuntimeError, match="size mismatch"):
        frugal.attempt(lambda _: (_ for _ in ()).throw(RuntimeError("size mismatch")), [1, 2])
    assert is_shortage(MemoryError())
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60, dtype=torch.uint8)  # what the CPU's allocator says
    assert is_shortage(error.value)

"""What the engine does when memory runs out: smaller batches, then no features on the device, then a clear end."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from any3dis_ros.errors import InputError
from any3dis_ros.tracking.sam2.features import FeatureStore

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class Frugal:
    """Runs batches of bounded size, and gives way when memory runs out.

    Args:
        batch_size: objects run at once, at first.
        features: moved off the device where batches of one still do not fit.
        describe: what to name in the message when nothing helps.

    Attributes:
        batch_size: objects run at once by now.
    """

    def __init__(self, batch_size: int, features: FeatureStore, describe: Callable[[], str]) -> None:
        self.batch_size = batch_size
        self._features = features
        self._describe = describe

    def attempt(self, step: Callable[[Sequence[T]], R], batch: Sequence[T]) -> R | None:
        """Return what `step` makes of the batch; None where memory ran out and a smaller batch is worth trying.

        A step changes nothing before it has succeeded, so it can be run again.

        Raises:
            InputError: memory ran out, and nothing is left to give up.
        """
        try:
            return step(batch)
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            reason = str(error).splitlines()[0] if str(error) else "out of memory"
        # outside the handler: the traceback holds the step's tensors alive
        self._give_way(len(batch), reason)
        return None

    def _give_way(self, tried: int, reason: str) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if tried > 1:
            self.batch_size = tried // 2
            log.warning("out of memory with %d objects at once; going on with %d", tried, self.batch_size)
        elif self._features.on_device:
            self._features.leave_device()
            log.warning("out of memory with one object at once; keyframe features move to main memory")
        else:
            raise InputError(
                f"out of memory: {self._describe()}; lower tracker.sam2.image_size, take a smaller model, or fewer "
                f"keyframes ({reason})"
            )


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on the GPU or off it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = ("can't allocate memory", "STATUS_ALLOC_FAILED")  # PyTorch's allocator on the CPU; cuBLAS and cuDNN
    return isinstance(error, RuntimeError) and any(words in str(error) for words in said)

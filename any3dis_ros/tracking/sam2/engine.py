"""The engine: a loaded SAM 2, ready to open sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from any3dis_ros.config import Sam2Config
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.tracking.sam2.memory import Recall
from any3dis_ros.tracking.sam2.model import choose_device, choose_precision, load_model
from any3dis_ros.tracking.sam2.network import Network
from any3dis_ros.tracking.sam2.policy import prompt_policy
from any3dis_ros.tracking.sam2.session import Sam2Session
from any3dis_ros.tracking.sam2.shortage import is_shortage


class Sam2Tracker:
    """SAM 2 as a mask tracker (paper, Sec. 3.1; Ravi et al. 2024).

    Args:
        checkpoint: file of SAM 2.1's weights.
        config: image size, device, precision, bounds.

    Raises:
        InputError: what keeps the model from running here.
    """

    name = "sam2"

    def __init__(self, checkpoint: Path, config: Sam2Config) -> None:
        device = choose_device(config)
        model = load_model(checkpoint, config, device)
        self._config = config
        self._network = Network(model, choose_precision(config, device), config.compile)
        self.policy = prompt_policy(config)

    def warm_up(self) -> None:
        """Run every module once, so that the first scene does not wait for kernels to be chosen or compiled."""
        sizes = [1]
        while sizes[-1] < self._config.batch_size:
            sizes.append(min(2 * sizes[-1], self._config.batch_size))
        if not self._config.compile:
            sizes = sizes[-1:]
        try:
            for size in sizes:
                self._rehearse(size)
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise  # a session halves its batches by itself

    def _rehearse(self, size: int) -> None:
        """Prompt and follow `size` objects in a noise image, with the shortest memory and the longest."""
        network = self._network
        side = network.image_size
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        features = [network.encode(noise)] * size
        points = torch.full((size, 1, 2), side / 2, device=network.device)
        labels = torch.ones((size, 1), dtype=torch.int32, device=network.device)
        memory, pointer = network.prompt(features, points, labels).impressions[0]
        assert memory is not None
        limits = network.limits(keyframes=1000)
        for memories, pointers in ((1, 1), (limits.memories, limits.pointers)):
            recall = Recall([(0, memory)] * memories, [(1, pointer)] * pointers)
            network.follow(features, [recall] * size, 1000).logits.sum().item()  # waits for the device

    def open(self, frames: Sequence[Frame], progress: Progress = silent) -> Sam2Session:
        """Return a session over the keyframes; each is encoded when it is first needed."""
        return Sam2Session(frames, self._network, self._config, progress)

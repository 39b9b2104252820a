"""How a long computation tells where it stands, and how it is told to stop."""

from typing import Protocol


class Progress(Protocol):
    """Called between steps of a stage; raises :class:`any3dis_ros.errors.Cancelled` to stop the run."""

    def __call__(self, stage: str, done: int, total: int, instances: int = 0) -> None:
        """Report that `done` of `total` steps of `stage` are finished and `instances` proposals stand."""


def silent(stage: str, done: int, total: int, instances: int = 0) -> None:
    """Report nothing and never cancel."""

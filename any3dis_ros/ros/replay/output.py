"""What any3dis_replay shows: the feedback as it comes, the table of objects, the score of the published cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from any3dis_ros.objects.overlap import GroundTruth
from any3dis_ros.ros.conversions.published import published_instances
from any3dis_ros.terminal import Bars, Row, table

_ROWS = 40


class Stages(Bars):
    """Feedback of a run: a bar on a terminal; elsewhere, and of each stage that ended, a line."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet)
        self._share, self._instances = 0.0, 0

    def tell(self, stage: str, share: float, instances: int) -> None:
        """Show where the run stands: the stage, the share of the whole that is done (0-1), instances so far."""
        if stage != self._stage:
            self.close()
        self._share, self._instances = share, instances
        self(stage, min(round(100 * share), 99), 100, instances)

    def line(self, stage: str, seconds: float) -> str:
        """Return what is left of a stage that has ended."""
        found = f"  {self._instances} proposals" if self._instances else ""
        return f"{super().line(stage, seconds)}  {self._share:4.0%}{found}"


def load_truth(path: Path | None) -> GroundTruth | None:
    """Read the ground truth, where there is one.

    Raises:
        InputError: it cannot be read.
    """
    if path is None:
        return None
    from any3dis_ros.io.ground_truth import load_ground_truth

    return load_ground_truth(path)


def show(result: Any, cloud: Any) -> None:
    """Print the objects of a result of Segment.action, best first, and what they were found in."""
    objects = result.instances.instances
    print(table([_row(o) for o in objects], _ROWS, "the topic ~/instances"))
    statistics = {s.key: s.value for s in result.statistics}
    print(
        f"{result.message}, in {cloud.width * cloud.height} map points of {statistics.get('keyframes', '?')} keyframes "
        f"by the {statistics.get('engine', '?')} engine"
    )


def score(cloud: Any, truth: GroundTruth) -> str:
    """Return the table of AP and recall of a message of ~/instance_cloud."""
    from any3dis_ros.objects.evaluation import evaluate_instances, format_table

    return format_table(evaluate_instances(published_instances(cloud), truth))


def _row(o: Any) -> Row:
    size, centroid = (o.size.x, o.size.y, o.size.z), (o.centroid.x, o.centroid.y, o.centroid.z)
    return Row(o.id, o.score, o.point_count, size, centroid)

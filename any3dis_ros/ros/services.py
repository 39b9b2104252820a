"""What the node is asked for: the action ~/segment, and the services ~/trigger and ~/reset."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import KeyValue
from numpy.typing import NDArray
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from std_srvs.srv import Trigger

from any3dis_ros.action import Segment
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.msg import Instance3DArray
from any3dis_ros.parameters import dotted
from any3dis_ros.progress import Progress, silent
from any3dis_ros.ros.feedback import Feedback
from any3dis_ros.ros.session import UNDER_WAY, Request

log = logging.getLogger(__name__)

Segmentation = Callable[[Request, Progress], tuple[Instance3DArray, Mapping[str, Any]]]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: success or why not, in words; the objects as published; statistics by dotted name."""

    success: bool
    message: str
    objects: Instance3DArray = field(default_factory=Instance3DArray)
    statistics: Mapping[str, Any] = field(default_factory=dict)


class Services:
    """The action and the services; each is answered whatever state the node is in, with the reason where it is no.

    Args:
        node: whose they are.
        segment: runs a segmentation and publishes it; raises InputError, Cancelled.
        reset: forgets keyframes, map and results.

    Attributes:
        refusal: why nothing can be run now, empty = it can.
    """

    def __init__(self, node: Any, segment: Segmentation, reset: Callable[[], None]) -> None:
        self._node, self._segment, self._reset = node, segment, reset
        self.refusal = ""
        self._changed = threading.Condition()
        self._running = 0
        group = ReentrantCallbackGroup()  # a run must hold up neither cancellation nor a refusal
        self._trigger_service = node.create_service(Trigger, "~/trigger", self._on_trigger, callback_group=group)
        self._reset_service = node.create_service(Trigger, "~/reset", self._on_reset, callback_group=group)
        self._action = ActionServer(
            node,
            Segment,
            "~/segment",
            execute_callback=self._on_goal,
            goal_callback=self._on_goal_request,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    def stop(self, reason: str) -> None:
        """Accept nothing from now on, and wait until what runs has ended at its next step.

        Args:
            reason: what is answered from now on.
        """
        self.refusal = reason
        with self._changed:
            self._changed.wait_for(lambda: not self._running)

    def destroy(self) -> None:
        """End the action, which rclpy does not do with its node."""
        self._action.destroy()

    def _no(self) -> str:
        """Return why a request cannot be served now."""
        if self.refusal:
            return self.refusal
        return UNDER_WAY if self._running else ""

    def _on_goal_request(self, _: Any) -> GoalResponse:
        if reason := self._no():
            log.warning("goal rejected: %s", reason)  # an action's rejection carries no words
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_goal(self, goal: Any) -> Any:
        def tell(stage: str, share: float, instances: int) -> None:
            goal.publish_feedback(Segment.Feedback(stage=stage, progress=share, instances=instances))

        feedback = Feedback(tell)

        def progress(stage: str, done: int, total: int, instances: int = 0) -> None:
            if goal.is_cancel_requested:
                raise Cancelled(f"cancelled in stage '{stage}'")
            feedback(stage, done, total, instances)

        outcome = self._run(lambda: request_of(goal.request), progress)
        if self._node.context.ok():
            (goal.succeed if outcome.success else goal.canceled if goal.is_cancel_requested else goal.abort)()
        return Segment.Result(
            success=outcome.success,
            message=outcome.message,
            instances=outcome.objects,
            statistics=[KeyValue(key=name, value=str(value)) for name, value in flat(outcome.statistics)],
        )

    def _on_trigger(self, _: Any, response: Any) -> Any:
        outcome = self._run(Request, silent)
        response.success, response.message = outcome.success, outcome.message
        return response

    def _on_reset(self, _: Any, response: Any) -> Any:
        response.message = self._no()
        response.success = not response.message
        if response.success:
            self._reset()
            response.message = "keyframes, map and results are forgotten"
            log.info("reset: %s", response.message)
        return response

    def _run(self, request: Callable[[], Request], progress: Progress) -> Outcome:
        """Run to the end; whatever happens becomes an outcome."""

        def told(stage: str, done: int, total: int, instances: int = 0) -> None:
            if self.refusal or not self._node.context.ok():
                raise Cancelled(f"stopped in stage '{stage}': {self.refusal or 'the node shuts down'}")
            progress(stage, done, total, instances)

        began = time.monotonic()
        try:
            with self._counted():
                if self.refusal:
                    raise InputError(self.refusal)
                objects, statistics = self._segment(request(), told)
        except InputError as error:
            log.warning("no segmentation: %s", error)
            return Outcome(False, str(error))
        except Cancelled as cancelled:
            log.info("%s", cancelled)
            return Outcome(False, str(cancelled))
        except Exception as error:  # a defect must not end the node
            log.exception("the segmentation failed")
            return Outcome(False, f"unexpected {type(error).__name__}: {error}; the node's log has the details")
        message = f"{len(objects.instances)} objects in {time.monotonic() - began:.1f} s"
        log.info("%s", message)
        return Outcome(True, message, objects, statistics)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def request_of(goal: Any) -> Request:
    """Return what a goal of Segment.action asks for.

    Raises:
        InputError: a least score that is none.
    """
    if not 0 <= goal.min_score <= 1:
        raise InputError(f"min_score is {goal.min_score:g}; expected 0 to 1")
    region = np.array([[p.x, p.y, p.z] for p in (goal.region_min, goal.region_max)], np.float64)
    whole: NDArray[np.float64] | None = None if not region.any() else region
    return Request(whole, float(goal.min_score), str(goal.engine))


def flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield nested statistics by dotted names; seconds and other fractions to four digits."""
    for name, value in dotted(values):
        yield name, f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else value

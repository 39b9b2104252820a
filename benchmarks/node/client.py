"""What asks the node: services, the action, diagnostics; and how long the answers took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from any3dis_ros.action import Segment
from any3dis_ros.ros.conversions.transforms import nanoseconds

_PATIENCE_S = 60.0


class Run:
    """A goal under way.

    Attributes:
        sent_s: when it was sent, monotonic seconds, as all times here.
        stages: when each stage was first heard of.
        handle: rclpy's, None until the goal is answered.
        ended_s: when the result came.
        result: the result, None before.
    """

    def __init__(self) -> None:
        self.sent_s = time.monotonic()
        self.stages: dict[str, float] = {}
        self.handle: Any = None
        self.ended_s = math.nan
        self.result: Any = None
        self.rejected = False

    def hear(self, message: Any) -> None:
        """Take feedback."""
        self.stages.setdefault(message.feedback.stage, time.monotonic())

    def answered(self, future: Any) -> None:
        """Take the answer to the goal, and wait for the result."""
        self.handle = future.result()
        self.rejected = not self.handle.accepted
        if self.handle.accepted:
            self.handle.get_result_async().add_done_callback(self.ended)

    def ended(self, future: Any) -> None:
        """Take the result."""
        self.ended_s, self.result = time.monotonic(), future.result().result

    @property
    def over(self) -> bool:
        """Whether it was rejected or its result is there."""
        return self.rejected or self.result is not None

    def reached(self, stage: str) -> bool:
        """Whether a stage whose name begins so was heard of."""
        return any(name.startswith(stage) for name in self.stages)


class Client:
    """A node that asks ``/any3dis``, in a context of its own.

    Attributes:
        node: rclpy's, for further publishers and subscriptions.
        diagnostics: the newest values by the last word of the status' name, and key.
    """

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = rclpy.create_node("measurement", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self._action = ActionClient(self.node, Segment, "/any3dis/segment")
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._diagnosed_ns = 0
        self._heard = self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._action.destroy()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def spin(self, seconds: float) -> None:
        """Handle what comes for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = _PATIENCE_S) -> None:
        """Handle what comes until `condition` holds.

        Raises:
            TimeoutError: with `what`.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout_s:g} s: {what}")
            self._executor.spin_once(timeout_sec=0.02)

    def begin(self, kind: Any, name: str, request: Any) -> Any:
        """Send a request of a service of the node; return its future."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, f"/any3dis/{name}")
        self.until(self._clients[name].service_is_ready, f"service {name}")
        return self._clients[name].call_async(request)

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = _PATIENCE_S) -> Any:
        """Send a request and return the answer."""
        future = self.begin(kind, name, request)
        self.until(future.done, f"an answer of {name}", timeout_s)
        return future.result()

    def ping(self) -> Any:
        """Ask for a parameter; return the future."""
        return self.begin(GetParameters, "get_parameters", GetParameters.Request(names=["global_frame"]))

    def trigger(self, name: str) -> Any:
        """Call ``~/trigger`` or ``~/reset``."""
        return self.call(Trigger, name, Trigger.Request(), 600.0)

    def set(self, name: str, value: Any) -> None:
        """Set a parameter of the node."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        answer = self.call(SetParameters, "set_parameters", request).results[0]
        if not answer.successful:
            raise RuntimeError(answer.reason)

    def change(self, transition: str) -> bool:
        """Change the state of the lifecycle node, as in ``configure``; return whether it did."""
        number = getattr(Transition, f"TRANSITION_{transition.upper()}")
        return bool(
            self.call(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number))).success
        )

    def segment(self) -> Run:
        """Send a goal of ``~/segment`` and return at once."""
        self.until(self._action.server_is_ready, "the action")
        run = Run()
        goal = self._action.send_goal_async(Segment.Goal(), feedback_callback=run.hear)
        goal.add_done_callback(run.answered)
        return run

    def value(self, status: str, key: str) -> float:
        """Return a number of the newest diagnostics, 0 where it is not there."""
        return float(self.diagnostics.get(status, {}).get(key, 0))

    def refreshed(self) -> None:
        """Wait for diagnostics that were made after this call."""
        now_ns = time.time_ns()
        self.until(lambda: self._diagnosed_ns > now_ns, "diagnostics")

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.diagnostics[status.name.rpartition(": ")[2]] = {v.key: v.value for v in status.values}
        self._diagnosed_ns = nanoseconds(message.header.stamp)

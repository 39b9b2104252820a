"""A client of any3dis_node: waits for it, asks it to segment and to save, and takes what it published."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import PointCloud2

from any3dis_ros.action import Segment
from any3dis_ros.errors import InputError
from any3dis_ros.ros.quality import LATCHED
from any3dis_ros.srv import Save

_POLL_S = 0.05
_ANSWER_S = 30.0
_ASK_AGAIN_S = 2.0
_CANCEL_S = 10.0
_KEPT_FEEDBACK = 1000
_STAMP_TOLERANCE_S = 1e-6  # seconds since 1970 as a double are good to a quarter of that

Tell = Callable[[str, float, int], None]


class NodeClient:
    """Asks a node, with an executor on a thread of its own, so that Ctrl-C finds the main thread in a plain wait.

    Args:
        node: of rclpy; is spun here.
        name: fully qualified name of the node that is asked.
        gone: raises where the node has ended.
    """

    def __init__(self, node: Any, name: str, gone: Callable[[], None] = lambda: None) -> None:
        self._node, self.name, self._gone = node, name, gone
        self._action = ActionClient(node, Segment, f"{name}/segment")
        self._save = node.create_client(Save, f"{name}/save")
        self._input: dict[str, str] = {}  # of the last diagnostics
        self._changed = threading.Condition()
        self._closed = False
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name="any3dis-client")
        self._thread.start()

    def close(self) -> None:
        """End the thread; the node can be destroyed then."""
        self._closed = True
        self._thread.join()
        self._executor.shutdown()
        self._action.destroy()

    def there(self, timeout_s: float) -> bool:
        """Return whether the node is seen, as soon as it is."""
        return self._until(self._action.server_is_ready, timeout_s)

    @property
    def several(self) -> bool:
        """Whether more than one node of this name is seen."""
        return self._node.count_publishers(f"{self.name}/instance_cloud") > 1

    def wait_until_there(self, timeout_s: float) -> None:
        """Wait for the node.

        Raises:
            InputError: it is not seen in time.
        """
        if not self.there(timeout_s):
            raise InputError(
                f"no node '{self.name}' was seen within {timeout_s:g} s; start it (ros2 run any3dis_ros any3dis_node), "
                "name it (--node), or let this program start one (--start-node); both need one ROS_DOMAIN_ID"
            )

    def wait_until_ready(self) -> None:
        """Wait until a node that is starting answers, for as long as it lives: at first it compiles its kernels.

        It is asked again and again: the service first seen may be what is left of another node, and answer nobody.
        """
        state = self._node.create_client(GetState, f"{self.name}/get_state")
        try:
            self._until(state.service_is_ready, None)
            asked = [state.call_async(GetState.Request())]
            while not self._until(lambda: any(answer.done() for answer in asked), _ASK_AGAIN_S):
                asked.append(state.call_async(GetState.Request()))
        finally:
            self._in_turn(self._node.destroy_client, state)

    def wait_until_taken_in(self, stamp_ns: int, timeout_s: float) -> bool:
        """Wait until the node says that it has dealt with the colour image of `stamp_ns`; return whether it did."""

        def done() -> bool:
            newest, waiting = self._input.get("newest image [s]", ""), self._input.get("waiting", "")
            return waiting == "0" and _seconds(newest) > stamp_ns / 1e9 - _STAMP_TOLERANCE_S

        return self._until(done, timeout_s)

    def received(self, topic: str) -> int | None:
        """Return how many messages of an input the node said that it received; None = it has not said yet."""
        count = self._input.get(f"{topic} received", "")
        return int(count) if count.isdecimal() else None

    def segment(self, tell: Tell) -> Segment.Result:
        """Run a segmentation to its end; an exception meanwhile, as that of Ctrl-C, cancels it.

        Args:
            tell: called with stage, share of the run (0-1) and instances so far.

        Raises:
            InputError: the node refuses, or did not succeed.
        """
        feedback: deque[Any] = deque(maxlen=_KEPT_FEEDBACK)
        sent = self._action.send_goal_async(
            Segment.Goal(), feedback_callback=lambda message: feedback.append(message.feedback)
        )

        def ended() -> bool:
            done = bool(answer.done())
            while feedback:
                said = feedback.popleft()
                tell(said.stage, said.progress, said.instances)
            return done

        try:
            handle = self._done(sent, _ANSWER_S, "the goal")
            if not handle.accepted:
                raise InputError(f"{self.name} refused to segment: it is not active, or a run is under way (its log)")
            answer = handle.get_result_async()
            self._until(ended, None)
        except InputError:
            raise
        except BaseException:
            self._cancel(sent)
            raise
        result = answer.result().result
        if not result.success:
            raise InputError(f"{self.name} did not segment: {result.message}")
        return result

    def published_cloud(self, header: Any) -> PointCloud2:
        """Return the latched cloud of the segmentation whose messages have this header.

        Raises:
            InputError: it does not come.
        """
        got: list[Any] = []
        topic = f"{self.name}/instance_cloud"
        subscription = self._node.create_subscription(PointCloud2, topic, got.append, LATCHED)
        try:
            if not self._until(lambda: any(cloud.header == header for cloud in got), _ANSWER_S):
                raise InputError(f"no cloud of this segmentation came on {topic} within {_ANSWER_S:g} s")
        finally:
            self._in_turn(self._node.destroy_subscription, subscription)
        return next(cloud for cloud in got if cloud.header == header)

    def save(self, folder: Path) -> str:
        """Let the node write its result; return what it says.

        Raises:
            InputError: it could not.
        """
        if not self._until(self._save.service_is_ready, _ANSWER_S):
            raise InputError(f"{self.name} offers no service ~/save")
        answer = self._done(self._save.call_async(Save.Request(folder=str(folder))), None, "~/save")
        if not answer.success:
            raise InputError(f"{self.name} did not save: {answer.message}")
        return str(answer.message)

    def _in_turn(self, destroy: Callable[[Any], object], entity: Any) -> None:
        """Destroy in the thread that spins, which ends where an entity is destroyed while it gathers them to wait."""
        self._executor.create_task(destroy, entity)

    def _done(self, future: Any, timeout_s: float | None, what: str) -> Any:
        if not self._until(future.done, timeout_s):
            raise InputError(f"{self.name} did not answer {what} within {timeout_s:g} s")
        return future.result()

    def _until(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not condition():
            self._gone()
            if deadline is not None and time.monotonic() > deadline:
                return False
            with self._changed:
                self._changed.wait(_POLL_S)
        return True

    def _cancel(self, sent: Any) -> None:
        """Cancel a goal and wait for its end, for a while."""
        deadline = time.monotonic() + _CANCEL_S

        def wait(future: Any) -> bool:
            with self._changed:
                while not future.done() and self._thread.is_alive() and time.monotonic() < deadline:
                    self._changed.wait(_POLL_S)
            return bool(future.done())

        if wait(sent) and sent.result().accepted:
            wait(sent.result().cancel_goal_async())
            wait(sent.result().get_result_async())

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name == f"{self.name}: input":
                self._input = {value.key: value.value for value in status.values}

    def _spin(self) -> None:
        try:
            while not self._closed:
                self._executor.spin_once(_POLL_S)
                with self._changed:
                    self._changed.notify_all()
        except ExternalShutdownException:
            pass


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")

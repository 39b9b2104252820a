"""any3dis_node: a lifecycle node that makes keyframes of live topics and segments them when it is asked to.

Wiring only: what comes in is `inputs`, what goes out `outputs` and `diagnostics`, what it is asked for `services` and
`stored`; the segmentation is the pipeline's.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.interrupts import asked_to_end
from any3dis_ros.msg import Instance3DArray
from any3dis_ros.objects.instances import Instances
from any3dis_ros.progress import Progress
from any3dis_ros.ros import packages
from any3dis_ros.ros.background import Background
from any3dis_ros.ros.diagnostics import Diagnostics
from any3dis_ros.ros.inputs import Inputs
from any3dis_ros.ros.log import RosLog
from any3dis_ros.ros.outputs import Outputs, Result
from any3dis_ros.ros.parameters import configuration, declare, node_configuration, refusal
from any3dis_ros.ros.services import Services
from any3dis_ros.ros.session import UNDER_WAY, Busy, Request, Segmenter
from any3dis_ros.ros.stored import Stored

log = logging.getLogger(__name__)

_SWITCH_S = 0.001  # of Python between threads: at its 5 ms a callback waits for each of a run's threads in turn
_LOOK_S = 0.2  # between two looks whether to end: a signal is heard when waiting is over
_ANSWER_S = 0.1  # for answers that are made when a run has ended
THREADS = 6  # a run, a trigger's refusal, images, transforms, a lifecycle transition that waits, and one to spare

_INACTIVE = "the node is not active (ros2 lifecycle set <node> configure, then activate)"


class Any3disNode(LifecycleNode):
    """The node; further `options` are those of rclpy's Node.

    Args:
        name: where it is not remapped.
        ending: set where the process is to end: getting ready, which may take minutes, is given up then.

    Raises:
        InputError: a parameter that was given is not allowed.
    """

    def __init__(self, name: str = "any3dis", ending: threading.Event | None = None, **options: Any) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        self._ending = ending or threading.Event()
        self._inputs: Inputs | None = None
        self._fusion: Background | None = None
        self._logs = RosLog(self.get_logger())
        logging.getLogger("any3dis_ros").addHandler(self._logs)
        logging.getLogger("any3dis_ros").setLevel(logging.DEBUG)  # which of it is shown is the ROS logger's to say
        try:
            declare(self)
        except InputError:
            self.close()
            raise
        self.add_on_set_parameters_callback(self._on_parameters)
        self._segmenter = Segmenter(configuration(self))
        self._outputs = Outputs(self)
        self._requests = Services(self, self._segment, self._reset)
        self._requests.refusal = _INACTIVE
        self._stored = Stored(self, self._outputs, self._take)
        settings = node_configuration(self)
        self._diagnostics = Diagnostics(self, settings.diagnostics_period_s, self._segmenter)
        for package, origin in packages.which().items():
            log.info("%s: %s", package, origin)
        if settings.autostart and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def set_parameters_atomically(self, parameter_list: list[Any]) -> SetParametersResult:
        """Set parameters; refused in our words, as rclpy's range check would come first with its own."""
        answer = self._on_parameters(parameter_list)
        return super().set_parameters_atomically(parameter_list) if answer.successful else answer

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make the engine ready, listen to transforms and make ready for keyframes."""
        settings, config = node_configuration(self), configuration(self)
        self._segmenter.config = config
        if settings.preload:
            try:
                self._segmenter.prepare(self._going_on)
                log.info("the %s engine is ready", self._segmenter.engine)
            except (InputError, Cancelled) as error:
                log.error("not configured: %s", error)
                return TransitionCallbackReturn.FAILURE
        if settings.fuse_live and settings.map_source == "fused":
            self._fusion = Background(self._extend_map, "any3dis-fusion")
        self._inputs = Inputs(self, settings, config, self._fusion.tell if self._fusion else lambda: None)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let images in, and requests."""
        if self._inputs is not None:
            self._inputs.subscribe()
            topics = self._inputs.topics
            log.info("listening on %s, %s, %s", topics.color, topics.depth, topics.info)
        self._diagnostics.inputs = self._inputs
        self._requests.refusal = ""
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let nothing in; what runs is cancelled, keyframes stay."""
        self._requests.stop(_INACTIVE)
        self._diagnostics.inputs = None
        if self._inputs is not None:
            self._inputs.unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget keyframes, map and transforms; what was published stays."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """The same from any state; what runs is cancelled."""
        self._requests.stop("the node is shut down; start it again")
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to the start after a transition that failed."""
        self._requests.stop(_INACTIVE)
        self._release()
        return super().on_error(state)

    def stop(self) -> None:
        """Cancel what runs and end every thread; whoever asked is answered by what still spins."""
        self._requests.stop("the node shuts down")
        self._release()

    def close(self) -> None:
        """End everything; the node can be destroyed then."""
        if hasattr(self, "_requests"):
            self.stop()
            self._requests.destroy()
        logging.getLogger("any3dis_ros").removeHandler(self._logs)

    @property
    def inputs(self) -> Inputs | None:
        """What comes in, None while the node is not configured."""
        return self._inputs

    def _release(self) -> None:
        self._diagnostics.inputs = None
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        if self._fusion is not None:
            self._fusion.close()
            self._fusion = None
        self._segmenter.forget()

    def _segment(self, request: Request, progress: Progress) -> tuple[Instance3DArray, Mapping[str, Any]]:
        """Segment the keyframes so far and publish; images keep coming in the meantime."""
        inputs = self._inputs
        if inputs is None:
            raise InputError(_INACTIVE)
        if self._segmenter.busy:
            raise Busy(UNDER_WAY)
        config, settings = configuration(self), node_configuration(self)
        self._segmenter.config = config
        inputs.ingest.settle(settings.tf_timeout_s, lambda: progress("keyframes", 0, 1))
        frames, camera_frame = inputs.ingest.frames(), inputs.camera_frame
        found = self._segmenter.run(frames, inputs.map_cloud(), request, progress)
        result = Result(found, frames, camera_frame, frames[-1].stamp_ns, settings.global_frame, config)
        return self._outputs.publish(result, settings), found.statistics

    def _take(self, found: Instances) -> None:
        """Publish a segmentation that was loaded."""
        if self._segmenter.busy:
            raise Busy(UNDER_WAY)
        settings = node_configuration(self)
        self._segmenter.remember(found)
        now_ns = self.get_clock().now().nanoseconds
        self._outputs.publish(Result(found, (), "", now_ns, settings.global_frame, configuration(self)), settings)

    def _reset(self) -> None:
        if self._inputs is not None:
            self._inputs.clear()
        self._segmenter.forget()
        self._outputs.withdraw(node_configuration(self))

    def _extend_map(self) -> None:
        inputs = self._inputs
        if inputs is not None:
            self._segmenter.extend_map(inputs.ingest.frames())

    def _going_on(self, stage: str, done: int, total: int, instances: int = 0) -> None:  # noqa: ARG002
        """Let the rehearsal go on unless the process is to end."""
        if self._ending.is_set() or not self.context.ok():
            raise Cancelled("the node shuts down")

    def _on_parameters(self, changes: Sequence[Any]) -> SetParametersResult:
        reason = refusal(changes, configured=self._inputs is not None)
        return SetParametersResult(successful=not reason, reason=reason)


def wind_down(node: Any3disNode, executor: Executor) -> None:
    """Cancel what runs, and spin until who asked for it is answered."""
    stopping = threading.Thread(target=node.stop, name="any3dis-stop")
    stopping.start()
    until = math.inf
    while time.monotonic() < until:
        executor.spin_once(timeout_sec=_ANSWER_S / 10)
        if not stopping.is_alive():
            until = min(until, time.monotonic() + _ANSWER_S)
    stopping.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end; return the exit status."""
    sys.setswitchinterval(_SWITCH_S)
    with asked_to_end() as ending:  # rclpy's own handlers take the middleware away before a run can be aborted
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = Any3disNode(ending=ending)
            executor = MultiThreadedExecutor(num_threads=THREADS)
            executor.add_node(node)
            with contextlib.suppress(ExternalShutdownException):
                while rclpy.ok() and not ending.is_set():
                    executor.spin_once(timeout_sec=_LOOK_S)
                wind_down(node, executor)
            executor.shutdown()
            node.close()
            node.destroy_node()
        except InputError as error:
            print(f"any3dis_node: {error}", file=sys.stderr)
            return 2
        finally:
            rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
